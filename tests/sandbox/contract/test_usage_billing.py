"""What metered usage costs: Stripe's own worked examples, and every kind of price against an independent reckoning.

The examples are those of docs.stripe.com/products-prices/pricing-models and docs.stripe.com/subscriptions/
pricing-models/tiered-pricing.
"""

import time
from fractions import Fraction
from typing import Any

import pytest
import stripe

from tests.sandbox.contract.account import DAY, HOUR, NOW, WEEK, Account, item_of

FONTS = [
    {"up_to": 5, "unit_amount": 700},
    {"up_to": 10, "unit_amount": 650},
    {"up_to": "inf", "unit_amount": 600},
]
FIVES = [
    {"up_to": 5, "unit_amount": 500},
    {"up_to": 10, "unit_amount": 400},
    {"up_to": 15, "unit_amount": 300},
    {"up_to": 20, "unit_amount": 200},
    {"up_to": "inf", "unit_amount": 100},
]
FLAT = [
    {"up_to": 5, "unit_amount": 500, "flat_amount": 1000},
    {"up_to": 10, "unit_amount": 400, "flat_amount": 2000},
    {"up_to": "inf", "unit_amount": 100, "flat_amount": 3000},
]


def tiered(mode: str, tiers: list[dict[str, Any]]) -> dict[str, Any]:
    return {"billing_scheme": "tiered", "tiers_mode": mode, "tiers": tiers, "unit_amount": None}


def package(size: int, rounding: str) -> dict[str, Any]:
    return {"unit_amount": 500, "transform_quantity": {"divide_by": size, "round": rounding}}


EXAMPLES = [
    *[(tiered("volume", FONTS), *each) for each in ((1, 700), (5, 3500), (6, 3900), (20, 12000), (25, 15000))],
    *[(tiered("graduated", FONTS), *each) for each in ((1, 700), (5, 3500), (6, 4150), (20, 12750), (25, 15750))],
    *[(tiered("volume", FIVES), *each) for each in ((1, 500), (5, 2500), (6, 2400), (20, 4000), (25, 2500))],
    *[(tiered("graduated", FIVES), *each) for each in ((1, 500), (5, 2500), (6, 2900), (20, 7000), (25, 7500))],
    *[({"unit_amount": 500}, *each) for each in ((1, 500), (6, 3000), (25, 12500))],
    # "You charge 5 dollars for every 5 units": a customer of 8 units pays 10 dollars.
    *[(package(5, "up"), *each) for each in ((5, 500), (6, 1000), (8, 1000), (10, 1000))],
    *[(package(5, "down"), *each) for each in ((4, 0), (8, 500), (10, 1000))],
]
DECIMAL = {"unit_amount": None, "unit_amount_decimal": "0.000123456789"}
OTHERS = [
    (DECIMAL, 10_000_000),
    ({"unit_amount": None, "unit_amount_decimal": "0.5"}, 1),
    ({"unit_amount": None, "unit_amount_decimal": "0.5"}, 3),
    (tiered("volume", FLAT), 5),
    (tiered("volume", FLAT), 6),
    (tiered("graduated", FLAT), 5),
    (tiered("graduated", FLAT), 6),
    (tiered("graduated", FLAT), 11),
    (tiered("graduated", [{"up_to": 100, "flat_amount": 0}, {"up_to": "inf", "unit_amount_decimal": "0.025"}]), 1_234),
    ({**package(1000, "up"), "unit_amount": None, "unit_amount_decimal": "12.5"}, 1_001),
]


def reckoned(price: dict[str, Any], quantity: int) -> int:
    """The amount in cents by whole fractions, rounded half up: unlike the stand-in, one unit after the other."""
    transform = price.get("transform_quantity")
    if transform:
        whole, rest = divmod(quantity, transform["divide_by"])
        quantity = whole + (1 if rest and transform["round"] == "up" else 0)
    exact = _tiered(price, quantity) if "tiers" in price else _rate(price, "unit_amount") * quantity
    return int(exact + Fraction(1, 2))


def _rate(terms: dict[str, Any], name: str) -> Fraction:
    return Fraction(str(terms.get(name) or terms.get(f"{name}_decimal") or 0))


def _tiered(price: dict[str, Any], quantity: int) -> Fraction:
    steps = [_tier_of(price["tiers"], unit) for unit in range(1, quantity + 1)] or [price["tiers"][0]]
    if price["tiers_mode"] == "volume":
        return _rate(steps[-1], "unit_amount") * quantity + _rate(steps[-1], "flat_amount")
    entered = {id(tier): tier for tier in steps}.values()
    units = sum((_rate(tier, "unit_amount") for tier in steps), Fraction(0)) if quantity else Fraction(0)
    return units + sum((_rate(tier, "flat_amount") for tier in entered), Fraction(0))


def _tier_of(tiers: list[dict[str, Any]], unit: int) -> dict[str, Any]:
    return next(tier for tier in tiers if tier["up_to"] == "inf" or unit <= tier["up_to"])


@pytest.fixture
def clock(account: Account) -> stripe.test_helpers.TestClock:
    return account.clock()


@pytest.fixture
def customer(account: Account, clock: stripe.test_helpers.TestClock) -> str:
    return account.customer(test_clock=clock.id).id


@pytest.mark.parametrize(("terms", "quantity", "amount"), EXAMPLES)
def test_stripes_own_examples(account: Account, terms: dict[str, Any], quantity: int, amount: int) -> None:
    price = account.price(**{"unit_amount": None, **terms})
    assert amount == reckoned(terms, quantity)
    assert first_invoice(account, price, quantity).total == amount


@pytest.mark.parametrize(("terms", "quantity"), OTHERS)
def test_prices_with_fractions_and_flat_amounts(account: Account, terms: dict[str, Any], quantity: int) -> None:
    price = account.price(**{"unit_amount": None, **terms})
    assert first_invoice(account, price, quantity).total == reckoned(terms, quantity)


def first_invoice(account: Account, price: stripe.Price, quantity: int) -> stripe.Invoice:
    items: Any = [{"price": price.id, "quantity": quantity}]
    asked: Any = {"customer": account.customer(card=None).id, "subscription_details": {"items": items}}
    return account.v1.invoices.create_preview(asked)


@pytest.mark.parametrize("terms", [tiered("graduated", FONTS), package(5, "up"), DECIMAL], ids=["tiers", "5", "0.0001"])
def test_usage_is_billed_when_its_period_is_over(account: Account, terms: dict[str, Any]) -> None:
    # A clock that stands at about the real time: an event without a moment is then of both times.
    now = int(time.time()) // 60 * 60
    clock = account.clock(now)
    customer, meter = account.customer(test_clock=clock.id).id, account.meter()
    made = account.subscribe(customer, account.metered(meter, **terms).id)
    assert account.v1.invoices.retrieve(made.latest_invoice).total == 0
    for value in (5, 8):
        account.report(meter, customer, value)
    account.usage_becomes(meter, customer, 13, start=now, end=now + DAY)
    preview = account.v1.invoices.create_preview({"subscription": made.id})
    assert (preview.total, preview.status) == (reckoned(terms, 13), "draft")
    account.advance(clock, now + WEEK + 2 * HOUR)
    renewed = account.invoices(made.id)[0]
    assert (renewed.total, renewed.billing_reason) == (reckoned(terms, 13), "subscription_cycle")
    periods = {(line.period.start, line.period.end) for line in renewed.lines.data if line.amount}
    assert periods <= {(now, now + WEEK)}
    assert account.v1.invoices.create_preview({"subscription": made.id}).total == reckoned(terms, 0)


def test_a_preview_changes_nothing(account: Account, customer: str) -> None:
    made = account.subscribe(customer, account.price().id)
    double = account.price(unit_amount=2000)
    details: Any = {"items": [{"id": item_of(made).id, "price": double.id}]}
    account.v1.invoices.create_preview({"subscription": made.id, "subscription_details": details})
    assert item_of(account.v1.subscriptions.retrieve(made.id)).price.id == item_of(made).price.id
    assert len(account.invoices(made.id)) == 1
    assert account.v1.invoice_items.list({"customer": customer}).data == []


def test_a_preview_of_a_change_has_its_prorations(
    account: Account, clock: stripe.test_helpers.TestClock, customer: str
) -> None:
    made = account.subscribe(customer, account.price().id)
    account.advance(clock, NOW + WEEK // 2)
    double = account.price(unit_amount=2000)
    details: Any = {"items": [{"id": item_of(made).id, "price": double.id}], "proration_date": NOW + WEEK // 2}
    preview = account.v1.invoices.create_preview({"subscription": made.id, "subscription_details": details})
    assert sorted(line.amount for line in preview.lines.data) == [-500, 1000, 2000]
    at_once: Any = {**details, "proration_behavior": "always_invoice"}
    preview = account.v1.invoices.create_preview({"subscription": made.id, "subscription_details": at_once})
    assert sorted(line.amount for line in preview.lines.data) == [-500, 1000]
    none: Any = {"items": details["items"], "proration_behavior": "none"}
    preview = account.v1.invoices.create_preview({"subscription": made.id, "subscription_details": none})
    assert [line.amount for line in preview.lines.data] == [2000]


def test_a_preview_of_a_beginning_with_a_trial_costs_nothing(account: Account, customer: str) -> None:
    details: Any = {"items": [{"price": account.price().id}], "trial_end": NOW + 5 * DAY}
    asked: Any = {"customer": customer, "subscription_details": details}
    assert account.v1.invoices.create_preview(asked).total == 0


def test_the_end_of_a_subscription_can_be_previewed(
    account: Account, clock: stripe.test_helpers.TestClock, customer: str
) -> None:
    made = account.subscribe(customer, account.price().id)
    account.advance(clock, NOW + WEEK // 2)
    details: Any = {"cancel_now": True, "proration_date": NOW + WEEK // 2}
    preview = account.v1.invoices.create_preview({"subscription": made.id, "subscription_details": details})
    assert [line.amount for line in preview.lines.data] == [-500]


def test_nothing_comes_after_the_end(account: Account, customer: str) -> None:
    made = account.subscribe(customer, account.price().id)
    account.v1.subscriptions.cancel(made.id)
    with pytest.raises(stripe.InvalidRequestError) as caught:
        account.v1.invoices.create_preview({"subscription": made.id})
    assert caught.value.code == "invoice_upcoming_none"
