"""What happens to a subscription when a phase of its schedule begins.

Contract: docs.stripe.com/billing/subscriptions/subscription-schedules. A phase that begins where a period or a trial
ends begins a period with its own prices; one that begins within a period is a change like any other. A trial never
outlives its phase.
"""

from collections.abc import Iterable

from apps.sandbox.billing import bill
from apps.sandbox.changing import change_items, finish, restart
from apps.sandbox.contract import Body
from apps.sandbox.discounts import replaced
from apps.sandbox.ids import new_id
from apps.sandbox.items import interval_of, of_subscription
from apps.sandbox.phases import usable_discounts, wanted_items
from apps.sandbox.prorating import Snapshot, bill_replaced, credit_unused, snapshot
from apps.sandbox.recording import save_and_record
from apps.sandbox.statuses import roll_periods
from apps.sandbox.store import Transaction

_PLAIN = ("collection_method", "default_payment_method", "description")


def enter(tx: Transaction, subscription: Body, phase: Body) -> None:
    """Give the subscription what the phase says, and bill what begins with it."""
    before = snapshot(tx, subscription)
    after = _described(tx, subscription, phase)
    change_items(tx, after, item_changes(tx, after, phase))
    trial_end = phase["trial_end"] if (phase["trial_end"] or 0) > tx.now else None
    if trial_end is not None:
        _begin_trial(tx, after, before, end=trial_end)
    elif _begins_period(tx, after, before, phase):
        _begin_period(tx, after, before, phase)
    else:
        finish(tx, after, {"proration_behavior": phase["proration_behavior"]}, before=before)


def _described(tx: Transaction, subscription: Body, phase: Body) -> Body:
    after = subscription | {name: phase[name] for name in _PLAIN if phase[name] is not None}
    after["metadata"] = subscription["metadata"] | phase["metadata"]
    named = {"customer": after["customer"], "currency": after["currency"]}
    after["discounts"] = replaced(tx, after, usable_discounts(tx, after, phase) or "", **named)
    return after


def item_changes(tx: Transaction, subscription: Body, phase: Body) -> list[Body]:
    """Return what turns the subscription's items into those of the phase; an item is known by its price."""
    own = {item["price"]: item for item in of_subscription(tx, subscription)}
    wanted = wanted_items(phase)
    kept = [each | {"id": own[each["price"]]["id"]} if each["price"] in own else each for each in wanted]
    gone = own.keys() - {each["price"] for each in wanted}
    named = [{name: value for name, value in each.items() if name != "price" or "id" not in each} for each in kept]
    return [*named, *({"id": own[price]["id"], "deleted": True} for price in own if price in gone)]


def _begin_trial(tx: Transaction, subscription: Body, before: Snapshot, *, end: int) -> None:
    """Let the subscription be tried until `end`; what was paid for the rest of the period is given back."""
    if before.shown["status"] != "trialing":
        credit_unused(tx, subscription, before)
    subscription |= {
        "status": "trialing",
        "trial_start": subscription["trial_start"] or tx.now,
        "trial_end": end,
        "billing_cycle_anchor": end,
    }
    for item in of_subscription(tx, subscription):
        tx.save(item | {"current_period_end": end})
    save_and_record(tx, "customer.subscription.updated", subscription, before=before.shown)


def _begins_period(tx: Transaction, subscription: Body, before: Snapshot, phase: Body) -> bool:
    """Tell whether the phase begins a period: where one ends, with other intervals, or because it says so."""
    ends = any(item["current_period_end"] <= tx.now for item in before.items.values())
    return (
        ends
        or before.shown["status"] == "trialing"
        or phase["billing_cycle_anchor"] == "phase_start"
        or _intervals(tx, before.items.values()) != _intervals(tx, of_subscription(tx, subscription))
    )


def _intervals(tx: Transaction, items: Iterable[Body]) -> set[tuple[str, int]]:
    return {interval_of(tx.load("price", item["price"])) for item in items}


def _begin_period(tx: Transaction, subscription: Body, before: Snapshot, phase: Body) -> None:
    own = of_subscription(tx, subscription)
    same = _intervals(tx, before.items.values()) == _intervals(tx, own)
    if phase["proration_behavior"] != "none" and before.shown["status"] != "trialing":
        credit_unused(tx, subscription, before)
    bill_replaced(tx, subscription, before)
    if before.shown["status"] == "trialing" or phase["billing_cycle_anchor"] == "phase_start" or not same:
        subscription |= restart(tx, subscription)
    else:
        roll_periods(tx, subscription)
    begun = [item for item in of_subscription(tx, subscription) if item["current_period_start"] == tx.now]
    subscription["latest_invoice"] = new_id("in")
    save_and_record(tx, "customer.subscription.updated", subscription, before=before.shown)
    bill(tx, subscription, reason="subscription_cycle", id=subscription["latest_invoice"], items=begun)
