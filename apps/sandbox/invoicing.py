"""The life of an invoice: issued as a draft, finalised, then paid, failed, voided or written off.

Contract: docs.stripe.com/invoicing/overview, and events in the order in which Stripe makes them. There are no
prorations and no taxes: an invoice bills each item for its whole period.
"""

from apps.sandbox.amounts import cost
from apps.sandbox.contract import DAY, Body
from apps.sandbox.errors import ApiError
from apps.sandbox.ids import new_id
from apps.sandbox.recording import record, save_and_record
from apps.sandbox.render import render
from apps.sandbox.shapes import complete
from apps.sandbox.store import Transaction

_RETRY_AFTER = 3 * DAY


def issue(tx: Transaction, subscription: Body, *, reason: str, id: str | None = None) -> Body:
    """Make a draft for the items' current periods and record invoice.created.

    `reason` is Stripe's billing_reason. The subscription's metadata is copied as it is now: later changes of it
    do not show on this invoice.
    """
    invoice = _draft(tx, subscription, reason=reason, id=id or new_id("in"))
    amount = sum(line["amount"] for line in _insert_lines(tx, subscription, invoice))
    invoice |= dict.fromkeys(_AMOUNTS, amount)
    inserted = tx.insert(complete(invoice))
    record(tx, "invoice.created", inserted)
    return inserted


_AMOUNTS = ("amount_due", "amount_remaining", "subtotal", "subtotal_excluding_tax", "total", "total_excluding_tax")


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
        "customer_tax_exempt": customer.get("tax_exempt", "none"),
        "parent": {"type": "subscription_details", "quote_details": None, "subscription_details": details},
        "period_end": tx.now,
        "period_start": tx.now,
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
    "discounts": [],
    "issuer": {"type": "self"},
    "livemode": False,
    "metadata": {},
    "payment_settings": {"default_mandate": None, "payment_method_options": None, "payment_method_types": None},
    "post_payment_credit_notes_amount": 0,
    "pre_payment_credit_notes_amount": 0,
    "starting_balance": 0,
    "status": "draft",
    "status_transitions": dict.fromkeys(("finalized_at", "marked_uncollectible_at", "paid_at", "voided_at")),
    "total_discount_amounts": [],
    "total_pretax_credit_amounts": [],
    "total_taxes": [],
}


def _insert_lines(tx: Transaction, subscription: Body, invoice: Body) -> list[Body]:
    items = tx.all("subscription_item", subscription=subscription["id"])
    return [tx.insert(_line(tx, subscription, item, invoice=invoice["id"])) for item in items]


def _line(tx: Transaction, subscription: Body, item: Body, *, invoice: str) -> Body:
    price = tx.load("price", item["price"])
    trial = subscription["status"] == "trialing"
    quantity = item["quantity"] if item["quantity"] is not None else 0
    amount = 0 if trial else cost(price, quantity=quantity, currency=subscription["currency"])
    name = (tx.find(price["product"], deleted=True) or {}).get("name")
    return complete(
        {
            "id": new_id("il"),
            "object": "line_item",
            "amount": amount,
            "currency": subscription["currency"],
            "description": f"Trial period for {name}" if trial else f"{quantity} × {name}",
            "discount_amounts": [],
            "discountable": True,
            "discounts": [],
            "invoice": invoice,
            "livemode": False,
            "metadata": subscription["metadata"],
            "parent": _line_parent(subscription=subscription["id"], item=item["id"]),
            "period": {"start": item["current_period_start"], "end": item["current_period_end"]},
            "pretax_credit_amounts": [],
            "pricing": {
                "type": "price_details",
                "price_details": {"price": price["id"], "product": price["product"]},
                "unit_amount_decimal": price["unit_amount_decimal"],
            },
            "quantity": item["quantity"],
            "quantity_decimal": None if item["quantity"] is None else str(item["quantity"]),
            "subtotal": amount,
            "taxes": [],
        }
    )


def _line_parent(*, subscription: str, item: str) -> Body:
    details = {
        "invoice_item": None,
        "proration": False,
        "proration_details": {"credited_items": None},
        "subscription": subscription,
        "subscription_item": item,
    }
    return {
        "type": "subscription_item_details",
        "invoice_item_details": None,
        "subscription_item_details": details,
    }


def finalize(tx: Transaction, invoice: Body) -> Body:
    """Open the draft: from `status_transitions.finalized_at` on its customer owes it."""
    days = (tx.find(_subscription_id(invoice)) or {}).get("days_until_due")
    opened = invoice | {
        "status": "open",
        "number": _number(tx, invoice),
        "effective_at": tx.now,
        "due_date": None if days is None else tx.now + days * DAY,
        "status_transitions": invoice["status_transitions"] | {"finalized_at": tx.now},
    }
    return _moved(tx, "invoice.finalized", opened)


def pay(tx: Transaction, invoice: Body) -> Body:
    """Pay an open invoice; records invoice.paid, then invoice.payment_succeeded."""
    paid = invoice | {
        "status": "paid",
        "amount_paid": invoice["amount_due"],
        "amount_remaining": 0,
        "attempt_count": invoice["attempt_count"] + (1 if invoice["amount_due"] else 0),
        "attempted": True,
        "auto_advance": False,
        "next_payment_attempt": None,
        "status_transitions": invoice["status_transitions"] | {"paid_at": tx.now},
    }
    _moved(tx, "invoice.paid", paid)
    record(tx, "invoice.payment_succeeded", paid)
    return paid


def fail(tx: Transaction, invoice: Body) -> Body:
    """A charge of an open invoice failed; records invoice.payment_failed."""
    failed = invoice | {
        "attempt_count": invoice["attempt_count"] + 1,
        "attempted": True,
        "next_payment_attempt": tx.now + _RETRY_AFTER,
    }
    return _moved(tx, "invoice.payment_failed", failed)


def bill(tx: Transaction, subscription: Body, *, reason: str, id: str | None = None) -> Body:
    """Issue and finalise an invoice for the items' current periods, and pay it where that can be done at once.

    It stays open when the subscription is incomplete or the customer is to pay by hand (`send_invoice`); what a
    paused collection says is done instead. An invoice about nothing is always paid.
    """
    invoice = issue(tx, subscription, reason=reason, id=id)
    behavior = (subscription["pause_collection"] or {}).get("behavior")
    if behavior == "keep_as_draft":
        return stop_collecting(tx, invoice)
    invoice = finalize(tx, invoice)
    if behavior:
        return void(tx, invoice) if behavior == "void" else write_off(tx, invoice)
    by_hand = subscription["status"] == "incomplete" or subscription["collection_method"] == "send_invoice"
    return invoice if by_hand and invoice["amount_due"] else pay(tx, invoice)


def stop_collecting(tx: Transaction, invoice: Body) -> Body:
    """Leave the invoice open and charge no more; records invoice.updated when that is a change."""
    left = invoice | {"auto_advance": False, "next_payment_attempt": None}
    return save_and_record(tx, "invoice.updated", left, before=render(tx, invoice))


def void(tx: Transaction, invoice: Body) -> Body:
    """Declare that the invoice was never owed; raises ApiError unless it is open or uncollectible."""
    if invoice["status"] not in ("open", "uncollectible"):
        raise ApiError("You can only void an invoice that is open or uncollectible.", code="invoice_not_editable")
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
    query = f"SELECT id FROM object WHERE kind = 'invoice' AND {path} = ? ORDER BY seq"
    found = [tx.load("invoice", row[0]) for row in list(tx.rows(query, (subscription,)))]
    return [invoice for invoice in found if invoice["status"] == "open"]


def _moved(tx: Transaction, event: str, invoice: Body) -> Body:
    tx.save(invoice)
    record(tx, event, invoice)
    return invoice


def _subscription_id(invoice: Body) -> str:
    id: str = invoice["parent"]["subscription_details"]["subscription"]
    return id


def _number(tx: Transaction, invoice: Body) -> str:
    """Return the customer's prefix and running number; only finalised invoices have one."""
    customer = tx.find(invoice["customer"], deleted=True) or {}
    finalized = sum(1 for each in tx.all("invoice", customer=invoice["customer"]) if each["number"])
    return f"{customer.get('invoice_prefix')}-{finalized + 1:04d}"
