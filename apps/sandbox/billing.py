"""From an invoice to its money: issued, finalised and charged in one go, with what follows for the subscription."""

from apps.sandbox import charging
from apps.sandbox.cards import NEEDS_ACTION, SUCCEEDS
from apps.sandbox.contract import Body
from apps.sandbox.invoicing import (
    ask_for_action,
    fail,
    finalize,
    issue,
    pay,
    stop_collecting,
    subscription_of,
    void,
    write_off,
)
from apps.sandbox.standing import invoice_failed, invoice_settled
from apps.sandbox.store import Transaction


def bill(
    tx: Transaction,
    subscription: Body,
    *,
    reason: str,
    id: str | None = None,
    items: list[Body] | None = None,
    wait: bool = False,
) -> Body:
    """Issue and finalise an invoice for the current periods of `items` (or all), and charge it where that is due.

    It stays open when it is to `wait` for the customer, as `payment_behavior=default_incomplete` wants, or the
    customer is to pay by hand (`send_invoice`); what a paused collection says is done instead. An invoice about
    nothing is always paid.
    """
    invoice = issue(tx, subscription, reason=reason, id=id, items=items)
    behavior = (subscription["pause_collection"] or {}).get("behavior")
    if behavior == "keep_as_draft" or subscription["status"] == "unpaid":
        return stop_collecting(tx, invoice)
    invoice = finalize(tx, invoice)
    if behavior:
        return void(tx, invoice) if behavior == "void" else write_off(tx, invoice)
    if not invoice["amount_due"]:
        return pay(tx, invoice)
    if wait or subscription["collection_method"] == "send_invoice":
        return invoice
    collect(tx, invoice)
    return tx.load("invoice", invoice["id"])


def collect(tx: Transaction, invoice: Body, *, method: Body | None = None, by_hand: bool = False) -> str:
    """Charge an open invoice and let the subscription follow; returns the outcome.

    The first invoice of a subscription is not retried, nor that of resuming one: until it is paid, there is nothing to
    collect for.
    """
    subscription = tx.load("subscription", subscription_of(invoice))
    outcome = charging.attempt(tx, subscription, method=method)
    if outcome == SUCCEEDS:
        settle(tx, invoice, by_hand=by_hand)
        return outcome
    failed = fail(tx, invoice, by_hand=by_hand, retried=subscription["status"] not in ("incomplete", "paused"))
    if outcome == NEEDS_ACTION:
        ask_for_action(tx, failed)
    invoice_failed(tx, failed)
    return outcome


def settle(tx: Transaction, invoice: Body, *, by_hand: bool = False) -> Body:
    """Take the invoice as paid, without a charge that could fail, and let the subscription follow."""
    paid = pay(tx, invoice, by_hand=by_hand)
    invoice_settled(tx, paid)
    return paid
