"""Schedules together with what only the stand-in can be asked about: metered prices, odd phases, what is told."""

from typing import Any

import pytest
import stripe

from tests.sandbox.conftest import Control, event_types

NOW = 1_767_225_600  # 2026-01-01T00:00:00Z
DAY = 86_400
HALF = NOW + 31 * DAY // 2
FEBRUARY = NOW + 31 * DAY
MARCH = FEBRUARY + 28 * DAY


@pytest.fixture(autouse=True)
def clock(control: Control) -> None:
    control("POST", "clock", {"now": NOW})


@pytest.fixture
def yearly(client: stripe.StripeClient) -> stripe.Price:
    return client.v1.prices.create(
        {"currency": "usd", "unit_amount": 9000, "recurring": {"interval": "year"}, "product_data": {"name": "Year"}}
    )


@pytest.fixture
def metered(client: stripe.StripeClient) -> stripe.Price:
    meter = client.v1.billing.meters.create(
        {"display_name": "Calls", "event_name": "calls", "default_aggregation": {"formula": "sum"}}
    )
    recurring: Any = {"interval": "month", "usage_type": "metered", "meter": meter.id}
    return client.v1.prices.create(
        {"currency": "usd", "unit_amount": 10, "recurring": recurring, "product_data": {"name": "Calls"}}
    )


def items(*prices: stripe.Price) -> list[dict[str, str]]:
    return [{"price": price.id} for price in prices]


def schedule(client: stripe.StripeClient, customer: str, *phases: Any, **given: Any) -> stripe.SubscriptionSchedule:
    asked: Any = {"customer": customer, "start_date": "now", "phases": list(phases), **given}
    return client.v1.subscription_schedules.create(asked)


def go(control: Control, to: int) -> None:
    control("POST", "clock", {"now": to, "renew": True})


def bills(client: stripe.StripeClient, subscription: Any) -> list[list[int]]:
    invoices = client.v1.invoices.list({"subscription": str(subscription)}).data
    return [sorted(line.amount for line in each.lines.data) for each in reversed(invoices)]


def test_the_usage_of_a_phase_is_billed_when_it_ends(
    client: stripe.StripeClient, control: Control, customer: stripe.Customer, price: stripe.Price, metered: stripe.Price
) -> None:
    first, second = {"items": items(price, metered), "end_date": FEBRUARY}, {"items": items(price), "end_date": MARCH}
    made = schedule(client, customer.id, first, second)
    client.v1.billing.meter_events.create(
        {"event_name": "calls", "payload": {"stripe_customer_id": customer.id, "value": "7"}}
    )
    assert client.v1.invoices.create_preview({"schedule": made.id}).total == 1070
    go(control, FEBRUARY)
    assert bills(client, made.subscription) == [[1000], [70, 1000]]


def test_another_interval_begins_with_its_phase(
    client: stripe.StripeClient, control: Control, customer: stripe.Customer, price: stripe.Price, yearly: stripe.Price
) -> None:
    later = {"items": items(yearly), "duration": {"interval": "year"}}
    made = schedule(client, customer.id, {"items": items(price), "end_date": HALF}, later)
    go(control, HALF)
    assert bills(client, made.subscription) == [[1000], [-500, 9000]]
    subscription = client.v1.subscriptions.retrieve(str(made.subscription))
    assert (subscription.billing_cycle_anchor, subscription["items"].data[0].current_period_start) == (HALF, HALF)


def test_a_phase_can_move_the_cycle(
    client: stripe.StripeClient, control: Control, customer: stripe.Customer, price: stripe.Price
) -> None:
    moved: Any = {"items": items(price), "billing_cycle_anchor": "phase_start", "end_date": MARCH}
    made = schedule(client, customer.id, {"items": items(price), "end_date": HALF}, moved)
    go(control, HALF)
    assert bills(client, made.subscription) == [[1000], [-500, 1000]]


def test_a_trial_can_follow_what_was_paid(
    client: stripe.StripeClient, control: Control, customer: stripe.Customer, price: stripe.Price
) -> None:
    trial: Any = {"items": items(price), "trial": True, "end_date": HALF + 10 * DAY}
    made = schedule(client, customer.id, {"items": items(price), "end_date": HALF}, trial)
    go(control, HALF)
    assert client.v1.subscriptions.retrieve(str(made.subscription)).status == "trialing"
    go(control, HALF + 10 * DAY)
    assert bills(client, made.subscription)[-1] == [-500, 1000]


def test_what_happens_is_told(
    client: stripe.StripeClient, control: Control, customer: stripe.Customer, price: stripe.Price, metered: stripe.Price
) -> None:
    known = len(event_types(client))
    later: Any = {"items": items(metered), "end_date": MARCH + 60}
    schedule(client, customer.id, {"items": items(price), "end_date": FEBRUARY + 60}, later, start_date=NOW + 60)
    assert event_types(client, after=known) == ["subscription_schedule.created"]
    go(control, MARCH + 60)
    told = [each for each in event_types(client, after=known) if not each.startswith("invoice")]
    assert told == [
        "subscription_schedule.created",
        "customer.subscription.created",
        "subscription_schedule.updated",
        "customer.subscription.updated",
        "subscription_schedule.updated",
        "customer.subscription.updated",
        "subscription_schedule.released",
        "customer.subscription.updated",
        "customer.subscription.updated",
    ]


def test_a_schedule_that_is_not_made_can_be_previewed(
    client: stripe.StripeClient, customer: stripe.Customer, price: stripe.Price
) -> None:
    details: Any = {"phases": [{"items": [{"price": price.id, "quantity": 3}]}]}
    preview = client.v1.invoices.create_preview({"customer": customer.id, "schedule_details": details})
    assert preview.total == 3000
    assert client.v1.subscription_schedules.list().data == []


def test_a_change_of_a_schedule_can_be_previewed(
    client: stripe.StripeClient, customer: stripe.Customer, price: stripe.Price
) -> None:
    made = schedule(client, customer.id, {"items": items(price), "end_date": FEBRUARY})
    now = {"items": items(price), "start_date": NOW, "end_date": FEBRUARY}
    details: Any = {"phases": [now, {"items": [{"price": price.id, "quantity": 4}], "end_date": MARCH}]}
    preview = client.v1.invoices.create_preview({"schedule": made.id, "schedule_details": details})
    assert preview.total == 4000
    assert len(client.v1.subscription_schedules.retrieve(made.id).phases) == 1


def test_a_waiting_schedule_can_be_changed(
    client: stripe.StripeClient, control: Control, customer: stripe.Customer, price: stripe.Price
) -> None:
    made = schedule(client, customer.id, {"items": items(price)}, start_date=NOW + DAY)
    sooner: Any = {"phases": [{"items": items(price), "start_date": NOW + 60, "end_date": FEBRUARY}]}
    client.v1.subscription_schedules.update(made.id, {**sooner, "end_behavior": "cancel"})
    go(control, NOW + 60)
    running = client.v1.subscription_schedules.retrieve(made.id)
    assert (running.status, running.current_phase.start_date) == ("active", NOW + 60)
    assert client.v1.subscriptions.retrieve(str(running.subscription)).cancel_at == FEBRUARY


@pytest.mark.parametrize(
    "phase",
    [{"items": []}, {"end_date": FEBRUARY, "duration": {"interval": "month"}}, {"trial": True, "trial_end": FEBRUARY}],
    ids=" ".join,
)
def test_phases_that_cannot_be(
    client: stripe.StripeClient, customer: stripe.Customer, price: stripe.Price, phase: Any
) -> None:
    with pytest.raises(stripe.InvalidRequestError):
        schedule(client, customer.id, {"items": items(price), **phase})


def test_a_gap_between_phases_is_refused(
    client: stripe.StripeClient, customer: stripe.Customer, price: stripe.Price
) -> None:
    made = schedule(client, customer.id, {"items": items(price), "end_date": FEBRUARY})
    first = {"items": items(price), "start_date": NOW, "end_date": FEBRUARY}
    gap: Any = {"phases": [first, {"items": items(price), "start_date": FEBRUARY + 1, "end_date": MARCH}]}
    with pytest.raises(stripe.InvalidRequestError, match="where the one before it ends"):
        client.v1.subscription_schedules.update(made.id, gap)


def test_a_price_from_before_meters_is_still_there(
    client: stripe.StripeClient, control: Control, customer: stripe.Customer, metered: stripe.Price, price: stripe.Price
) -> None:
    for each in (metered, price):
        client.v1.subscriptions.create({"customer": customer.id, "items": [{"price": each.id}]})
    control("POST", f"prices/{metered.id}/legacy", {})
    recurring = client.v1.prices.retrieve(metered.id).recurring
    assert (recurring.usage_type, recurring.meter) == ("metered", None)
    go(control, FEBRUARY)
    assert {each.total for each in client.v1.invoices.list({"customer": customer.id}).data} == {0, 1000}
    assert control.status_of("POST", f"prices/{price.id}/legacy", {}) == 400


def test_the_next_phase_is_announced(
    client: stripe.StripeClient, control: Control, customer: stripe.Customer, price: stripe.Price
) -> None:
    twice = {"items": [{"price": price.id, "quantity": 2}], "end_date": MARCH}
    schedule(client, customer.id, {"items": items(price), "end_date": FEBRUARY}, twice)
    go(control, FEBRUARY - DAY)
    (announced,) = client.v1.events.list({"type": "invoice.upcoming"}).data
    notice = announced.data.object
    assert (notice["total"], notice["next_payment_attempt"], "id" in notice) == (2000, FEBRUARY, False)


def test_what_was_planned_happens_also_with_what_is_no_more_to_be_had(
    client: stripe.StripeClient, control: Control, customer: stripe.Customer, price: stripe.Price, yearly: stripe.Price
) -> None:
    client.v1.coupons.create({"id": "HALF", "percent_off": 50, "duration": "forever"})
    later: Any = {"items": items(yearly), "discounts": [{"coupon": "HALF"}], "duration": {"interval": "year"}}
    made = schedule(client, customer.id, {"items": items(price), "end_date": FEBRUARY}, later)
    client.v1.coupons.delete("HALF")
    client.v1.prices.update(yearly.id, {"active": False})
    go(control, FEBRUARY)
    assert bills(client, made.subscription) == [[1000], [9000]]


def test_a_coupon_that_is_not_there_is_refused_at_once(
    client: stripe.StripeClient, customer: stripe.Customer, price: stripe.Price
) -> None:
    with pytest.raises(stripe.InvalidRequestError, match="No such coupon"):
        schedule(client, customer.id, {"items": items(price), "discounts": [{"coupon": "NONE"}]})


def test_a_schedule_does_not_outlive_its_customer(
    client: stripe.StripeClient, control: Control, customer: stripe.Customer, price: stripe.Price
) -> None:
    waiting = schedule(client, customer.id, {"items": items(price)}, start_date=NOW + DAY)
    running = schedule(client, customer.id, {"items": items(price)})
    client.v1.customers.delete(customer.id)
    go(control, MARCH)
    schedules = client.v1.subscription_schedules
    assert [schedules.retrieve(each.id).status for each in (waiting, running)] == ["canceled", "canceled"]


def test_a_coupon_that_is_used_up_meanwhile_does_not_stop_time(
    client: stripe.StripeClient, control: Control, customer: stripe.Customer, price: stripe.Price
) -> None:
    client.v1.coupons.create({"id": "HALF", "percent_off": 50, "duration": "forever", "redeem_by": NOW + DAY})
    phase = {"items": items(price), "discounts": [{"coupon": "HALF"}]}
    made = schedule(client, customer.id, phase, start_date=NOW + 2 * DAY)
    go(control, NOW + 2 * DAY)
    assert bills(client, client.v1.subscription_schedules.retrieve(made.id).subscription) == [[1000]]
    (invoice,) = client.v1.invoices.list({"customer": customer.id}).data
    assert invoice.total == 1000
