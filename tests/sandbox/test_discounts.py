"""How discounts are spread, and what is told of them."""

from typing import Any

import stripe
from hypothesis import given
from hypothesis import strategies as st

from apps.sandbox.discounts import spread
from tests.sandbox.conftest import Control, Subscribe, event_types

NOW = 1_767_225_600  # 2026-01-01T00:00:00Z
DAY = 86_400


@given(weights=st.lists(st.integers(0, 10**6), min_size=1, max_size=8), part=st.floats(0, 1))
def test_what_is_spread_adds_up_and_no_line_gives_more_than_it_has(weights: list[int], part: float) -> None:
    amount = int(sum(weights) * part)
    parts = spread(amount, weights)
    assert sum(parts) == amount
    assert all(0 <= each <= weight for each, weight in zip(parts, weights, strict=True))


def test_discounts_are_told(client: stripe.StripeClient, subscribe: Subscribe) -> None:
    client.v1.coupons.create({"id": "HALF", "percent_off": 50, "duration": "once"})
    known = len(event_types(client))
    subscribe(discounts=[{"coupon": "HALF"}])
    told = event_types(client, after=known)
    assert told[:3] == ["customer.discount.created", "customer.subscription.created", "invoice.created"]
    assert "customer.discount.deleted" in told


def test_a_trial_does_not_use_a_coupon_up(client: stripe.StripeClient, control: Control, subscribe: Subscribe) -> None:
    control("POST", "clock", {"now": NOW})
    client.v1.coupons.create({"id": "HALF", "percent_off": 50, "duration": "once"})
    made = subscribe(discounts=[{"coupon": "HALF"}], trial_end=NOW + 5 * DAY)
    control("POST", "clock", {"now": NOW + 5 * DAY, "renew": True})
    assert [each.total for each in client.v1.invoices.list({"subscription": made.id}).data] == [500, 0]


def test_prorations_contain_lasting_percentages(
    client: stripe.StripeClient, control: Control, subscribe: Subscribe
) -> None:
    control("POST", "clock", {"now": NOW})
    client.v1.coupons.create({"id": "HALF", "percent_off": 50, "duration": "forever"})
    made = subscribe(discounts=[{"coupon": "HALF"}])
    control("POST", "clock", {"now": NOW + 31 * DAY // 2})
    items: Any = [{"id": made["items"].data[0].id, "quantity": 3}]
    client.v1.subscriptions.update(made.id, {"items": items})
    pending = client.v1.invoice_items.list({"pending": True}).data
    assert sorted(each.amount for each in pending) == [-250, 750]


def test_a_coupon_expires(client: stripe.StripeClient, control: Control) -> None:
    control("POST", "clock", {"now": NOW})
    client.v1.coupons.create({"id": "HALF", "percent_off": 50, "duration": "once", "redeem_by": NOW + DAY})
    assert client.v1.coupons.retrieve("HALF").valid
    control("POST", "clock", {"now": NOW + DAY})
    assert not client.v1.coupons.retrieve("HALF").valid


def test_an_invoice_still_names_a_discount_that_was_used_up(client: stripe.StripeClient, subscribe: Subscribe) -> None:
    client.v1.coupons.create({"id": "HALF", "percent_off": 50, "duration": "once"})
    made = subscribe(discounts=[{"coupon": "HALF"}])
    assert made.discounts == []
    expanded: Any = {"expand": ["discounts", "total_discount_amounts.discount"]}
    invoice = client.v1.invoices.retrieve(str(made.latest_invoice), expanded)
    (off,) = invoice.total_discount_amounts
    assert off.discount.source.coupon == invoice.discounts[0].source.coupon == "HALF"


def test_a_subscription_that_is_moved_about_uses_a_coupon_once(
    client: stripe.StripeClient, control: Control, subscribe: Subscribe
) -> None:
    client.v1.coupons.create({"id": "HALF", "percent_off": 50, "duration": "once"})
    made = subscribe(discounts=[{"coupon": "HALF"}], trial_period_days=5)
    control.set_status(made.id, "active")
    control.set_status(made.id, "past_due")
    assert client.v1.subscriptions.retrieve(made.id).discounts == []
    assert [each.total for each in client.v1.invoices.list({"subscription": made.id}).data] == [1000, 500, 0]
