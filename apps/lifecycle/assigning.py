"""Which plan versions a tenant should hold."""

from collections.abc import Iterable
from dataclasses import dataclass

from apps.billing.types import Item, Subscription
from apps.core.periods import Unit
from apps.lifecycle import prices
from apps.lifecycle.engine import Verdict
from apps.lifecycle.prices import Prices
from apps.plans.models import PlanAssignment
from apps.plans.services import Assigned
from apps.plans.terms import Cycle
from apps.tenants.models import Tenant


@dataclass(frozen=True)
class _Case:
    """What one subscription brings: its items, what their prices are, and what is held through it."""

    subscription: Subscription
    items: tuple[Item, ...]
    priced: Prices
    held: dict[str, PlanAssignment]


def assigned(tenant: Tenant, judged: Verdict) -> tuple[Assigned, ...] | None:
    """The plan versions the tenant should hold; None: leave what it has.

    An item whose price entitles to nothing keeps the version it has: never a silent free
    pass, and never a silent loss. Once every subscription has ended, nothing is held.
    """
    if _is_gone(tenant, judged):
        return ()
    items = [(subscription, item) for subscription in judged.granting for item in subscription.items]
    # Of what has none left nothing is held; but with no plan at all there would be no limits.
    items = [(subscription, item) for subscription, item in items if item.quantity] or items
    priced = prices.judge(item.price_id for _, item in items)
    held = {each.item_id: each for each in held_by(tenant)}
    cases = [
        _Case(each, tuple(item for subscription, item in items if subscription is each), priced, held)
        for each in judged.granting
    ]
    return tuple(found for case in cases for found in (*_by_items(case), *_last_good(case))) or None


def _is_gone(tenant: Tenant, judged: Verdict) -> bool:
    """Whether there was a subscription, and nothing is left of it. Without billing an operator decides."""
    return judged.ended_at is not None or (bool(tenant.stripe_customer_id) and not judged.granting)


def held_by(tenant: Tenant) -> Iterable[PlanAssignment]:
    """What the tenant holds now."""
    return PlanAssignment.objects.present().filter(tenant=tenant).select_related("version__plan")


def _by_items(case: _Case) -> list[Assigned]:
    found = []
    for item in case.items:
        last = case.held.get(item.id)
        version = case.priced.versions.get(item.price_id) or (last.version if last else None)
        if version:
            cycle = _cycle(case, item)
            found.append(Assigned(case.subscription.id, item.id, version, item.quantity, cycle))
    return found


def _cycle(case: _Case, item: Item) -> Cycle | None:
    anchor, price = case.subscription.billing_cycle_anchor, case.priced.known.get(item.price_id)
    if anchor is None:
        return None
    if price is None or not price.interval:
        return Cycle(anchor)
    return Cycle(anchor, Unit(price.interval), price.interval_count)


def _last_good(case: _Case) -> list[Assigned]:
    """What was held through items that made way for one that entitles to nothing."""
    theirs = {item.id for item in case.subscription.items}
    if not any(item.price_id in _unusable(case) and item.id not in case.held for item in case.items):
        return []
    return [
        Assigned(each.subscription_id, each.item_id, each.version, each.quantity, each.cycle)
        for each in case.held.values()
        if each.subscription_id == case.subscription.id and each.item_id not in theirs
    ]


def _unusable(case: _Case) -> set[str]:
    return {price_id for several in case.priced.problems_of(case.subscription).values() for price_id in several}
