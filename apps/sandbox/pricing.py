"""How a line or an invoice item names its price."""

from apps.sandbox.contract import Body


def pricing(price: Body) -> Body:
    return {
        "type": "price_details",
        "price_details": {"price": price["id"], "product": price["product"]},
        "unit_amount_decimal": price["unit_amount_decimal"],
    }
