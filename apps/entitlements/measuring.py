"""How much of what a tenant may is in use: counted live, from the books, or as the vendor's app told it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from apps.core.periods import ALWAYS, Period
from apps.credits import selectors as credits
from apps.credits.types import PlanCredits
from apps.entitlements.counting import counted_totals
from apps.entitlements.registry import counted_entities
from apps.entitlements.snapshot import Held
from apps.plans.terms import NUMBERED, Kind
from apps.tenants.models import Tenant
from apps.usage import selectors as usage
from apps.usage.types import Ceiling, Slot


@dataclass(frozen=True, slots=True)
class Measured:
    """How much is in use within a period. `used` None: nobody tells.

    `level` is what more is added to: of a gauge whose highest counts, what it shows now. Of
    credits `left` is the balance, and `limit` what there was to spend of it.
    """

    period: Period
    used: int | None
    level: int | None = None
    left: int | None = None
    limit: int | None = None


def measure(tenant: Tenant, held: Held, *, now: datetime) -> Measured:
    """How much of one feature is in use."""
    return measures(tenant, [held], now=now)[held.entitlement.feature]


def measures(tenant: Tenant, several: list[Held], *, now: datetime) -> Mapping[str, Measured]:
    """As `measure`, of several features, by key; the same few queries for any number of them."""
    numbered = [each for each in several if each.entitlement.kind in NUMBERED]
    return {
        **_credits(tenant, [each for each in numbered if each.entitlement.kind == Kind.CREDITS], now),
        **_counted(tenant, [each for each in numbered if is_live(each)]),
        **_booked(
            tenant, [each for each in numbered if each.entitlement.kind != Kind.CREDITS and not is_live(each)], now
        ),
    }


def is_live(held: Held) -> bool:
    """Whether rows of the tenant's own are what is limited, so that nothing has to be booked."""
    return held.entitlement.kind == Kind.COUNT and held.entitlement.feature in counted_entities()


def _counted(tenant: Tenant, live: list[Held]) -> dict[str, Measured]:
    totals = counted_totals(tenant) if live else {}
    return {each.entitlement.feature: Measured(ALWAYS, totals.get(each.entitlement.feature)) for each in live}


def _booked(tenant: Tenant, booked: list[Held], now: datetime) -> dict[str, Measured]:
    slots = [slot_of(each, at=now) for each in booked]
    uses = usage.uses_of(tenant_keys=[tenant.pk], slots=slots, now=now)[tenant.pk] if slots else {}
    silent = [each.feature for each in slots if each.feature not in uses]
    told = usage.reported_totals([tenant.pk])[tenant.pk] if silent else {}
    found = {}
    for slot, each in zip(slots, booked, strict=True):
        use = uses.get(slot.feature)
        used = use.used if use else _told(told, slot.feature, each)
        found[slot.feature] = Measured(slot.period, used, level=use.level if use else used)
    return found


def _told(told: Mapping[str, usage.ReportedTotal], feature: str, held: Held) -> int | None:
    """What the vendor's app reported; of what is metered, nothing booked means nothing used."""
    if feature in told:
        return told[feature].total
    return None if held.entitlement.unlimited_when_absent else 0


def _credits(tenant: Tenant, wallets: list[Held], now: datetime) -> dict[str, Measured]:
    plans = {(tenant.pk, each.entitlement.feature): plan_credits(each) for each in wallets}
    balances = credits.balances(plans=plans, now=now) if plans else {}
    found = {}
    for each in wallets:
        balance = balances[tenant.pk, each.entitlement.feature]
        period = each.recurrence.period_at(now)
        found[each.entitlement.feature] = Measured(period, balance.used, left=balance.amount, limit=balance.limit)
    return found


def slot_of(held: Held, *, at: datetime) -> Slot:
    """Where it is counted what is used at a moment."""
    return Slot(held.entitlement.feature, held.entitlement.aggregate, held.recurrence.period_at(at))


def ceiling_of(held: Held, *, version: int) -> Ceiling:
    """Up to where it is booked."""
    entitlement = held.entitlement
    thresholds = entitlement.terms.warning_thresholds
    return Ceiling(limit=entitlement.most, soft=entitlement.soft, thresholds=thresholds, version=version)


def plan_credits(held: Held) -> PlanCredits | None:
    """What the plan gives of a wallet, period by period; None: nothing."""
    entitlement, terms, former = held.entitlement, held.entitlement.terms, held.former
    if not entitlement.granted or entitlement.limit is None:
        return None
    return PlanCredits(
        amount=entitlement.limit,
        recurrence=held.recurrence,
        min_rollover=terms.min_rollover,
        max_rollover=terms.max_rollover,
        overdraft=entitlement.soft,
        thresholds=terms.warning_thresholds,
        ref=entitlement.source,
        since=held.since,
        former=((former.entitlement.until, plan_credits(former)),) if former and former.entitlement.until else (),
    )
