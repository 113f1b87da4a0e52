"""The items of a subscription: which price, how many, and the period each of them is in.

Contract: docs.stripe.com/api/subscription_items. Since 2025-03-31.basil an item has a billing period of its own.
"""

from apps.sandbox import errors, metadata
from apps.sandbox.catalogue import insert_price
from apps.sandbox.contract import Body
from apps.sandbox.discounts import replaced
from apps.sandbox.errors import ApiError
from apps.sandbox.ids import random_text
from apps.sandbox.periods import boundary, containing
from apps.sandbox.shapes import complete
from apps.sandbox.store import Transaction

MOST = 20
"""Items in one subscription."""

PRICED_BY = "price price_data plan"


def add_item(tx: Transaction, subscription: Body, sent: Body, *, path: str) -> Body:
    """Put a new item into the subscription, in the period that runs now.

    `path` names the parameters in refusals: `items[0]`, or empty for the subscription item routes.
    """
    price = _price(tx, subscription, sent, path=path)
    item = {
        "id": "si_" + random_text(14),
        "object": "subscription_item",
        "created": tx.now,
        "discounts": [],
        "metadata": metadata.of(sent),
        "price": price["id"],
        "quantity": _quantity(price, sent, current=1, path=path),
        "subscription": subscription["id"],
        "tax_rates": [],
        **current_period(tx, subscription, price),
        "_usage_from": tx.now,
    }
    return _discounted(tx, subscription, tx.insert(complete(item)), sent)


def _discounted(tx: Transaction, subscription: Body, item: Body, sent: Body) -> Body:
    named = {"customer": subscription["customer"], "currency": subscription["currency"]}
    return tx.save(item | {"discounts": replaced(tx, item, sent.get("discounts"), **named)})


def change_item(tx: Transaction, subscription: Body, item: Body, sent: Body, *, path: str) -> None:
    """Apply `sent` to the item; another interval begins a new period now."""
    old = tx.load("price", item["price"])
    priced = any(name in sent for name in PRICED_BY.split())
    price = _price(tx, subscription, sent, path=path, replacing=item["id"]) if priced else old
    current = item["quantity"] if item["quantity"] is not None else 1
    changed = item | {
        "price": price["id"],
        "quantity": _quantity(price, sent, current=current, path=path),
        "metadata": metadata.merged(item["metadata"], sent.get("metadata")),
    }
    if old["id"] != price["id"]:
        changed["_usage_from"] = tx.now
    if interval_of(old) != interval_of(price) and subscription["status"] != "trialing":
        changed |= first_period(price, now=tx.now)
    _discounted(tx, subscription, changed, sent)


def remove_item(tx: Transaction, item: Body) -> None:
    """Take the item out; raises ApiError for the last one."""
    if len(tx.all("subscription_item", subscription=item["subscription"])) == 1:
        raise ApiError("A subscription must have at least one active plan.", param="items")
    tx.delete(item)


def of_subscription(tx: Transaction, subscription: Body) -> list[Body]:
    return tx.all("subscription_item", subscription=subscription["id"])


def current_period(tx: Transaction, subscription: Body, price: Body) -> Body:
    """Return the bounds of the period that runs now: the trial, or the one that the anchor gives."""
    if subscription["status"] == "trialing":
        return _bounds(subscription["trial_start"], subscription["trial_end"])
    return period_at(
        price, anchor=subscription["billing_cycle_anchor"], moment=tx.now, begin=subscription["start_date"]
    )


def period_at(price: Body, *, anchor: int, moment: int, begin: int = 0) -> Body:
    """Return the bounds of the period around `moment`, which starts no earlier than `begin`.

    `_whole_start` is where it would have begun without that: the price is for the time from there.
    """
    interval, interval_count = interval_of(price)
    start, end = containing(moment, anchor=anchor, interval=interval, interval_count=interval_count)
    return _bounds(max(start, begin), end) | {"_whole_start": start}


def first_period(price: Body, *, now: int) -> Body:
    interval, interval_count = interval_of(price)
    return _bounds(now, boundary(now, interval=interval, count=interval_count))


def _bounds(start: int, end: int) -> Body:
    return {"current_period_start": start, "current_period_end": end, "_whole_start": start}


def interval_of(price: Body) -> tuple[str, int]:
    """Return the interval of a recurring price, and how many of it make a period."""
    return price["recurring"]["interval"], price["recurring"]["interval_count"]


def is_metered(price: Body) -> bool:
    """Tell whether the price bills what was used, at the end of each period."""
    return (price["recurring"] or {}).get("usage_type") == "metered"


def resolve_price(tx: Transaction, sent: Body, *, path: str) -> Body:
    """Return the recurring price that an item names, or make the one that it describes (`price_data`)."""
    named = [name for name in PRICED_BY.split() if name in sent]
    if not named:
        raise errors.missing(_name(path, "price"))
    if len(named) > 1:
        raise errors.exclusive(first=_name(path, named[0]), second=_name(path, named[1]))
    param = _name(path, named[0])
    if named == ["price_data"]:
        tx.load("product", sent["price_data"]["product"], param=f"{param}[product]")
        return insert_price(tx, sent["price_data"], inline=True)
    price = tx.load("price", sent[named[0]], param=param)
    # What a schedule had planned stays possible, also once the price is archived.
    if not sent.get("_planned"):
        _check_usable(price, param=param)
    return price


def _check_usable(price: Body, *, param: str) -> None:
    if not price["active"]:
        message = f"The price specified is inactive. This field only accepts active prices. (`{price['id']}`)"
        raise ApiError(message, param=param)
    if price["type"] != "recurring":
        message = (
            "The price specified is set to `type=one_time` but this field only accepts prices with `type=recurring`."
        )
        raise ApiError(message, param=param)


def _price(tx: Transaction, subscription: Body, sent: Body, *, path: str, replacing: str | None = None) -> Body:
    """Return the price for an item of this subscription; raises ApiError when it does not fit beside the others."""
    price = resolve_price(tx, sent, path=path)
    param = _name(path, "price")
    if subscription["currency"] not in price["currency_options"]:
        message = (
            f"The price specified only supports `{price['currency']}`. "
            f"This doesn't match the expected currency: `{subscription['currency']}`."
        )
        raise ApiError(message, param=param)
    others = [item["price"] for item in of_subscription(tx, subscription) if item["id"] != replacing]
    if price["id"] in others:
        raise ApiError(f"Cannot add multiple subscription items with the same plan: {price['id']}", param=param)
    if len(others) >= MOST:
        raise ApiError(f"A subscription can have up to {MOST} items.", param="items")
    return price


def _quantity(price: Body, sent: Body, *, current: int, path: str) -> int | None:
    if is_metered(price):
        if "quantity" in sent:
            message = "You cannot set the quantity of an item with metered usage."
            raise ApiError(message, param=_name(path, "quantity"))
        return None
    quantity: int = sent.get("quantity", current)
    if quantity < 0:
        raise ApiError("Invalid non-negative integer", code="parameter_invalid_integer", param=_name(path, "quantity"))
    return quantity


def _name(path: str, name: str) -> str:
    return f"{path}[{name}]" if path else name
