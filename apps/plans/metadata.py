"""The Things Stack's contract: what metadata on prices and subscriptions means.

Pure: from text to values, no database, no clock. Source: The Things Stack's
documentation of its Tenant Billing Server, sections 1.6 and 1.7 of its contract.
Of what is not The Things Stack's own, only the keys are read here; what is granted
under them depends on the features that there are, see `offers`.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

LIMIT_PREFIX = "max-"
# Not The Things Stack's: `true` on a price makes what it limits an addition to the tenant's plan.
ADD_ON_KEY = "tenantry-add-on"
# Neither: `tenantry-grant-credits` says how much of any feature is granted, in the words of `plan_publish`.
GRANT_PREFIX = "tenantry-grant-"
# The Things Stack's own six; any further `max-<entity>` is an entity of the vendor's app.
STANDARD_ENTITIES = ("applications", "clients", "end-devices", "gateways", "organizations", "users")
MAX_LIMIT = 2**63 - 1
ENTITY_GRAMMAR = re.compile(r"[a-z0-9](?:-?[a-z0-9])*")
LIMIT_GRAMMAR = re.compile(r"[0-9]{1,19}")


@dataclass(frozen=True)
class LimitProblem:
    """A `max-*` entry that is not a limit, or another one that is not usable."""

    key: str
    value: str
    reason: str


@dataclass(frozen=True)
class PriceLimits:
    """The limits of a price's metadata. An entity that is absent is unlimited; an add-on adds none of it.

    `grants`: what else is granted, by feature, as it is written.
    """

    limits: Mapping[str, int]
    problems: tuple[LimitProblem, ...] = ()
    add_on: bool = False
    grants: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class TenantClaim:
    """What a subscription says about the tenant it is for, fallbacks applied."""

    tenant_id: str
    name: str
    description: str
    admin_user: str
    admin_email: str
    admin_full_name: str


@dataclass(frozen=True)
class CustomerTexts:
    """What the fallbacks take from the subscription's customer."""

    name: str = ""
    description: str = ""
    email: str = ""


@dataclass
class _Reading:
    limits: dict[str, int] = field(default_factory=dict)
    grants: dict[str, str] = field(default_factory=dict)
    problems: list[LimitProblem] = field(default_factory=list)


def read_price_limits(metadata: Mapping[str, str]) -> PriceLimits:
    """The limits that a price's metadata sets, and what is wrong with it.

    Each `max-<entity>` holds a whole number, 0 meaning none at all. Each
    `tenantry-grant-<feature>` holds a grant of a feature that no `max-` names.
    """
    reading = _Reading()
    for key in sorted(metadata):
        if key.startswith(LIMIT_PREFIX):
            _read_limit(reading, key, metadata[key])
        elif key.startswith(GRANT_PREFIX):
            _read_grant(reading, key, metadata)
    add_on = metadata.get(ADD_ON_KEY, "false")
    if add_on not in {"true", "false"}:
        reading.problems.append(LimitProblem(ADD_ON_KEY, add_on, "it must be true or false"))
    return PriceLimits(reading.limits, tuple(reading.problems), add_on=add_on == "true", grants=reading.grants)


def _read_limit(reading: _Reading, key: str, value: str) -> None:
    entity = key.removeprefix(LIMIT_PREFIX)
    if not ENTITY_GRAMMAR.fullmatch(entity):
        reading.problems.append(LimitProblem(key, value, "the entity must be lower-case words joined by dashes"))
    elif not LIMIT_GRAMMAR.fullmatch(value):
        reading.problems.append(LimitProblem(key, value, "it must be a whole number such as 0 or 100"))
    elif int(value) > MAX_LIMIT:
        reading.problems.append(LimitProblem(key, value, f"it must be at most {MAX_LIMIT}"))
    else:
        reading.limits[entity] = int(value)


def _read_grant(reading: _Reading, key: str, metadata: Mapping[str, str]) -> None:
    feature, value = key.removeprefix(GRANT_PREFIX), metadata[key]
    if not ENTITY_GRAMMAR.fullmatch(feature):
        reading.problems.append(LimitProblem(key, value, "the feature must be lower-case words joined by dashes"))
    elif f"{LIMIT_PREFIX}{feature}" in metadata:
        reading.problems.append(LimitProblem(key, value, f"{LIMIT_PREFIX}{feature} limits it too: leave one out"))
    else:
        reading.grants[feature] = value


def read_claim(metadata: Mapping[str, str], customer: CustomerTexts) -> TenantClaim:
    """What a subscription's metadata says about its tenant.

    | key | when absent |
    |---|---|
    | `tenant-id` | empty: the subscription claims no tenant |
    | `tenant-name` | `name`, then `company` (both deprecated), then the customer's name |
    | `tenant-description` | the customer's description |
    | `admin-user` | the tenant id |
    | `admin-email` | the customer's e-mail |
    | `admin-full-name` | empty |

    A blank value counts as absent: Stripe itself deletes a key that is set to nothing.
    """
    tenant_id = _first(metadata.get("tenant-id"))
    return TenantClaim(
        tenant_id=tenant_id,
        name=_first(metadata.get("tenant-name"), metadata.get("name"), metadata.get("company"), customer.name),
        description=_first(metadata.get("tenant-description"), customer.description),
        admin_user=_first(metadata.get("admin-user"), tenant_id),
        admin_email=_first(metadata.get("admin-email"), customer.email),
        admin_full_name=_first(metadata.get("admin-full-name")),
    )


def entity_name(entity: str) -> str:
    """How a person reads an entity: `end-devices` is End devices."""
    return entity.replace("-", " ").capitalize()


def _first(*texts: str | None) -> str:
    # PostgreSQL has no place for NUL in a text.
    cleaned = (text.replace("\x00", "").strip() for text in texts if text)
    return next((text for text in cleaned if text), "")
