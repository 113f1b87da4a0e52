"""What an invoice is made of: one line for each subscription item's period.

Contract: docs.stripe.com/api/invoice-line-item.
"""

from apps.sandbox.amounts import cost
from apps.sandbox.contract import Body
from apps.sandbox.ids import new_id
from apps.sandbox.shapes import complete
from apps.sandbox.store import Transaction


def build_lines(tx: Transaction, subscription: Body, *, invoice: str, items: list[Body]) -> list[Body]:
    """Return a line for the running period of each of `items`; nothing is kept."""
    return [_line(tx, subscription, item, invoice=invoice) for item in items]


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
