"""Discounts: a coupon put to use on a subscription or one of its items.

Contract: docs.stripe.com/api/discounts, docs.stripe.com/billing/subscriptions/coupons. An item's discounts come before
those of its subscription, each takes its part of what the one before left, rounded half up, and is spread over the
lines by their amounts. One that holds `once` ends with the first invoice that it lowers.
"""

from collections.abc import Iterator
from decimal import ROUND_HALF_UP, Decimal

from apps.sandbox.contract import Body
from apps.sandbox.coupons import check_code, check_coupon, count_redemption
from apps.sandbox.errors import ApiError
from apps.sandbox.ids import new_id
from apps.sandbox.periods import boundary
from apps.sandbox.recording import record
from apps.sandbox.shapes import complete
from apps.sandbox.store import Transaction


def replaced(tx: Transaction, owner: Body, sent: list[Body] | str | None, *, customer: str, currency: str) -> list[str]:
    """Return the ids of the discounts that `owner`, a subscription or an item, has once `sent` is done.

    Nothing sent, and an empty list, leave them; an empty text ends them all. Raises ApiError for a coupon or code that
    cannot be used.
    """
    current: list[str] = owner["discounts"]
    if sent is None or sent == []:
        return current
    wanted = [] if isinstance(sent, str) else sent
    kept = [
        _attached(tx, owner, each, customer=customer, currency=currency, path=f"discounts[{index}]")
        for index, each in enumerate(wanted)
    ]
    for id in current:
        if id not in kept:
            end(tx, id)
    return kept


def _attached(tx: Transaction, owner: Body, sent: Body, *, customer: str, currency: str, path: str) -> str:
    if "discount" in sent:
        if sent["discount"] not in owner["discounts"]:
            message = f"No such discount: '{sent['discount']}'"
            raise ApiError(message, code="resource_missing", param=f"{path}[discount]")
        return str(sent["discount"])
    coupon, code = usable(tx, sent, customer=customer, currency=currency, path=path)
    for offer in (coupon, code):
        if offer:
            count_redemption(tx, offer)
    return _insert(tx, owner, coupon, code, customer=customer)


def is_usable(tx: Transaction, owner: Body, sent: Body, *, customer: str, currency: str) -> bool:
    """Tell whether what is sent can be put to use on `owner`, or already is."""
    if "discount" in sent:
        return sent["discount"] in owner["discounts"]
    try:
        usable(tx, sent, customer=customer, currency=currency, path="discounts")
    except ApiError:
        return False
    return True


def usable(tx: Transaction, sent: Body, *, customer: str | None, currency: str, path: str) -> tuple[Body, Body | None]:
    """Return the coupon that `sent` names, and the promotion code if it does so by one.

    Raises ApiError for what cannot be used, by this customer (None for a new one), in this currency.
    """
    if len(sent) != 1:
        raise ApiError("Name one of coupon, promotion_code and discount.", param=path)
    ((name, id),) = sent.items()
    param = f"{path}[{name}]"
    code = tx.load("promotion_code", id, param=param) if name == "promotion_code" else None
    if code:
        check_code(tx, code, customer=customer, param=param)
    coupon = tx.load("coupon", code["promotion"]["coupon"] if code else id, param=param)
    check_coupon(tx, coupon, param=param)
    if coupon["amount_off"] is not None and currency not in coupon["currency_options"]:
        raise ApiError(f"This coupon takes nothing off in `{currency}`.", param=param)
    return coupon, code


def _insert(tx: Transaction, owner: Body, coupon: Body, code: Body | None, *, customer: str) -> str:
    months = coupon["duration_in_months"]
    is_item = owner["object"] == "subscription_item"
    discount = {
        "id": new_id("di"),
        "object": "discount",
        "customer": customer,
        "end": None if months is None else boundary(tx.now, interval="month", count=months),
        "promotion_code": code["id"] if code else None,
        "source": {"type": "coupon", "coupon": coupon["id"]},
        "start": tx.now,
        "subscription": owner["subscription"] if is_item else owner["id"],
        "subscription_item": owner["id"] if is_item else None,
    }
    made = tx.insert(complete(discount))
    record(tx, "customer.discount.created", made)
    return str(made["id"])


def end(tx: Transaction, id: str) -> None:
    """End a discount, which invoices still name; records customer.discount.deleted."""
    discount = tx.load("discount", id)
    record(tx, "customer.discount.deleted", discount)
    tx.save(discount | {"_ended": True})


def in_effect(tx: Transaction, owner: Body) -> Iterator[tuple[str, Body]]:
    """Yield the discounts of a subscription or an item that hold now: id and coupon."""
    for id in owner["discounts"]:
        discount = tx.load("discount", id)
        holds = discount["end"] is None or tx.now < discount["end"]
        coupon = tx.find(discount["source"]["coupon"], deleted=True)
        if holds and coupon and "_ended" not in discount:
            yield id, coupon


def discounted(tx: Transaction, subscription: Body, items: list[Body], lines: list[Body]) -> list[Body]:
    """Return the lines with what discounts take off each of them, in `discount_amounts`; nothing is kept."""
    lines = [line | {"discount_amounts": []} for line in lines]
    for item in items:
        own = [line for line in lines if _item_of(line) == item["id"]]
        for id, coupon in in_effect(tx, item):
            take_off(own, id, coupon, currency=subscription["currency"])
    for id, coupon in in_effect(tx, subscription):
        take_off(lines, id, coupon, currency=subscription["currency"])
    return [line | {"discounts": [each["discount"] for each in line["discount_amounts"]]} for line in lines]


def _item_of(line: Body) -> str:
    id: str = line["parent"]["subscription_item_details"]["subscription_item"]
    return id


def take_off(lines: list[Body], id: str, coupon: Body, *, currency: str) -> None:
    """Add what the coupon takes off to the `discount_amounts` of the lines that it is for."""
    eligible = [line for line in lines if _is_eligible(line, coupon)]
    rests = [left(line) for line in eligible]
    for line, amount in zip(eligible, spread(_off(coupon, sum(rests), currency=currency), rests), strict=True):
        line["discount_amounts"].append({"amount": amount, "discount": id})


def _is_eligible(line: Body, coupon: Body) -> bool:
    products = (coupon["applies_to"] or {}).get("products")
    fits = products is None or line["pricing"]["price_details"]["product"] in products
    return bool(fits and line["discountable"] and left(line) > 0)


def left(line: Body) -> int:
    """Return what discounts leave of the line's amount."""
    return int(line["amount"]) - sum(int(each["amount"]) for each in line["discount_amounts"])


def _off(coupon: Body, amount: int, *, currency: str) -> int:
    if coupon["percent_off"] is None:
        return min(amount, int(coupon["currency_options"][currency]["amount_off"]))
    return percentage(amount, coupon)


def percentage(amount: int, coupon: Body) -> int:
    exact = Decimal(amount) * Decimal(str(coupon["percent_off"])) / 100
    return int(exact.to_integral_value(ROUND_HALF_UP))


def spread(amount: int, weights: list[int]) -> list[int]:
    """Return `amount` in whole parts in proportion to `weights`; what rounding leaves goes to the largest fractions."""
    whole = sum(weights)
    if not whole:
        return [0] * len(weights)
    parts = [amount * weight // whole for weight in weights]
    by_fraction = sorted(range(len(weights)), key=lambda index: -(amount * weights[index] % whole))
    for index in by_fraction[: amount - sum(parts)]:
        parts[index] += 1
    return parts


def totals(lines: list[Body]) -> list[Body]:
    """Return what each discount takes off all lines together, in the order in which they were applied."""
    sums: dict[str, int] = {}
    for each in (each for line in lines for each in line["discount_amounts"]):
        sums[each["discount"]] = sums.get(each["discount"], 0) + each["amount"]
    return [{"amount": amount, "discount": id} for id, amount in sums.items()]


def end_used(tx: Transaction, owners: list[Body], used: list[Body]) -> None:
    """End what held once and lowered an invoice now; `owners` are the subscription and its items."""
    lowered = {each["discount"] for each in used if each["amount"]}
    for owner in owners:
        over = [id for id, coupon in in_effect(tx, owner) if coupon["duration"] == "once" and id in lowered]
        if over:
            owner["discounts"] = [id for id in owner["discounts"] if id not in over]
            tx.save(owner)
        for id in over:
            end(tx, id)


def net(tx: Transaction, subscription: Body, item: Body, amount: int) -> int:
    """Return what lasting percentages leave of an amount, as prorations contain it."""
    for owner in (item, subscription):
        for _id, coupon in in_effect(tx, owner):
            if coupon["percent_off"] is not None and coupon["duration"] != "once":
                amount -= percentage(amount, coupon)
    return amount
