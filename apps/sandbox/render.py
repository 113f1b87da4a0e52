"""From what is stored to what Stripe shows.

Parts are stored once, under their own id, and put together here: a subscription's items, an item's price, an
invoice's lines. So a price that is renamed is renamed wherever it is shown.
"""

from collections.abc import Callable
from typing import Final

from apps.sandbox.contract import Body
from apps.sandbox.shapes import INCLUDABLE, complete
from apps.sandbox.store import Transaction

EMBEDDED = 10
"""How many items an embedded list shows; `has_more` tells of the rest, and its `url` has them."""


def render(tx: Transaction, stored: Body) -> Body:
    """Return the object as Stripe answers it when nothing is expanded."""
    body = without_includables(stored)
    addition = _ADDITIONS.get(body["object"])
    # An invoice that is only announced has no id, and brings its lines along.
    return body | addition(tx, body) if addition and "id" in body else body


def without_includables(stored: Body) -> Body:
    """Return the object without what only `expand` or another request shows, and without own notes (`_name`)."""
    hidden = INCLUDABLE.get(stored["object"], frozenset())
    return {name: value for name, value in stored.items() if name not in hidden and name[0] != "_"}


def embedded(*, data: list[Body], url: str) -> Body:
    """Return the first page of a list that stands inside another object."""
    return {"object": "list", "data": data[:EMBEDDED], "has_more": len(data) > EMBEDDED, "url": url}


def subscription_items(tx: Transaction, subscription: str) -> Body:
    items = [render(tx, item) for item in tx.all("subscription_item", subscription=subscription)]
    return embedded(data=items, url=f"/v1/subscription_items?subscription={subscription}")


def _items(tx: Transaction, subscription: Body) -> Body:
    return {"items": subscription_items(tx, subscription["id"])}


def _lines(tx: Transaction, invoice: Body) -> Body:
    lines = tx.all("line_item", invoice=invoice["id"])
    return {"lines": embedded(data=lines, url=f"/v1/invoices/{invoice['id']}/lines")}


def _price(tx: Transaction, item: Body) -> Body:
    price = tx.load("price", item["price"])
    return {"price": render(tx, price), "plan": legacy_plan(price)}


def legacy_plan(price: Body) -> Body:
    """Return a price in the shape of the plans that came before prices; items still carry both."""
    recurring = price["recurring"] or {}
    return complete(
        {
            "object": "plan",
            **{name: price[name] for name in _PLAN_FIELDS},
            "amount": price["unit_amount"],
            "amount_decimal": price["unit_amount_decimal"],
            "transform_usage": price["transform_quantity"],
            **{name: recurring.get(name) for name in _PLAN_PERIOD_FIELDS},
        }
    )


_PLAN_FIELDS = (
    "id",
    "active",
    "billing_scheme",
    "created",
    "currency",
    "livemode",
    "metadata",
    "nickname",
    "product",
    "tiers_mode",
)
_PLAN_PERIOD_FIELDS = ("interval", "interval_count", "meter", "trial_period_days", "usage_type")


def _standing(tx: Transaction, customer: Body) -> Body:
    """Return what follows from the customer's invoices: whether a charge failed, and the next invoice's number."""
    query = """
        SELECT count(*), coalesce(sum(json_extract(body, '$.status') = 'open' AND json_extract(body, '$.attempted')), 0)
        FROM object WHERE kind = 'invoice' AND json_extract(body, '$.customer') = ?
    """
    invoices, failed = next(iter(tx.rows(query, (customer["id"],))))
    return {"delinquent": failed > 0, "next_invoice_sequence": invoices + 1}


def _undelivered(tx: Transaction, event: Body) -> Body:
    query = "SELECT count(*) FROM delivery WHERE event = ? AND state <> 'delivered'"
    return {"pending_webhooks": next(iter(tx.rows(query, (event["id"],))))[0]}


def _validity(tx: Transaction, coupon: Body) -> Body:
    return {"valid": is_redeemable(coupon, until=coupon["redeem_by"], now=tx.now)}


def _activity(tx: Transaction, code: Body) -> Body:
    return {"active": code["active"] and is_redeemable(code, until=code["expires_at"], now=tx.now)}


def is_redeemable(offer: Body, *, until: int | None, now: int) -> bool:
    """Tell whether a coupon or a promotion code can still be used: in time, and not used up."""
    most = offer["max_redemptions"]
    return (until is None or now < until) and (most is None or offer["times_redeemed"] < most)


_ADDITIONS: Final[dict[str, Callable[[Transaction, Body], Body]]] = {
    "coupon": _validity,
    "customer": _standing,
    "event": _undelivered,
    "invoice": _lines,
    "promotion_code": _activity,
    "subscription": _items,
    "subscription_item": _price,
}
"""What is not stored but worked out, by the kind of object."""
