"""The end of a subscription, and of a customer. Contract: docs.stripe.com/billing/subscriptions/cancel."""

from apps.sandbox.contract import TERMINAL_STATUSES, Body
from apps.sandbox.invoicing import open_invoices, stop_collecting
from apps.sandbox.recording import record
from apps.sandbox.store import Transaction


def cancel(
    tx: Transaction, subscription: Body, *, reason: str = "cancellation_requested", details: Body | None = None
) -> Body:
    """End the subscription now and record customer.subscription.deleted.

    `reason` is Stripe's cancellation_requested or payment_failed; `details` are the canceling party's comment and
    feedback. Its open invoices stay open, but are not charged any more.
    """
    for invoice in open_invoices(tx, subscription["id"]):
        stop_collecting(tx, invoice)
    cancellation = subscription["cancellation_details"] | (details or {}) | {"reason": reason}
    ended = subscription | {
        "status": "canceled",
        "canceled_at": subscription["canceled_at"] or tx.now,
        "ended_at": tx.now,
        "cancel_at_period_end": False,
        "pause_collection": None,
        "cancellation_details": cancellation,
    }
    tx.save(ended)
    record(tx, "customer.subscription.deleted", ended)
    return ended


def delete_customer(tx: Transaction, customer: Body) -> None:
    """Remove the customer, after canceling what it has subscribed to; records customer.deleted."""
    for subscription in tx.all("subscription", customer=customer["id"]):
        if subscription["status"] not in TERMINAL_STATUSES:
            cancel(tx, subscription)
    record(tx, "customer.deleted", customer)
    tx.delete(customer)
