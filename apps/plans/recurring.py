"""When what was used of an entitlement is forgotten, or its credits are granted anew: pure."""

from datetime import UTC, datetime

from apps.core.periods import BEGINNING, Recurrence, Unit
from apps.plans.resolution import Entitlement
from apps.plans.terms import Aggregate, Anchor, Cycle, ResetPeriod

# The calendar's weeks begin on Mondays.
A_MONDAY = datetime(1970, 1, 5, tzinfo=UTC)


def recurrence_of(entitlement: Entitlement, *, since: datetime) -> Recurrence:
    """The periods in which an entitlement counts.

    `since` is when the tenant was made: from then on they are counted where the entitlement
    is held through no subscription, and where that is not paid in cycles a month is one.
    """
    terms = entitlement.terms
    if terms.reset_period == ResetPeriod.NEVER or entitlement.aggregate == Aggregate.PERPETUAL:
        return Recurrence()
    cycle = entitlement.cycle or Cycle(since)
    if terms.reset_period == ResetPeriod.BILLING_PERIOD:
        return Recurrence(cycle.unit, cycle.count, _anchor(terms.anchor, cycle, cycle.unit))
    unit = Unit(terms.reset_period)
    return Recurrence(unit, 1, _anchor(terms.anchor, cycle, unit))


def _anchor(anchor: str, cycle: Cycle, unit: Unit) -> datetime:
    if anchor != Anchor.CALENDAR:
        return cycle.anchor
    return A_MONDAY if unit == Unit.WEEK else BEGINNING
