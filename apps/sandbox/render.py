"""From what is stored to what Stripe shows.

Parts are stored once, under their own id, and put together here: a subscription's items, an item's price, an
invoice's lines. So a price that is renamed is renamed wherever it is shown.
"""

from apps.sandbox.contract import Body
from apps.sandbox.shapes import INCLUDABLE, complete
from apps.sandbox.store import Transaction

EMBEDDED = 10
"""How many items an embedded list shows; `has_more` tells of the rest, and its `url` has them."""


def render(tx: Transaction, stored: Body) -> Body:
    """Return the object as Stripe answers it when nothing is expanded."""
    body = without_includables(stored)
    match body["object"]:
        case "subscription":
            return body | {"items": subscription_items(tx, body["id"])}
        case "subscription_item":
            return _with_price(tx, body)
        case "invoice" if "id" in body:
            return body | {"lines": _lines(tx, body["id"])}
        case "customer":
            return body | _standing(tx, body["id"])
        case "event":
            return body | {"pending_webhooks": _undelivered(tx, body["id"])}
    return body


def without_includables(stored: Body) -> Body:
    """Return the object without what only `expand` shows, and without the stand-in's own notes (`_name`)."""
    hidden = INCLUDABLE.get(stored["object"], frozenset())
    return {name: value for name, value in stored.items() if name not in hidden and name[0] != "_"}


def embedded(*, data: list[Body], url: str) -> Body:
    """Return the first page of a list that stands inside another object."""
    return {"object": "list", "data": data[:EMBEDDED], "has_more": len(data) > EMBEDDED, "url": url}


def subscription_items(tx: Transaction, subscription: str) -> Body:
    items = [render(tx, item) for item in tx.all("subscription_item", subscription=subscription)]
    return embedded(data=items, url=f"/v1/subscription_items?subscription={subscription}")


def _lines(tx: Transaction, invoice: str) -> Body:
    return embedded(data=tx.all("line_item", invoice=invoice), url=f"/v1/invoices/{invoice}/lines")


def _with_price(tx: Transaction, item: Body) -> Body:
    price = tx.load("price", item["price"])
    return item | {"price": render(tx, price), "plan": legacy_plan(price)}


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


def _standing(tx: Transaction, customer: str) -> Body:
    """Return what follows from the customer's invoices: whether a charge failed, and the next invoice's number."""
    query = """
        SELECT count(*), coalesce(sum(json_extract(body, '$.status') = 'open' AND json_extract(body, '$.attempted')), 0)
        FROM object WHERE kind = 'invoice' AND json_extract(body, '$.customer') = ?
    """
    invoices, failed = next(iter(tx.rows(query, (customer,))))
    return {"delinquent": failed > 0, "next_invoice_sequence": invoices + 1}


def _undelivered(tx: Transaction, event: str) -> int:
    query = "SELECT count(*) FROM delivery WHERE event = ? AND state <> 'delivered'"
    count: int = next(iter(tx.rows(query, (event,))))[0]
    return count
