"""How a subscription's status follows from its invoices.

Contract: docs.stripe.com/billing/subscriptions/overview (subscription statuses): paying the latest invoice, voiding
it or writing it off brings a past due or unpaid subscription back to active; the first invoice decides about an
incomplete one.
"""

from apps.sandbox.contract import Body
from apps.sandbox.invoicing import open_invoices, subscription_of
from apps.sandbox.recording import record, save_and_record
from apps.sandbox.render import render
from apps.sandbox.store import Transaction


def move(tx: Transaction, subscription: Body, changes: Body, *, before: Body | None = None) -> Body:
    """Change the subscription and record customer.subscription.updated, where something changed.

    `before` is its rendered former state, when its items were changed already. A status that becomes or was
    `paused` is told by an event of its own as well.
    """
    before = before or render(tx, subscription)
    moved = save_and_record(tx, "customer.subscription.updated", subscription | changes, before=before)
    was, becomes = before["status"], moved["status"]
    if becomes == "paused" != was:
        record(tx, "customer.subscription.paused", moved)
    if was == "paused" != becomes:
        record(tx, "customer.subscription.resumed", moved)
    return moved


def invoice_settled(tx: Transaction, invoice: Body) -> None:
    """Let the subscription follow after `invoice` was paid, voided or written off."""
    id = subscription_of(invoice)
    subscription = tx.load("subscription", id)
    if subscription["status"] == "incomplete":
        _decide_incomplete(tx, subscription, invoice)
    elif subscription["status"] in ("past_due", "unpaid") and not open_invoices(tx, id):
        move(tx, subscription, {"status": "active"})


def invoice_failed(tx: Transaction, invoice: Body) -> None:
    """Let the subscription follow after a charge of `invoice` failed: what ran is past due."""
    subscription = tx.load("subscription", subscription_of(invoice))
    if subscription["status"] in ("active", "trialing"):
        move(tx, subscription, {"status": "past_due"})


def _decide_incomplete(tx: Transaction, subscription: Body, invoice: Body) -> None:
    if invoice["status"] == "paid":
        move(tx, subscription, {"status": "active"})
    elif invoice["status"] == "void":
        move(tx, subscription, {"status": "incomplete_expired", "ended_at": tx.now})
