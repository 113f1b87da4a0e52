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
    if ended["schedule"]:
        _end_schedule(tx, tx.load("subscription_schedule", ended["schedule"]), delinquent=reason == "payment_failed")
    return ended


def _end_schedule(tx: Transaction, schedule: Body, *, delinquent: bool) -> None:
    """Complete the schedule that ended its subscription as it was to; cancel one that had more to come."""
    if schedule["end_behavior"] == "cancel" and tx.now >= schedule["phases"][-1]["end_date"]:
        changes, told = {"status": "completed", "completed_at": tx.now}, "completed"
    else:
        changes, told = {"status": "canceled", "canceled_at": tx.now}, "aborted" if delinquent else "canceled"
    ended = tx.save(schedule | changes | {"current_phase": None})
    record(tx, f"subscription_schedule.{told}", ended)


def delete_customer(tx: Transaction, customer: Body) -> None:
    """Remove the customer, after canceling what it has subscribed to; records customer.deleted."""
    for subscription in tx.all("subscription", customer=customer["id"]):
        if subscription["status"] not in TERMINAL_STATUSES:
            cancel(tx, subscription)
    for schedule in tx.all("subscription_schedule", customer=customer["id"], status="not_started"):
        _end_schedule(tx, schedule, delinquent=False)
    record(tx, "customer.deleted", customer)
    tx.delete(customer)
