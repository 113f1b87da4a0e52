"""Going on after a pause. Contract: docs.stripe.com/api/subscriptions/resume.

This is about the status `paused`, which the end of a trial without a payment method brings, not about a paused
collection. A period that costs nothing begins at once; otherwise the subscription stays paused until the invoice that
is made now is paid or written off. It is voided after 23 hours, and nothing has changed then.
"""

from apps.sandbox.billing import bill
from apps.sandbox.changing import restart
from apps.sandbox.contract import Body
from apps.sandbox.errors import ApiError
from apps.sandbox.ids import new_id
from apps.sandbox.render import render
from apps.sandbox.standing import move
from apps.sandbox.store import Transaction


def resume(tx: Transaction, subscription: Body) -> Body:
    """Bill a new period that begins now; returns the subscription as it is after the charge."""
    if subscription["status"] != "paused":
        raise ApiError("Only a subscription with the status `paused` can be resumed.")
    before = render(tx, subscription)
    changes = restart(tx, subscription) | {"latest_invoice": new_id("in")}
    resuming = move(tx, subscription, changes, before=before)
    bill(tx, resuming, reason="subscription_cycle", id=resuming["latest_invoice"])
    return tx.load("subscription", subscription["id"])
