"""Prorations: what a change in the middle of a period gives back and costs, to the second.

Contract: docs.stripe.com/billing/subscriptions/prorations. The unused rest of what was agreed is credited, the rest of
what is agreed now is charged; both are invoice items that the subscription's next invoice takes up. Amounts are
rounded half up, the credit and the charge each for itself.
"""

from datetime import UTC, datetime
from typing import NamedTuple

from apps.sandbox.amounts import cost
from apps.sandbox.contract import Body
from apps.sandbox.discounts import net
from apps.sandbox.ids import new_id
from apps.sandbox.items import is_metered, of_subscription
from apps.sandbox.pricing import pricing
from apps.sandbox.recording import record
from apps.sandbox.render import render
from apps.sandbox.shapes import complete
from apps.sandbox.store import Transaction
from apps.sandbox.used import metered_items, unbilled


class Snapshot(NamedTuple):
    """A subscription as it was before a change: as Stripe shows it, and its items by id."""

    shown: Body
    items: dict[str, Body]


def snapshot(tx: Transaction, subscription: Body) -> Snapshot:
    items = of_subscription(tx, subscription)
    return Snapshot(render(tx, subscription), {item["id"]: item for item in items})


def share(amount: int, *, start: int, end: int, whole: int) -> int:
    """Return the part of `amount`, which is for the seconds from `whole` to `end`, that falls on those from `start`."""
    length = end - whole
    return amount if length <= 0 else (2 * amount * (end - start) + length) // (2 * length)


def whole_start(item: Body) -> int:
    """Return where the item's period would begin if nothing had cut it short: its price is for the time from there."""
    start: int = item["_whole_start" if "_whole_start" in item else "current_period_start"]
    return start


def begun(tx: Transaction, subscription: Body, before: Snapshot) -> list[Body]:
    """Return the items that the change put into a new period, which is billed as a whole; a trial is not billed."""
    if subscription["status"] == "trialing":
        return []
    return [each for each in of_subscription(tx, subscription) if _restarted(each, before.items.get(each["id"]))]


def _restarted(item: Body, former: Body | None) -> bool:
    bounds = ("current_period_start", "current_period_end")
    return former is not None and any(item[name] != former[name] for name in bounds)


def prorate(tx: Transaction, subscription: Body, before: Snapshot, *, at: int) -> None:
    """Make the invoice items for the difference between `before` and now; records invoiceitem.created for each.

    `at` is the moment of the change in Unix seconds. Nothing was paid for a trial, so nothing is given back for it.
    """
    now = {item["id"]: item for item in of_subscription(tx, subscription)}
    for item in before.items.values():
        if before.shown["status"] != "trialing" and _differs(item, now.get(item["id"])):
            _prorated(tx, subscription, item, at=at, credit=True)
    bill_replaced(tx, subscription, before)
    for item in now.values():
        former = before.items.get(item["id"])
        changed = former is None or (_differs(item, former) and not _restarted(item, former))
        if subscription["status"] != "trialing" and changed:
            _prorated(tx, subscription, item, at=at, credit=False)


def bill_replaced(tx: Transaction, subscription: Body, before: Snapshot) -> None:
    """Bill the usage of metered items that are no more, or have another price now."""
    now = {item["id"]: item["price"] for item in of_subscription(tx, subscription)}
    for item in before.items.values():
        replaced = now.get(item["id"]) != item["price"]
        if replaced and before.shown["status"] != "trialing" and is_metered(tx.load("price", item["price"])):
            bill_usage(tx, subscription, item)


def credit_unused(tx: Transaction, subscription: Body, before: Snapshot) -> None:
    """Give back what was paid for the rest of the periods that ran before the change."""
    for item in before.items.values():
        _prorated(tx, subscription, item, at=tx.now, credit=True)


def credit_rest(tx: Transaction, subscription: Body) -> None:
    """Give back what was paid for the rest of the running periods, as a cancellation with `prorate` does."""
    for item in of_subscription(tx, subscription):
        _prorated(tx, subscription, item, at=tx.now, credit=True)


def bill_all_usage(tx: Transaction, subscription: Body) -> None:
    """Make invoice items for all usage up to now, as the end of a subscription does."""
    for item in metered_items(tx, subscription):
        bill_usage(tx, subscription, item)


def _differs(item: Body, other: Body | None) -> bool:
    terms = ("price", "quantity", "current_period_start", "current_period_end")
    return other is None or any(item[name] != other[name] for name in terms)


def _prorated(tx: Transaction, subscription: Body, item: Body, *, at: int, credit: bool) -> None:
    """Make the invoice item for the rest of the item's period; what is metered is owed up to now instead."""
    price = tx.load("price", item["price"])
    if is_metered(price):
        return
    end = item["current_period_end"]
    start = min(max(at, item["current_period_start"]), end)
    if start == end:
        return
    full = cost(price, quantity=item["quantity"], currency=subscription["currency"])
    part = net(tx, subscription, item, share(full, start=start, end=end, whole=whole_start(item)))
    terms = {
        "amount": -part if credit else part,
        "description": _description(tx, item, price=price, at=start, credit=credit),
        "discountable": False,
        "period": {"start": start, "end": end},
        "pricing": pricing(price),
        "proration": True,
        "quantity": item["quantity"],
        "quantity_decimal": str(item["quantity"]),
    }
    _insert(tx, subscription, item, terms)


def bill_usage(tx: Transaction, subscription: Body, item: Body) -> None:
    """Make an invoice item for what the metered item was used for until now, where that is something."""
    used = unbilled(tx, subscription, item, until=tx.now)
    if used and (used.amount or used.quantity):
        _insert(tx, subscription, item, used.shown() | {"discountable": True, "proration": False})


def _insert(tx: Transaction, subscription: Body, item: Body, terms: Body) -> None:
    details = {"subscription": subscription["id"], "subscription_item": item["id"]}
    body = {
        "id": new_id("ii"),
        "object": "invoiceitem",
        "currency": subscription["currency"],
        "customer": subscription["customer"],
        "date": tx.now,
        "discounts": [],
        "livemode": False,
        "metadata": subscription["metadata"],
        "net_amount": terms["amount"],
        "parent": {"subscription_details": details, "type": "subscription_details"},
        "proration_details": {"discount_amounts": []},
        "tax_rates": [],
        "test_clock": subscription["test_clock"],
        "_subscription": subscription["id"],
        **terms,
    }
    record(tx, "invoiceitem.created", tx.insert(complete(body)))


def _description(tx: Transaction, item: Body, *, price: Body, at: int, credit: bool) -> str:
    name = (tx.find(price["product"], deleted=True) or {}).get("name")
    what = name if item["quantity"] == 1 else f"{item['quantity']} × {name}"
    day = datetime.fromtimestamp(at, UTC)
    return f"{'Unused' if credit else 'Remaining'} time on {what} after {day.day} {day:%b %Y}"


def pending(tx: Transaction, subscription: str) -> list[Body]:
    """Return the subscription's invoice items that no invoice has taken up yet."""
    return tx.all("invoiceitem", _subscription=subscription, invoice=None)


def drop_pending(tx: Transaction, subscription: Body) -> None:
    """Forget what no invoice has taken up yet; records invoiceitem.deleted for each."""
    for invoice_item in pending(tx, subscription["id"]):
        record(tx, "invoiceitem.deleted", invoice_item)
        tx.delete(invoice_item)
