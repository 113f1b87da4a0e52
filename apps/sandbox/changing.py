"""Changing a running subscription. Contract: docs.stripe.com/api/subscriptions/update.

Whatever a request changes is told by one customer.subscription.updated, followed by the events of an invoice when a
new period begins. There are no prorations.
"""

from apps.sandbox import errors, metadata, methods
from apps.sandbox.billing import bill
from apps.sandbox.contract import Body
from apps.sandbox.ids import new_id
from apps.sandbox.items import add_item, change_item, first_period, of_subscription, remove_item
from apps.sandbox.recording import save_and_record
from apps.sandbox.render import render
from apps.sandbox.store import Transaction
from apps.sandbox.subscribing import trial_end_of
from apps.sandbox.terms import cancellation_terms, pause_terms

_PLAIN = ("collection_method", "days_until_due", "description", "trial_settings")


def change(tx: Transaction, subscription: Body, params: Body) -> Body:
    """Apply checked `params` to a subscription that has not ended."""
    before = render(tx, subscription)
    after = subscription | {name: params[name] or None for name in _PLAIN if name in params}
    if "default_payment_method" in params:
        id, param = params["default_payment_method"], "default_payment_method"
        after[param] = methods.default(tx, id, customer=after["customer"], param=param)
    after["metadata"] = metadata.merged(subscription["metadata"], params.get("metadata"))
    details = params.get("cancellation_details", {})
    after["cancellation_details"] = subscription["cancellation_details"] | details
    billed = change_items(tx, after, params.get("items", []))
    billed |= _change_anchor(tx, after, params)
    after |= cancellation_terms(tx, after, params) | pause_terms(params)
    return finish(tx, after, before=before, billed=billed)


def finish(tx: Transaction, after: Body, *, before: Body, billed: bool) -> Body:
    """Save and tell the change; bill the new period when one began."""
    if billed:
        after["latest_invoice"] = new_id("in")
    save_and_record(tx, "customer.subscription.updated", after, before=before)
    if billed:
        bill(tx, after, reason="subscription_update", id=after["latest_invoice"])
    return tx.load("subscription", after["id"])


def change_items(tx: Transaction, subscription: Body, sent: list[Body]) -> bool:
    """Change, remove and add items as `items[]` says; returns whether an item began a new period."""
    own = {item["id"]: item for item in of_subscription(tx, subscription)}
    billed = False
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
            billed |= change_item(tx, subscription, own[each["id"]], each, path=path)
    return billed


def _change_anchor(tx: Transaction, subscription: Body, params: Body) -> bool:
    """Move the trial's end, or the anchor to now; returns whether a new period began that is to be billed."""
    trial_end = trial_end_of(params, now=tx.now)
    if trial_end is not None:
        subscription |= {
            "status": "trialing",
            "trial_start": subscription["trial_start"] or tx.now,
            "trial_end": trial_end,
            "billing_cycle_anchor": trial_end,
        }
        _stretch_items(tx, subscription, end=trial_end)
        return False
    if params.get("billing_cycle_anchor") == "now" or _ends_trial(subscription, params):
        subscription |= restart(tx, subscription)
        return True
    return False


def _ends_trial(subscription: Body, params: Body) -> bool:
    return subscription["status"] == "trialing" and params.get("trial_end") == "now"


def _stretch_items(tx: Transaction, subscription: Body, *, end: int) -> None:
    for item in of_subscription(tx, subscription):
        tx.save(item | {"current_period_end": end})


def restart(tx: Transaction, subscription: Body) -> Body:
    """Begin a new period of every item now; returns what changes on the subscription, whose trial ends with it."""
    for item in of_subscription(tx, subscription):
        tx.save(item | first_period(tx.load("price", item["price"]), now=tx.now))
    anchored = {"billing_cycle_anchor": tx.now}
    return anchored | {"status": "active", "trial_end": tx.now} if subscription["status"] == "trialing" else anchored
