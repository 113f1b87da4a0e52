"""The end of a subscription. Contract: docs.stripe.com/billing/subscriptions/cancel."""

from apps.sandbox.contract import Body
from apps.sandbox.recording import record
from apps.sandbox.store import Transaction


def cancel(
    tx: Transaction, subscription: Body, *, reason: str = "cancellation_requested", details: Body | None = None
) -> Body:
    """End the subscription now and record customer.subscription.deleted.

    `reason` is Stripe's cancellation_requested or payment_failed; `details` are the canceling party's comment and
    feedback. Its open invoices stay open, as in Stripe.
    """
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
