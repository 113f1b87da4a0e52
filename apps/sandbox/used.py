"""What a subscription's metered items owe for usage that no invoice has billed yet.

Usage is billed at the end of a period, at its price, in the customer's currency; that of a trial is free. A balance
of corrections below zero costs nothing (docs.stripe.com/billing/subscriptions/usage-based).
"""

from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal

from apps.sandbox.amounts import cost
from apps.sandbox.contract import Body
from apps.sandbox.items import is_metered, of_subscription
from apps.sandbox.pricing import pricing
from apps.sandbox.store import Transaction
from apps.sandbox.usage import total


@dataclass(frozen=True)
class Used:
    """The usage of one item from `start` until before `end` (Unix seconds), and its amount in the minor unit."""

    name: str
    price: Body
    quantity: Decimal
    amount: int
    start: int
    end: int

    def shown(self) -> Body:
        """Return it as fields that lines and invoice items have in common."""
        plain = f"{self.quantity:f}"
        return {
            "amount": self.amount,
            "description": f"{plain} × {self.name}",
            "period": {"start": self.start, "end": self.end},
            "pricing": pricing(self.price),
            "quantity": int(self.quantity.to_integral_value(ROUND_HALF_UP)),
            "quantity_decimal": plain,
        }


def unbilled(tx: Transaction, subscription: Body, item: Body, *, until: int) -> Used | None:
    """Return what the metered item was used for until then; None in a trial, and where all of it is billed.

    A price from before meters bills nothing: the usage records that it would want are no more.
    """
    start, price = _billed_until(item), tx.load("price", item["price"])
    meter = tx.find(price["recurring"]["meter"] or "")
    if until <= start or subscription["status"] == "trialing" or meter is None:
        return None
    quantity = max(total(tx, meter, subscription["customer"], start=start, end=until), Decimal(0))
    amount = cost(price, quantity=quantity, currency=subscription["currency"])
    name = (tx.find(price["product"], deleted=True) or {}).get("name", "")
    return Used(name, price, quantity, amount, start, until)


def metered_items(tx: Transaction, subscription: Body) -> list[Body]:
    items = of_subscription(tx, subscription)
    return [each for each in items if is_metered(tx.load("price", each["price"]))]


def mark_billed(tx: Transaction, item: Body) -> None:
    """Note that the item's usage is billed up to the period that runs now."""
    tx.save(item | {"_usage_from": max(_billed_until(item), item["current_period_start"])})


def _billed_until(item: Body) -> int:
    """Return from when the item's usage is to be billed; stores of earlier versions do not say so."""
    moment: int = item["_usage_from" if "_usage_from" in item else "current_period_start"]
    return moment
