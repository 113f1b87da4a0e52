"""Metered usage over the life of a subscription, and the price arithmetic against an independent reckoning."""

from decimal import Decimal
from typing import Any

import pytest
import stripe
from hypothesis import given, settings
from hypothesis import strategies as st

from apps.sandbox.amounts import cost
from apps.sandbox.catalogue import price_of
from tests.sandbox.conftest import Control, event_types
from tests.sandbox.contract.test_usage_billing import reckoned

NOW = 1_767_225_600  # 2026-01-01T00:00:00Z
DAY = 86_400
FEBRUARY = NOW + 31 * DAY
MARCH = FEBRUARY + 28 * DAY

AMOUNTS = st.one_of(
    st.builds(lambda amount: {"unit_amount": amount}, st.integers(0, 10**6)),
    st.builds(lambda amount: {"unit_amount_decimal": f"{amount:f}"}, st.decimals(0, 1000, places=12, allow_nan=False)),
)
FLATS = st.one_of(st.just({}), st.builds(lambda amount: {"flat_amount": amount}, st.integers(0, 10**6)))


@st.composite
def tiered(draw: st.DrawFn) -> dict[str, Any]:
    bounds = sorted(draw(st.sets(st.integers(1, 60), max_size=4)))
    tiers = [{"up_to": bound, **draw(AMOUNTS), **draw(FLATS)} for bound in [*bounds, "inf"]]
    return {"billing_scheme": "tiered", "tiers_mode": draw(st.sampled_from(["graduated", "volume"])), "tiers": tiers}


PACKAGES = st.builds(
    lambda amount, size, rounding: {**amount, "transform_quantity": {"divide_by": size, "round": rounding}},
    AMOUNTS,
    st.integers(1, 30),
    st.sampled_from(["up", "down"]),
)


@settings(max_examples=150)
@given(terms=st.one_of(AMOUNTS, tiered(), PACKAGES), quantity=st.integers(0, 80))
def test_every_kind_of_price_costs_what_an_independent_reckoning_says(terms: dict[str, Any], quantity: int) -> None:
    sent = {**terms, "currency": "usd", "product": "prod_x", "recurring": {"interval": "month"}}
    assert cost(price_of(sent, now=0), quantity=quantity, currency="usd") == reckoned(terms, quantity)


@pytest.fixture(autouse=True)
def clock(control: Control) -> None:
    control("POST", "clock", {"now": NOW})


@pytest.fixture
def meter(client: stripe.StripeClient) -> stripe.billing.Meter:
    return client.v1.billing.meters.create(
        {"display_name": "Calls", "event_name": "calls", "default_aggregation": {"formula": "sum"}}
    )


@pytest.fixture
def metered(client: stripe.StripeClient, meter: stripe.billing.Meter) -> stripe.Price:
    return make_metered(client, meter)


def make_metered(client: stripe.StripeClient, meter: stripe.billing.Meter, **terms: Any) -> stripe.Price:
    recurring = {"interval": "month", "usage_type": "metered", "meter": meter.id}
    asked: Any = {"currency": "usd", "unit_amount": 10, "recurring": recurring, "product_data": {"name": "Calls"}}
    return client.v1.prices.create(asked | terms)


def report(client: stripe.StripeClient, customer: str, value: str) -> None:
    client.v1.billing.meter_events.create(
        {"event_name": "calls", "payload": {"stripe_customer_id": customer, "value": value}}
    )


def subscribe(client: stripe.StripeClient, customer: str, *prices: str, **more: Any) -> stripe.Subscription:
    asked: Any = {"customer": customer, "items": [{"price": price} for price in prices], **more}
    return client.v1.subscriptions.create(asked)


def go(control: Control, to: int) -> None:
    control("POST", "clock", {"now": to, "renew": True})


def bills(client: stripe.StripeClient, subscription: str) -> list[list[tuple[int, str | None]]]:
    """The lines of all invoices, oldest first: amount and quantity."""
    invoices = client.v1.invoices.list({"subscription": subscription}).data
    return [[(line.amount, str(line.quantity_decimal)) for line in each.lines.data] for each in reversed(invoices)]


def test_each_period_bills_its_own_usage(
    client: stripe.StripeClient, control: Control, customer: stripe.Customer, price: stripe.Price, metered: stripe.Price
) -> None:
    made = subscribe(client, customer.id, price.id, metered.id)
    report(client, customer.id, "7")
    go(control, FEBRUARY)
    report(client, customer.id, "2.5")
    go(control, MARCH)
    assert bills(client, made.id) == [[(1000, "1")], [(1000, "1"), (70, "7")], [(1000, "1"), (25, "2.5")]]


def test_a_line_of_usage_names_its_period_and_its_item(
    client: stripe.StripeClient, control: Control, customer: stripe.Customer, metered: stripe.Price
) -> None:
    made = subscribe(client, customer.id, metered.id)
    report(client, customer.id, "7")
    go(control, FEBRUARY)
    invoice = client.v1.invoices.list({"subscription": made.id}).data[0]
    (line,) = invoice.lines.data
    assert (line.period.start, line.period.end) == (NOW, FEBRUARY)
    assert line.pricing.price_details.price == metered.id
    assert line.parent.subscription_item_details.subscription_item == made["items"].data[0].id
    assert line.description == "7 × Calls"


def test_usage_below_zero_costs_nothing(
    client: stripe.StripeClient, control: Control, customer: stripe.Customer, metered: stripe.Price
) -> None:
    made = subscribe(client, customer.id, metered.id)
    report(client, customer.id, "-3")
    go(control, FEBRUARY)
    assert bills(client, made.id)[-1] == [(0, "0")]


def test_usage_of_a_trial_is_free(
    client: stripe.StripeClient, control: Control, customer: stripe.Customer, metered: stripe.Price
) -> None:
    made = subscribe(client, customer.id, metered.id, trial_end=NOW + 10 * DAY)
    report(client, customer.id, "100")
    go(control, NOW + 10 * DAY)
    report(client, customer.id, "5")
    go(control, NOW + 41 * DAY)
    assert bills(client, made.id)[-1] == [(50, "5")]


def test_what_was_used_until_a_metered_item_goes_is_billed(
    client: stripe.StripeClient, control: Control, customer: stripe.Customer, price: stripe.Price, metered: stripe.Price
) -> None:
    made = subscribe(client, customer.id, price.id, metered.id)
    report(client, customer.id, "7")
    control("POST", "clock", {"now": NOW + 5 * DAY})
    client.v1.subscription_items.delete(made["items"].data[1].id)
    report(client, customer.id, "9")
    go(control, FEBRUARY)
    assert bills(client, made.id)[-1] == [(70, "7"), (1000, "1")]


def test_another_price_bills_what_is_used_from_then_on(
    client: stripe.StripeClient,
    control: Control,
    meter: stripe.billing.Meter,
    customer: stripe.Customer,
    metered: stripe.Price,
) -> None:
    made = subscribe(client, customer.id, metered.id)
    dear = make_metered(client, meter, unit_amount=100)
    report(client, customer.id, "7")
    control("POST", "clock", {"now": NOW + 5 * DAY})
    client.v1.subscription_items.update(made["items"].data[0].id, {"price": dear.id})
    report(client, customer.id, "2")
    go(control, FEBRUARY)
    assert bills(client, made.id)[-1] == [(70, "7"), (200, "2")]


def test_the_last_period_is_billed_when_it_ends(
    client: stripe.StripeClient, control: Control, customer: stripe.Customer, metered: stripe.Price
) -> None:
    made = subscribe(client, customer.id, metered.id, cancel_at_period_end=True)
    report(client, customer.id, "7")
    go(control, FEBRUARY)
    assert client.v1.subscriptions.retrieve(made.id).status == "canceled"
    assert bills(client, made.id)[-1] == [(70, "7")]


@pytest.mark.parametrize(("now", "billed"), [(True, [[], [(70, "7")]]), (False, [[]])])
def test_a_cancellation_bills_the_usage_if_it_is_to(
    client: stripe.StripeClient, control: Control, metered: stripe.Price, now: bool, billed: Any
) -> None:
    customer = client.v1.customers.create({"name": "Ada"}).id
    made = subscribe(client, customer, metered.id)
    report(client, customer, "7")
    control("POST", "clock", {"now": NOW + DAY})
    client.v1.subscriptions.cancel(made.id, {"invoice_now": now})
    assert bills(client, made.id) == billed


def test_a_currency_of_the_price_bills_usage_too(
    client: stripe.StripeClient, control: Control, meter: stripe.billing.Meter, customer: stripe.Customer
) -> None:
    price = make_metered(client, meter, currency_options={"eur": {"unit_amount_decimal": "2.5"}})
    made = subscribe(client, customer.id, price.id, currency="eur")
    report(client, customer.id, "7")
    go(control, FEBRUARY)
    assert bills(client, made.id)[-1] == [(18, "7")]


def test_the_announced_and_the_previewed_invoice_are_the_one_that_comes(
    client: stripe.StripeClient, control: Control, customer: stripe.Customer, price: stripe.Price, metered: stripe.Price
) -> None:
    made = subscribe(client, customer.id, price.id, metered.id)
    report(client, customer.id, "7")
    go(control, FEBRUARY - DAY)
    (announced,) = client.v1.events.list({"type": "invoice.upcoming"}).data
    preview = client.v1.invoices.create_preview({"customer": customer.id})
    known = event_types(client)
    go(control, FEBRUARY)
    (renewed, _first) = client.v1.invoices.list({"subscription": made.id}).data
    assert announced.data.object["total"] == preview.total == renewed.total == 1070
    assert (preview.created, preview.id[:12]) == (renewed.created, "upcoming_in_")
    assert known == event_types(client)[: len(known)]


def test_a_metered_price_is_never_used_without_its_meter(
    client: stripe.StripeClient, meter: stripe.billing.Meter
) -> None:
    client.v1.billing.meters.deactivate(meter.id)
    with pytest.raises(stripe.InvalidRequestError, match="inactive meter"):
        make_metered(client, meter)


def test_a_preview_without_a_subject_says_what_it_needs(client: stripe.StripeClient) -> None:
    with pytest.raises(stripe.InvalidRequestError, match="customer"):
        client.v1.invoices.create_preview({})


def test_a_preview_needs_no_customer(client: stripe.StripeClient, price: stripe.Price) -> None:
    items: Any = [{"price": price.id, "quantity": 3}]
    preview = client.v1.invoices.create_preview({"subscription_details": {"items": items}})
    assert preview.total == 3000
    assert client.v1.customers.list().data == []


def test_a_recurring_preview_leaves_prorations_out(
    client: stripe.StripeClient, control: Control, customer: stripe.Customer, price: stripe.Price
) -> None:
    made = subscribe(client, customer.id, price.id)
    control("POST", "clock", {"now": NOW + 10 * DAY})
    details: Any = {"items": [{"id": made["items"].data[0].id, "quantity": 5}]}
    asked: Any = {"subscription": made.id, "subscription_details": details, "preview_mode": "recurring"}
    assert [line.amount for line in client.v1.invoices.create_preview(asked).lines.data] == [5000]


def test_exact_numbers_are_kept() -> None:
    terms = {"unit_amount_decimal": Decimal("0.000000000001"), "currency": "usd", "product": "p"}
    made = price_of({**terms, "recurring": {"interval": "month"}}, now=0)
    assert cost(made, quantity=10**15, currency="usd") == 1000
