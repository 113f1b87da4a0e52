"""Changing a running subscription. Contract: docs.stripe.com/api/subscriptions/update.

Whatever a request changes is told by the invoiceitem.created of its prorations, then one
customer.subscription.updated, followed by the events of an invoice when a new period begins or one is asked for
(`proration_behavior=always_invoice`).
"""

from apps.sandbox import charging, errors, metadata, methods
from apps.sandbox.billing import bill
from apps.sandbox.contract import Body
from apps.sandbox.discounts import replaced
from apps.sandbox.errors import ApiError
from apps.sandbox.ids import new_id
from apps.sandbox.items import add_item, change_item, first_period, interval_of, of_subscription, remove_item
from apps.sandbox.prorating import Snapshot, begun, pending, prorate, snapshot
from apps.sandbox.recording import save_and_record
from apps.sandbox.store import Transaction
from apps.sandbox.subscribing import trial_end_of
from apps.sandbox.terms import cancellation_terms, pause_terms

_PLAIN = ("collection_method", "days_until_due", "description", "trial_settings")


def change(tx: Transaction, subscription: Body, params: Body) -> Body:
    """Apply checked `params` to a subscription that has not ended."""
    _check_unscheduled(subscription, params)
    before = snapshot(tx, subscription)
    after = subscription | {name: params[name] or None for name in _PLAIN if name in params}
    if "default_payment_method" in params:
        id, param = params["default_payment_method"], "default_payment_method"
        after[param] = methods.default(tx, id, customer=after["customer"], param=param)
    after["metadata"] = metadata.merged(subscription["metadata"], params.get("metadata"))
    details = params.get("cancellation_details", {})
    after["cancellation_details"] = subscription["cancellation_details"] | details
    named = {"customer": after["customer"], "currency": after["currency"]}
    after["discounts"] = replaced(tx, after, params.get("discounts"), **named)
    change_items(tx, after, params.get("items", []))
    _change_anchor(tx, after, params)
    align(tx, after, before)
    after |= cancellation_terms(tx, after, params) | pause_terms(params)
    return finish(tx, after, params, before=before)


def _check_unscheduled(subscription: Body, params: Body) -> None:
    """Raise ApiError where a schedule says when the subscription ends."""
    if subscription["schedule"] and not params.keys().isdisjoint({"cancel_at", "cancel_at_period_end"}):
        message = (
            f"The subscription is managed by the subscription schedule `{subscription['schedule']}`, and updating any "
            "cancelation behavior directly is not allowed. Please update the schedule instead."
        )
        raise ApiError(message)


def align(tx: Transaction, subscription: Body, before: Snapshot) -> None:
    """Where an item has begun another interval and all have the same now, begin a new cycle with all of them."""
    items = of_subscription(tx, subscription)
    intervals = {interval_of(tx.load("price", item["price"])) for item in items}
    if begun(tx, subscription, before) and len(intervals) == 1:
        subscription |= restart(tx, subscription)


def finish(tx: Transaction, after: Body, params: Body, *, before: Snapshot) -> Body:
    """Prorate, save and tell the change; bill the periods that began, or the prorations when they are to be at once.

    `params` say how (`proration_behavior`, `proration_date`, `payment_behavior`). Raises a card error for
    `payment_behavior=error_if_incomplete` when the charge fails.
    """
    proration = params.get("proration_behavior", "create_prorations")
    if proration != "none":
        prorate(tx, after, before, at=params.get("proration_date", tx.now))
    billed = begun(tx, after, before)
    at_once = proration == "always_invoice" and pending(tx, after["id"])
    if billed or at_once:
        after["latest_invoice"] = new_id("in")
    save_and_record(tx, "customer.subscription.updated", after, before=before.shown)
    if billed or at_once:
        _bill(tx, after, billed, behavior=params.get("payment_behavior", "allow_incomplete"))
    return tx.load("subscription", after["id"])


def _bill(tx: Transaction, subscription: Body, items: list[Body], *, behavior: str) -> None:
    outcome = charging.expect(tx, subscription)
    wait = behavior == "default_incomplete"
    id = subscription["latest_invoice"]
    invoice = bill(tx, subscription, reason="subscription_update", id=id, items=items, wait=wait)
    if invoice["status"] == "open" and invoice["attempted"]:
        if behavior == "error_if_incomplete":
            raise charging.refusal(outcome)
        if behavior == "pending_if_incomplete":
            raise errors.not_simulated(f"payment_behavior={behavior}")


def change_items(tx: Transaction, subscription: Body, sent: list[Body]) -> None:
    """Change, remove and add items as `items[]` says."""
    own = {item["id"]: item for item in of_subscription(tx, subscription)}
    # Additions come first, so that an item can be replaced by deleting the only one there is.
    for index, each in sorted(enumerate(sent), key=lambda pair: (pair[1].get("deleted", False), pair[0])):
        path = f"items[{index}]"
        if "id" not in each:
            add_item(tx, subscription, each, path=path)
        elif each["id"] not in own:
            raise errors.no_such(kind="subscription_item", id=each["id"], param=f"{path}[id]")
        elif each.get("deleted"):
            remove_item(tx, own[each["id"]])
        else:
            change_item(tx, subscription, own[each["id"]], each, path=path)


def _change_anchor(tx: Transaction, subscription: Body, params: Body) -> None:
    """Move the trial's end, or the anchor to now, which begins a new period."""
    trial_end = trial_end_of(params, now=tx.now)
    if trial_end is not None:
        subscription |= {
            "status": "trialing",
            "trial_start": subscription["trial_start"] or tx.now,
            "trial_end": trial_end,
            "billing_cycle_anchor": trial_end,
        }
        _stretch_items(tx, subscription, end=trial_end)
    elif params.get("billing_cycle_anchor") == "now" or _ends_trial(subscription, params):
        subscription |= restart(tx, subscription)


def _ends_trial(subscription: Body, params: Body) -> bool:
    return subscription["status"] == "trialing" and params.get("trial_end") == "now"


def _stretch_items(tx: Transaction, subscription: Body, *, end: int) -> None:
    for item in of_subscription(tx, subscription):
        tx.save(item | {"current_period_end": end})


def restart(tx: Transaction, subscription: Body) -> Body:
    """Begin a new period of every item now; returns what changes on the subscription, whose trial ends with it."""
    # What was used in a trial is free.
    free = {"_usage_from": tx.now} if subscription["status"] == "trialing" else {}
    for item in of_subscription(tx, subscription):
        tx.save(item | first_period(tx.load("price", item["price"]), now=tx.now) | free)
    anchored = {"billing_cycle_anchor": tx.now}
    return anchored | {"status": "active", "trial_end": tx.now} if subscription["status"] == "trialing" else anchored
