"""Ending a subscription on request. Contract: docs.stripe.com/api/subscriptions/cancel."""

from apps.sandbox.billing import bill
from apps.sandbox.cancellation import cancel
from apps.sandbox.contract import Body
from apps.sandbox.prorating import bill_all_usage, credit_rest, drop_pending, pending
from apps.sandbox.store import Transaction


def end_now(
    tx: Transaction,
    subscription: Body,
    *,
    prorate: bool,
    invoice_now: bool,
    details: Body | None = None,
) -> Body:
    """End it; `prorate` credits the unused time, `invoice_now` bills the usage and what is pending.

    What is pending is dropped without both. `details` are the canceling party's comment and feedback.
    """
    if prorate:
        credit_rest(tx, subscription)
    elif not invoice_now:
        drop_pending(tx, subscription)
    if invoice_now:
        bill_all_usage(tx, subscription)
    ended = cancel(tx, subscription, details=details)
    if invoice_now and pending(tx, ended["id"]):
        invoice = bill(tx, ended, reason="subscription_update", items=[])
        ended = tx.save(tx.load("subscription", ended["id"]) | {"latest_invoice": invoice["id"]})
    return ended
