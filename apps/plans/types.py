"""What the plans floor answers with."""

from collections.abc import Mapping
from dataclasses import dataclass

from apps.plans.resolution import Entitlement


@dataclass(frozen=True)
class EntityLimit:
    """How many of one entity a tenant may have at the same time. `limit` None: unlimited."""

    entity: str
    name: str
    limit: int | None


@dataclass(frozen=True)
class HeldPlan:
    """A plan version that a tenant is entitled to, and through what.

    `subscription_id` empty: through none, it is the default plan. `price_id` empty: it has no price in Stripe.
    """

    ref: str
    name: str
    price_id: str
    subscription_id: str
    quantity: int
    add_on: bool = False


@dataclass(frozen=True)
class Holding:
    """All plan versions of one tenant, and what follows from everything that has a say about it.

    `entitlements` holds every feature that there is, by key.
    """

    plans: tuple[HeldPlan, ...]
    entitlements: Mapping[str, Entitlement]
    limits: tuple[EntityLimit, ...]


def limits_in_words(limits: Mapping[str, int | None]) -> str:
    """The limits that there are, by entity, such as `applications 5, users 3`."""
    return ", ".join(f"{entity} {limit}" for entity, limit in limits.items() if limit is not None) or "unlimited"
