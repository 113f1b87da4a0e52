"""What an invoice is made of: a line for each subscription item's period, and one for each invoice item.

Contract: docs.stripe.com/api/invoice-line-item.
"""

from apps.sandbox.amounts import cost
from apps.sandbox.contract import Body
from apps.sandbox.ids import new_id
from apps.sandbox.items import is_metered
from apps.sandbox.pricing import pricing
from apps.sandbox.prorating import share, whole_start
from apps.sandbox.shapes import complete
from apps.sandbox.store import Transaction
from apps.sandbox.used import unbilled


def build_lines(
    tx: Transaction, subscription: Body, *, invoice: str, items: list[Body], pending: list[Body]
) -> list[Body]:
    """Return a line for each pending invoice item, then one for the running period of each of `items`.

    Nothing is kept.
    """
    own = [_line(tx, subscription, item, invoice=invoice) for item in items]
    return [*(_line_of(each, invoice=invoice) for each in pending), *filter(None, own)]


def _line_of(invoice_item: Body, *, invoice: str) -> Body:
    details = invoice_item["parent"]["subscription_details"]
    same = ("amount", "currency", "description", "discountable", "metadata", "period", "pricing", "quantity")
    line = _BLANK | {
        "id": new_id("il"),
        **{name: invoice_item[name] for name in same},
        "invoice": invoice,
        "parent": _line_parent(**_names(details), invoice_item=invoice_item),
        "quantity_decimal": invoice_item["quantity_decimal"],
        "subtotal": invoice_item["amount"],
    }
    return complete(line)


def _names(details: Body) -> dict[str, str]:
    return {"subscription": details["subscription"], "item": details["subscription_item"]}


_BLANK: Body = {
    "object": "line_item",
    "discount_amounts": [],
    "discountable": True,
    "discounts": [],
    "livemode": False,
    "pretax_credit_amounts": [],
    "taxes": [],
}


def _line(tx: Transaction, subscription: Body, item: Body, *, invoice: str) -> Body | None:
    """Return the item's line: for its running period, or of what is metered for the usage until that began, if any."""
    price = tx.load("price", item["price"])
    if is_metered(price):
        return _usage_line(tx, subscription, item, invoice=invoice)
    return _period_line(tx, subscription, item, price=price, invoice=invoice)


def _usage_line(tx: Transaction, subscription: Body, item: Body, *, invoice: str) -> Body | None:
    used = unbilled(tx, subscription, item, until=item["current_period_start"])
    if used is None:
        return None
    line = _BLANK | _own(subscription, item, invoice=invoice) | used.shown() | {"id": new_id("il")}
    return complete(line | {"subtotal": used.amount})


def _own(subscription: Body, item: Body, *, invoice: str) -> Body:
    return {
        "currency": subscription["currency"],
        "invoice": invoice,
        "metadata": subscription["metadata"],
        "parent": _line_parent(subscription=subscription["id"], item=item["id"]),
    }


def _period_line(tx: Transaction, subscription: Body, item: Body, *, price: Body, invoice: str) -> Body:
    trial = subscription["status"] == "trialing"
    amount = 0 if trial else _amount(item, price=price, currency=subscription["currency"])
    name = (tx.find(price["product"], deleted=True) or {}).get("name")
    line = _BLANK | {
        **_own(subscription, item, invoice=invoice),
        "id": new_id("il"),
        "amount": amount,
        "description": f"Trial period for {name}" if trial else f"{item['quantity'] or 0} × {name}",
        "period": {"start": item["current_period_start"], "end": item["current_period_end"]},
        "pricing": pricing(price),
        "quantity": item["quantity"],
        "quantity_decimal": str(item["quantity"]),
        "subtotal": amount,
    }
    return complete(line)


def _amount(item: Body, *, price: Body, currency: str) -> int:
    """Return the price of the item's period, which the billing cycle's anchor can have cut short."""
    start, end = item["current_period_start"], item["current_period_end"]
    full = cost(price, quantity=item["quantity"], currency=currency)
    return share(full, start=start, end=end, whole=whole_start(item))


def _line_parent(*, subscription: str, item: str, invoice_item: Body | None = None) -> Body:
    details = {
        "invoice_item": invoice_item and invoice_item["id"],
        "proration": invoice_item is not None and invoice_item["proration"],
        "proration_details": {"credited_items": None},
        "subscription": subscription,
        "subscription_item": item,
    }
    return {
        "type": "subscription_item_details",
        "invoice_item_details": None,
        "subscription_item_details": details,
    }
