"""Charging again what could not be charged, and what becomes of the subscription when that fails for the last time.

Contract: docs.stripe.com/billing/revenue-recovery and docs.stripe.com/billing/subscriptions/overview (unpaid
subscriptions). What follows the last failure is a setting of the account.
"""

from apps.sandbox import charging
from apps.sandbox.billing import collect
from apps.sandbox.cancellation import cancel
from apps.sandbox.contract import Body
from apps.sandbox.invoicing import open_invoices, stop_collecting, subscription_of, void
from apps.sandbox.standing import invoice_settled, move
from apps.sandbox.store import Transaction


def retry(tx: Transaction, invoice: Body) -> None:
    """Charge the invoice again, by whatever payment method is the default now."""
    collect(tx, invoice)
    after = tx.load("invoice", invoice["id"])
    if after["status"] == "open" and after["next_payment_attempt"] is None:
        _give_up(tx, tx.load("subscription", subscription_of(after)))


def _give_up(tx: Transaction, subscription: Body) -> None:
    becomes = charging.settings(tx).after_retries
    if becomes == "canceled":
        cancel(tx, subscription, reason="payment_failed")
    elif becomes == "unpaid":
        for invoice in open_invoices(tx, subscription["id"]):
            stop_collecting(tx, invoice)
        move(tx, subscription, {"status": "unpaid"})


def expire(tx: Transaction, subscription: Body) -> None:
    """Void an invoice that was not paid in time: the first one, or that of resuming, so that it stays paused."""
    for invoice in open_invoices(tx, subscription["id"]):
        invoice_settled(tx, void(tx, invoice))
