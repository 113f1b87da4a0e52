"""How a subscription's status follows from its invoices.

Contract: docs.stripe.com/billing/subscriptions/overview (subscription statuses): paying the latest invoice, voiding
it or writing it off brings a past due or unpaid subscription back to active, whatever is still owed from before; the
first invoice decides about an incomplete one, that of resuming about a paused one.
"""

from apps.sandbox.contract import Body
from apps.sandbox.invoicing import subscription_of
from apps.sandbox.recording import record, save_and_record
from apps.sandbox.render import render
from apps.sandbox.store import Transaction


def move(tx: Transaction, subscription: Body, changes: Body, *, before: Body | None = None) -> Body:
    """Change the subscription and record customer.subscription.updated, where something changed.

    `before` is its rendered former state, when its items were changed already. A status that becomes or was
    `paused` is told by an event of its own as well.
    """
    before = before or render(tx, subscription)
    # An invoice that was made meanwhile can have used a discount up.
    changes = changes | {"discounts": tx.load("subscription", subscription["id"])["discounts"]}
    moved = save_and_record(tx, "customer.subscription.updated", subscription | changes, before=before)
    was, becomes = before["status"], moved["status"]
    if becomes == "paused" != was:
        record(tx, "customer.subscription.paused", moved)
    if was == "paused" != becomes:
        record(tx, "customer.subscription.resumed", moved)
    return moved


def invoice_settled(tx: Transaction, invoice: Body) -> None:
    """Let the subscription follow after `invoice` was paid, voided or written off."""
    subscription = tx.load("subscription", subscription_of(invoice))
    if subscription["status"] == "incomplete":
        _decide_incomplete(tx, subscription, invoice)
    elif invoice["id"] == subscription["latest_invoice"] and invoice["status"] in _brings_back(subscription):
        move(tx, subscription, {"status": "active"})


def _brings_back(subscription: Body) -> frozenset[str]:
    return _BRINGS_BACK.get(subscription["status"], frozenset())


_SETTLED = frozenset({"paid", "void", "uncollectible"})
_BRINGS_BACK = {"past_due": _SETTLED, "unpaid": _SETTLED, "paused": _SETTLED - {"void"}}
"""By the status of a subscription: what must have become of its latest invoice for it to be active again."""


def invoice_failed(tx: Transaction, invoice: Body) -> None:
    """Let the subscription follow after a charge of `invoice` failed: what ran is past due, if that was the latest."""
    subscription = tx.load("subscription", subscription_of(invoice))
    if subscription["status"] in ("active", "trialing") and subscription["latest_invoice"] == invoice["id"]:
        move(tx, subscription, {"status": "past_due"})


def _decide_incomplete(tx: Transaction, subscription: Body, invoice: Body) -> None:
    if invoice["status"] == "paid":
        move(tx, subscription, {"status": "active"})
    elif invoice["status"] == "void":
        move(tx, subscription, {"status": "incomplete_expired", "ended_at": tx.now})
