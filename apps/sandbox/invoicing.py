"""The life of an invoice: issued as a draft, finalised, then paid, failed, voided or written off.

Contract: docs.stripe.com/invoicing/overview, and events in the order in which Stripe makes them. There are no taxes.
"""

import json
from typing import Final

from apps.sandbox.balance import apply, owed, restore
from apps.sandbox.contract import DAY, Body
from apps.sandbox.discounts import discounted, end_used, in_effect, totals
from apps.sandbox.errors import ApiError
from apps.sandbox.ids import new_id
from apps.sandbox.items import of_subscription
from apps.sandbox.lines import build_lines
from apps.sandbox.prorating import pending
from apps.sandbox.recording import record, save_and_record
from apps.sandbox.render import render
from apps.sandbox.shapes import complete
from apps.sandbox.store import Transaction
from apps.sandbox.used import mark_billed, metered_items

RETRIES: Final = (3, 5, 7)
"""Days between a failed charge and the next one."""


def issue(
    tx: Transaction, subscription: Body, *, reason: str, id: str | None = None, items: list[Body] | None = None
) -> Body:
    """Make a draft for the current periods of `items`, or all, and record invoice.created.

    `reason` is Stripe's billing_reason. Pending invoice items of the subscription are taken up. The subscription's
    metadata is copied as it is now: later changes of it do not show on this invoice.
    """
    invoice, lines = draft(tx, subscription, reason=reason, id=id or new_id("in"), items=items)
    for invoice_item in pending(tx, subscription["id"]):
        tx.save(invoice_item | {"invoice": invoice["id"]})
    for line in lines:
        tx.insert(line)
    _mark_usage(tx, subscription, items)
    tx.insert(invoice)
    record(tx, "invoice.created", invoice)
    owners = [tx.load("subscription", subscription["id"]), *of_subscription(tx, subscription)]
    end_used(tx, owners, invoice["total_discount_amounts"])
    return invoice


def _mark_usage(tx: Transaction, subscription: Body, items: list[Body] | None) -> None:
    """Note of each metered item on the invoice that its usage is billed."""
    on_invoice = None if items is None else {each["id"] for each in items}
    for item in metered_items(tx, subscription):
        if on_invoice is None or item["id"] in on_invoice:
            mark_billed(tx, item)


def draft(
    tx: Transaction, subscription: Body, *, reason: str, id: str, items: list[Body] | None = None
) -> tuple[Body, list[Body]]:
    """Return the invoice that `issue` would make, and its lines; nothing is kept."""
    if items is None:
        items = of_subscription(tx, subscription)
    taken_up = pending(tx, subscription["id"])
    lines = build_lines(tx, subscription, invoice=id, items=items, pending=taken_up)
    lines = discounted(tx, subscription, of_subscription(tx, subscription), lines)
    invoice = _draft(tx, subscription, reason=reason, id=id)
    return complete(invoice | _amounts(lines, balance=invoice["starting_balance"])), lines


def _amounts(lines: list[Body], *, balance: int) -> Body:
    off = totals(lines)
    subtotal = sum(line["amount"] for line in lines)
    total = subtotal - sum(each["amount"] for each in off)
    due = owed(total=total, balance=balance)
    return {
        "amount_due": due,
        "amount_remaining": due,
        "subtotal": subtotal,
        "subtotal_excluding_tax": subtotal,
        "total": total,
        "total_discount_amounts": off,
        "total_excluding_tax": total,
        "total_pretax_credit_amounts": [{"type": "discount", **each} for each in off],
    }


def _draft(tx: Transaction, subscription: Body, *, reason: str, id: str) -> Body:
    customer = tx.find(subscription["customer"], deleted=True) or {}
    details = {"metadata": subscription["metadata"], "subscription": subscription["id"]}
    return _BLANK | {
        "id": id,
        "billing_reason": reason,
        "collection_method": subscription["collection_method"],
        "created": tx.now,
        "currency": subscription["currency"],
        "customer": subscription["customer"],
        **{f"customer_{name}": customer.get(name) for name in ("address", "email", "name", "phone", "shipping")},
        "discounts": [id for id, _coupon in in_effect(tx, subscription)],
        "customer_tax_exempt": customer.get("tax_exempt", "none"),
        "parent": {"type": "subscription_details", "quote_details": None, "subscription_details": details},
        "period_end": tx.now,
        "period_start": tx.now,
        "starting_balance": customer.get("balance", 0),
        "test_clock": subscription["test_clock"],
    }


_BLANK: Body = {
    "object": "invoice",
    "account_country": "US",
    "account_name": "Stripe stand-in",
    "amount_overpaid": 0,
    "amount_paid": 0,
    "amount_shipping": 0,
    "attempt_count": 0,
    "attempted": False,
    "auto_advance": True,
    "automatic_tax": {
        "disabled_reason": None,
        "enabled": False,
        "liability": None,
        "provider": None,
        "status": None,
    },
    "customer_tax_ids": [],
    "default_tax_rates": [],
    "issuer": {"type": "self"},
    "livemode": False,
    "metadata": {},
    "payment_settings": {"default_mandate": None, "payment_method_options": None, "payment_method_types": None},
    "post_payment_credit_notes_amount": 0,
    "pre_payment_credit_notes_amount": 0,
    "status": "draft",
    "status_transitions": dict.fromkeys(("finalized_at", "marked_uncollectible_at", "paid_at", "voided_at")),
    "total_taxes": [],
}


def finalize(tx: Transaction, invoice: Body) -> Body:
    """Open the draft: from `status_transitions.finalized_at` on its customer owes what the balance leaves of it."""
    days = (tx.find(subscription_of(invoice)) or {}).get("days_until_due")
    opened = invoice | {
        **apply(tx, invoice),
        "status": "open",
        "number": _number(tx, invoice),
        "effective_at": tx.now,
        "due_date": None if days is None else tx.now + days * DAY,
        "status_transitions": invoice["status_transitions"] | {"finalized_at": tx.now},
    }
    return _moved(tx, "invoice.finalized", opened)


def pay(tx: Transaction, invoice: Body, *, by_hand: bool = False) -> Body:
    """Pay an open invoice; records invoice.paid, then invoice.payment_succeeded.

    `by_hand` is a payment that somebody asked for, in place of the one that is scheduled.
    """
    paid = invoice | {
        "status": "paid",
        "amount_paid": invoice["amount_due"],
        "amount_remaining": 0,
        "attempt_count": _attempts(invoice, by_hand=by_hand) if invoice["amount_due"] else 0,
        "attempted": True,
        "auto_advance": False,
        "next_payment_attempt": None,
        "status_transitions": invoice["status_transitions"] | {"paid_at": tx.now},
    }
    _moved(tx, "invoice.paid", paid)
    record(tx, "invoice.payment_succeeded", paid)
    return paid


def fail(tx: Transaction, invoice: Body, *, by_hand: bool = False, retried: bool = True) -> Body:
    """A charge of an open invoice failed; records invoice.payment_failed.

    The next one follows 3, 5 and then 7 days after the one before (docs.stripe.com/billing/revenue-recovery), unless
    the invoice is not `retried`. A failure `by_hand` leaves that schedule as it is.
    """
    attempts = _attempts(invoice, by_hand=by_hand)
    left = RETRIES[attempts - 1 : attempts] if retried else ()
    following = invoice["next_payment_attempt"] if by_hand else next((tx.now + days * DAY for days in left), None)
    failed = invoice | {"attempt_count": attempts, "attempted": True, "next_payment_attempt": following}
    return _moved(tx, "invoice.payment_failed", failed)


def _attempts(invoice: Body, *, by_hand: bool) -> int:
    """Return the count with this attempt: by hand only the first one counts (docs.stripe.com/api/invoices/object)."""
    count: int = invoice["attempt_count"]
    return count if by_hand and count else count + 1


def ask_for_action(tx: Transaction, invoice: Body) -> None:
    """Tell that the customer has to confirm the charge."""
    record(tx, "invoice.payment_action_required", invoice)


def stop_collecting(tx: Transaction, invoice: Body) -> Body:
    """Leave the invoice open and charge no more; records invoice.updated when that is a change."""
    left = invoice | {"auto_advance": False, "next_payment_attempt": None}
    return save_and_record(tx, "invoice.updated", left, before=render(tx, invoice))


def void(tx: Transaction, invoice: Body) -> Body:
    """Declare that the invoice was never owed; raises ApiError unless it is open or uncollectible."""
    if invoice["status"] not in ("open", "uncollectible"):
        raise ApiError("You can only void an invoice that is open or uncollectible.", code="invoice_not_editable")
    restore(tx, invoice)
    return _closed(tx, "invoice.voided", invoice, status="void", at="voided_at")


def write_off(tx: Transaction, invoice: Body) -> Body:
    """Give the money up; raises ApiError unless the invoice is open."""
    if invoice["status"] != "open":
        raise ApiError("You can only mark an open invoice as uncollectible.", code="invoice_not_editable")
    event = "invoice.marked_uncollectible"
    return _closed(tx, event, invoice, status="uncollectible", at="marked_uncollectible_at")


def _closed(tx: Transaction, event: str, invoice: Body, *, status: str, at: str) -> Body:
    transitions = invoice["status_transitions"] | {at: tx.now}
    changes = {"status": status, "auto_advance": False, "next_payment_attempt": None, "status_transitions": transitions}
    return _moved(tx, event, invoice | changes)


def open_invoices(tx: Transaction, subscription: str) -> list[Body]:
    """Return the subscription's unpaid, finalised invoices, oldest first."""
    path = "json_extract(body, '$.parent.subscription_details.subscription')"
    status = "json_extract(body, '$.status')"
    query = f"SELECT body FROM object WHERE kind = 'invoice' AND {path} = ? AND {status} = 'open' ORDER BY seq"
    return [json.loads(row[0]) for row in tx.rows(query, (subscription,))]


def _moved(tx: Transaction, event: str, invoice: Body) -> Body:
    tx.save(invoice)
    record(tx, event, invoice)
    return invoice


def subscription_of(invoice: Body) -> str:
    """Return the id of the subscription that the invoice is for."""
    id: str = invoice["parent"]["subscription_details"]["subscription"]
    return id


def _number(tx: Transaction, invoice: Body) -> str:
    """Return the customer's prefix and running number; only finalised invoices have one."""
    customer = tx.find(invoice["customer"], deleted=True) or {}
    finalized = sum(1 for each in tx.all("invoice", customer=invoice["customer"]) if each["number"])
    return f"{customer.get('invoice_prefix')}-{finalized + 1:04d}"
