"""Coupons, promotion codes, and what they take off the invoices of a subscription."""

from typing import Any

import pytest
import stripe

from tests.sandbox.contract.account import DAY, HOUR, NOW, WEEK, Account, item_of


@pytest.fixture
def clock(account: Account) -> stripe.test_helpers.TestClock:
    return account.clock()


@pytest.fixture
def customer(account: Account, clock: stripe.test_helpers.TestClock) -> str:
    return account.customer(test_clock=clock.id).id


def subscribe(account: Account, customer: str, coupon: str, **given: Any) -> stripe.Subscription:
    return account.subscribe(customer, account.price(**given).id, discounts=[{"coupon": coupon}])


def total_of(account: Account, subscription: stripe.Subscription) -> int:
    return account.v1.invoices.retrieve(str(subscription.latest_invoice)).total


@pytest.mark.parametrize(
    "wrong",
    [
        {"duration": "forever"},
        {"duration": "forever", "percent_off": 101},
        {"duration": "forever", "percent_off": 5, "amount_off": 5, "currency": "usd"},
        {"duration": "forever", "amount_off": 5},
        {"duration": "repeating", "percent_off": 5},
        {"duration": "forever", "percent_off": 5, "duration_in_months": 2},
    ],
    ids=" ".join,
)
def test_coupons_that_cannot_be(account: Account, wrong: Any) -> None:
    with pytest.raises(stripe.InvalidRequestError):
        account.coupon(**wrong)


def test_a_coupon_lives_and_dies(account: Account) -> None:
    id = account.unique("C")
    made = account.coupon(id=id, metadata={"a": "1"})
    assert (made.id, made.percent_off, made.duration, made.valid, made.times_redeemed) == (id, 25, "forever", True, 0)
    changed = account.v1.coupons.update(id, {"name": "Better"})
    assert changed.name == "Better"
    wrong: Any = {"percent_off": 50}
    with pytest.raises(stripe.InvalidRequestError):
        account.v1.coupons.update(id, wrong)
    assert account.v1.coupons.delete(id).deleted
    with pytest.raises(stripe.InvalidRequestError) as caught:
        account.v1.coupons.retrieve(id)
    assert caught.value.code == "resource_missing"


def test_a_percentage_is_taken_off(account: Account, customer: str) -> None:
    coupon = account.coupon(percent_off=12.5, duration="forever")
    made = subscribe(account, customer, coupon.id)
    invoice = account.v1.invoices.retrieve(str(made.latest_invoice))
    assert (invoice.subtotal, invoice.total, invoice.amount_paid) == (1000, 875, 875)
    (off,) = invoice.total_discount_amounts
    assert (off.amount, off.discount, made.discounts) == (125, made.discounts[0], [off.discount])
    (line,) = invoice.lines.data
    assert (line.amount, line.discount_amounts[0].amount) == (1000, 125)
    assert account.v1.coupons.retrieve(coupon.id).times_redeemed == 1


def test_a_discount_names_its_coupon_and_its_time(account: Account, customer: str) -> None:
    coupon = account.coupon(percent_off=50, duration="repeating", duration_in_months=3)
    made = subscribe(account, customer, coupon.id)
    shown = account.v1.subscriptions.retrieve(made.id, {"expand": ["discounts"]})
    (discount,) = shown.discounts
    assert (discount.source.coupon, discount.start, discount.customer) == (coupon.id, NOW, customer)
    assert discount.end == NOW + 89 * DAY  # from the 31st of January to the 30th of April
    assert discount.subscription == made.id


@pytest.mark.parametrize(("off", "total"), [(300, 700), (1500, 0)])
def test_an_amount_is_taken_off(account: Account, customer: str, off: int, total: int) -> None:
    coupon = account.coupon(amount_off=off, currency="usd", duration="forever")
    assert total_of(account, subscribe(account, customer, coupon.id)) == total


def test_an_amount_can_be_in_several_currencies(account: Account, customer: str) -> None:
    options: Any = {"eur": {"amount_off": 200}}
    coupon = account.coupon(amount_off=300, currency="usd", duration="forever", currency_options=options)
    shown = account.v1.coupons.retrieve(coupon.id, {"expand": ["currency_options"]})
    assert shown.currency_options["eur"].amount_off == 200
    assert total_of(account, subscribe(account, customer, coupon.id, currency="eur")) == 800


def test_an_amount_in_another_currency_is_refused(account: Account, customer: str) -> None:
    coupon = account.coupon(amount_off=300, currency="usd", duration="forever")
    with pytest.raises(stripe.InvalidRequestError):
        subscribe(account, customer, coupon.id, currency="eur")


@pytest.mark.parametrize(
    ("terms", "totals"),
    [
        ({"duration": "once"}, [500, 1000, 1000]),
        ({"duration": "repeating", "duration_in_months": 1}, [500, 500, 500]),
        ({"duration": "forever"}, [500, 500, 500]),
    ],
    ids=["once", "repeating", "forever"],
)
def test_a_coupon_holds_as_long_as_it_says(
    account: Account, clock: stripe.test_helpers.TestClock, customer: str, terms: Any, totals: list[int]
) -> None:
    made = subscribe(account, customer, account.coupon(percent_off=50, **terms).id)
    for week in (1, 2):
        account.advance(clock, NOW + week * WEEK + 2 * HOUR)
    account.status_becomes(made.id, "active")
    assert [each.total for each in reversed(account.invoices(made.id))] == totals


def test_a_repeating_coupon_ends(account: Account, clock: stripe.test_helpers.TestClock, customer: str) -> None:
    coupon = account.coupon(percent_off=50, duration="repeating", duration_in_months=2)
    made = subscribe(account, customer, coupon.id, recurring={"interval": "month"})
    for days in (28, 59, 89):
        account.advance(clock, NOW + days * DAY + 2 * HOUR)
    assert [each.total for each in reversed(account.invoices(made.id))] == [500, 500, 1000, 1000]


def test_several_discounts_follow_each_other(account: Account, customer: str) -> None:
    half, less = account.coupon(percent_off=50, duration="forever"), account.coupon(percent_off=10, duration="forever")
    discounts: Any = [{"coupon": half.id}, {"coupon": less.id}]
    made = account.subscribe(customer, account.price().id, discounts=discounts)
    assert total_of(account, made) == 450


def test_a_coupon_can_be_for_one_product(account: Account, customer: str) -> None:
    price, other = account.price(), account.price()
    coupon = account.coupon(percent_off=50, duration="forever", applies_to={"products": [str(price.product)]})
    items: Any = [{"price": price.id}, {"price": other.id}]
    asked: Any = {"customer": customer, "items": items, "discounts": [{"coupon": coupon.id}]}
    assert total_of(account, account.v1.subscriptions.create(asked)) == 1500


def test_an_item_can_have_a_discount(account: Account, customer: str) -> None:
    coupon = account.coupon(percent_off=50, duration="forever")
    items: Any = [{"price": account.price().id, "discounts": [{"coupon": coupon.id}]}, {"price": account.price().id}]
    made = account.v1.subscriptions.create({"customer": customer, "items": items})
    assert total_of(account, made) == 1500
    assert [len(item.discounts) for item in made["items"].data] == [1, 0]


def test_discounts_can_be_changed(account: Account, customer: str) -> None:
    made = subscribe(account, customer, account.coupon(percent_off=50, duration="forever").id)
    kept = account.v1.subscriptions.update(made.id, {"description": "same"})
    assert kept.discounts == made.discounts
    other: Any = {"discounts": [{"coupon": account.coupon(percent_off=20, duration="forever").id}]}
    changed = account.v1.subscriptions.update(made.id, other)
    assert len(changed.discounts) == 1 and changed.discounts != made.discounts
    assert account.v1.invoices.create_preview({"subscription": made.id}).total == 800
    assert account.v1.subscriptions.update(made.id, {"discounts": ""}).discounts == []
    assert account.v1.invoices.create_preview({"subscription": made.id}).total == 1000


def test_a_preview_can_have_a_coupon(account: Account, customer: str) -> None:
    made = account.subscribe(customer, account.price().id)
    coupon = account.coupon(percent_off=50, duration="once")
    asked: Any = {"subscription": made.id, "discounts": [{"coupon": coupon.id}]}
    assert account.v1.invoices.create_preview(asked).total == 500
    assert account.v1.coupons.retrieve(coupon.id).times_redeemed == 0


def test_a_promotion_code_stands_for_its_coupon(account: Account, customer: str) -> None:
    coupon, text = account.coupon(percent_off=50, duration="forever"), account.unique("CODE")
    code = account.v1.promotion_codes.create({"promotion": {"type": "coupon", "coupon": coupon.id}, "code": text})
    assert (code.code, code.active, code.promotion.coupon, code.times_redeemed) == (text, True, coupon.id, 0)
    assert [each.id for each in account.v1.promotion_codes.list({"code": text}).data] == [code.id]
    made = account.subscribe(customer, account.price().id, discounts=[{"promotion_code": code.id}])
    assert total_of(account, made) == 500
    assert account.v1.promotion_codes.retrieve(code.id).times_redeemed == 1
    account.v1.promotion_codes.update(code.id, {"active": False})
    with pytest.raises(stripe.InvalidRequestError):
        account.subscribe(customer, account.price().id, discounts=[{"promotion_code": code.id}])


def test_a_coupon_is_used_up(account: Account, customer: str) -> None:
    coupon = account.coupon(percent_off=50, duration="once", max_redemptions=1)
    subscribe(account, customer, coupon.id)
    assert not account.v1.coupons.retrieve(coupon.id).valid
    with pytest.raises(stripe.InvalidRequestError):
        subscribe(account, customer, coupon.id)


def test_a_coupon_that_is_not_there(account: Account, customer: str) -> None:
    with pytest.raises(stripe.InvalidRequestError, match="No such coupon"):
        subscribe(account, customer, "none")


def test_the_end_of_a_discount_is_not_the_end_of_its_subscription(account: Account, customer: str) -> None:
    coupon = account.coupon(percent_off=50, duration="forever")
    made = subscribe(account, customer, coupon.id)
    account.v1.coupons.delete(coupon.id)
    assert account.v1.invoices.create_preview({"subscription": made.id}).total == 500
    assert item_of(made).price.unit_amount == 1000
