"""Writes of the entitlements floor."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from apps.core.actors import Actor
from apps.core.periods import ALWAYS
from apps.entitlements import entities
from apps.entitlements.errors import EntityIsBooked, EntityIsCounted, InvalidTotal
from apps.entitlements.registry import counted_entities
from apps.plans.metadata import MAX_LIMIT
from apps.plans.terms import Aggregate
from apps.tenants.models import Tenant
from apps.usage import selectors as usage_read
from apps.usage import services as usage
from apps.usage.types import Slot


def set_total(*, tenant: Tenant, entity: str, total: int, actor: Actor, now: datetime) -> None:
    """Tell how many of one entity a tenant has, counted at `now`.

    A total of a later moment that is known already stays.

    Raises:
        InvalidEntity: when `entity` is not lower-case words joined by dashes.
        EntityIsCounted: when the entity is counted from a model, or (EntityIsBooked) booked through the facade.
        InvalidTotal: when `total` is not a whole number from 0 to 2**63 - 1.
    """
    set_totals(tenant=tenant, totals={entity: total}, actor=actor, now=now)


def set_totals(*, tenant: Tenant, totals: Mapping[str, int], actor: Actor, now: datetime) -> None:
    """As `set_total`, for several entities: all of them, or none when one is refused."""
    for entity, total in totals.items():
        entities.refuse_malformed(entity)
        _refuse_counted(entity)
        _refuse_what_is_no_total(entity, total)
    _refuse_booked(tenant, list(totals), now)
    usage.record_totals(tenant=tenant, totals=totals, actor=actor, now=now)


def _refuse_counted(entity: str) -> None:
    counted = counted_entities().get(entity)
    if counted:
        raise EntityIsCounted(
            f"The total of {entity!r} is counted from {counted.model._meta.label}, so it cannot be set. "
            "Leave it out of the report."
        )


def _refuse_booked(tenant: Tenant, entities: Sequence[str], now: datetime) -> None:
    slots = [Slot(each, Aggregate.PERPETUAL, ALWAYS) for each in entities]
    booked = usage_read.used_of(tenant_keys=[tenant.pk], slots=slots, now=now)[tenant.pk]
    for entity in booked:
        raise EntityIsBooked(
            f"How many {entity!r} there are is booked by `consume` and `release`, so it cannot be told. "
            "Leave it out of the report, or tell it with `usage_set`."
        )


def _refuse_what_is_no_total(entity: str, total: object) -> None:
    # A truth value is a whole number to Python alone.
    if isinstance(total, bool) or not isinstance(total, int) or not 0 <= total <= MAX_LIMIT:
        raise InvalidTotal(f"The total of {entity!r} is {total!r}, but must be a whole number from 0 to {MAX_LIMIT}.")
