from typing import Any

import pytest
import stripe
from hypothesis import given, settings
from hypothesis import strategies as st

from apps.sandbox.server import StandIn
from tests.sandbox.conftest import Control, client_of, event_types

NOW = 1_769_853_600  # 2026-01-31T10:00:00Z
DAY = 86_400
END = NOW + 28 * DAY  # of the first month


@pytest.fixture
def frozen(client: stripe.StripeClient, control: Control) -> stripe.test_helpers.TestClock:
    control("POST", "clock", {"now": NOW})
    return client.v1.test_helpers.test_clocks.create({"frozen_time": NOW, "name": "a life"})


@pytest.fixture
def customer(client: stripe.StripeClient, frozen: stripe.test_helpers.TestClock) -> stripe.Customer:
    """The customer of `subscribe`, on the clock."""
    return client.v1.customers.create({"email": "ada@example.com", "test_clock": frozen.id})


def advance(client: stripe.StripeClient, clock: stripe.test_helpers.TestClock, until: int) -> None:
    assert client.v1.test_helpers.test_clocks.advance(clock.id, {"frozen_time": until}).status == "advancing"
    assert client.v1.test_helpers.test_clocks.retrieve(clock.id).frozen_time == until


def told(client: stripe.StripeClient, *, after: int = NOW) -> list[tuple[str, int]]:
    """The types and days of all events later than `after`, oldest first."""
    events = client.v1.events.list({"limit": 100, "created": {"gt": after}}).data
    return [(event.type, (event.created - NOW) // DAY) for event in reversed(events)]


def test_everything_of_the_customer_is_in_the_clocks_time(
    client: stripe.StripeClient, frozen: stripe.test_helpers.TestClock, subscribe: Any
) -> None:
    made = subscribe()
    assert (made.created, made.test_clock) == (NOW, frozen.id)
    invoice = client.v1.invoices.retrieve(made.latest_invoice)
    assert (invoice.created, invoice.test_clock) == (NOW, frozen.id)
    advance(client, frozen, NOW + DAY)
    assert client.v1.subscriptions.update(made.id, {"cancel_at_period_end": True}).canceled_at == NOW + DAY
    assert client.v1.products.create({"name": "x"}).created == NOW
    assert client.v1.customers.list().data == [] and client.v1.subscriptions.list().data == []
    assert [each.id for each in client.v1.customers.list({"test_clock": frozen.id}).data] == [made.customer]
    assert [each.id for each in client.v1.subscriptions.list({"test_clock": frozen.id}).data] == [made.id]
    assert [each.id for each in client.v1.subscriptions.list({"customer": made.customer}).data] == [made.id]


def test_a_renewal_is_told_in_order_and_time(
    client: stripe.StripeClient, frozen: stripe.test_helpers.TestClock, subscribe: Any
) -> None:
    subscribe()
    advance(client, frozen, END + DAY)
    assert told(client) == [
        ("invoice.upcoming", 25),
        ("customer.subscription.updated", 28),
        ("invoice.created", 28),
        ("invoice.finalized", 28),
        ("invoice.paid", 28),
        ("invoice.payment_succeeded", 28),
        ("test_helpers.test_clock.ready", 29),
    ]


def test_the_notice_of_a_renewal_is_an_invoice_without_id(
    client: stripe.StripeClient, frozen: stripe.test_helpers.TestClock, subscribe: Any
) -> None:
    made = subscribe()
    advance(client, frozen, END - DAY)
    notice = client.v1.events.list({"type": "invoice.upcoming"}).data[0].data.object.to_dict()
    assert "id" not in notice and notice["amount_due"] == 1000
    assert notice["parent"]["subscription_details"]["subscription"] == made.id
    assert notice["lines"]["data"][0]["period"]["start"] == END == notice["next_payment_attempt"]


def test_a_trial_is_announced_three_days_before_its_end(
    client: stripe.StripeClient, frozen: stripe.test_helpers.TestClock, subscribe: Any
) -> None:
    subscribe(trial_period_days=14)
    advance(client, frozen, NOW + 14 * DAY)
    assert told(client)[:3] == [
        ("customer.subscription.trial_will_end", 11),
        ("invoice.upcoming", 11),
        ("customer.subscription.updated", 14),
    ]
    subscribe(trial_period_days=1)
    assert "customer.subscription.trial_will_end" in event_types(client)[-8:]


def test_a_subscription_ends_at_its_date(
    client: stripe.StripeClient, frozen: stripe.test_helpers.TestClock, subscribe: Any
) -> None:
    made = subscribe(cancel_at=NOW + 10 * DAY)
    advance(client, frozen, NOW + 12 * DAY)
    ended = client.v1.subscriptions.retrieve(made.id)
    assert (ended.status, ended.ended_at) == ("canceled", NOW + 10 * DAY)


def test_a_pause_of_collection_ends_at_its_date(
    client: stripe.StripeClient, frozen: stripe.test_helpers.TestClock, subscribe: Any
) -> None:
    made = subscribe()
    pause: Any = {"pause_collection": {"behavior": "void", "resumes_at": END + DAY}}
    client.v1.subscriptions.update(made.id, pause)
    advance(client, frozen, END)
    assert client.v1.invoices.list({"subscription": made.id}).data[0].status == "void"
    advance(client, frozen, END + DAY)
    assert client.v1.subscriptions.retrieve(made.id).pause_collection is None


def test_payments_are_retried_on_the_clock(
    client: stripe.StripeClient, frozen: stripe.test_helpers.TestClock, subscribe: Any
) -> None:
    made = subscribe()
    card: Any = {"invoice_settings": {"default_payment_method": "pm_card_chargeCustomerFail"}}
    client.v1.customers.update(made.customer, card)
    advance(client, frozen, END + 15 * DAY)
    failures = [day for type, day in told(client) if type == "invoice.payment_failed"]
    assert failures == [28, 31, 36, 43]
    assert told(client)[-2:] == [("customer.subscription.deleted", 43), ("test_helpers.test_clock.ready", 43)]


def test_a_clock_goes_forward_by_two_intervals_at_most(
    client: stripe.StripeClient, frozen: stripe.test_helpers.TestClock, subscribe: Any
) -> None:
    with pytest.raises(stripe.InvalidRequestError, match="two years"):
        advance(client, frozen, NOW + 731 * DAY)
    subscribe()
    known = len(event_types(client))
    for until in (NOW, NOW - 1, NOW + 60 * DAY):
        with pytest.raises(stripe.InvalidRequestError) as caught:
            advance(client, frozen, until)
        assert caught.value.param == "frozen_time"
    assert len(event_types(client)) == known
    advance(client, frozen, NOW + 59 * DAY)


def test_a_deleted_clock_takes_its_customers_along(
    client: stripe.StripeClient, frozen: stripe.test_helpers.TestClock, subscribe: Any
) -> None:
    made = subscribe()
    assert [each.id for each in client.v1.test_helpers.test_clocks.list().data] == [frozen.id]
    assert client.v1.test_helpers.test_clocks.delete(frozen.id).deleted
    assert event_types(client)[-3:] == [
        "customer.subscription.deleted",
        "customer.deleted",
        "test_helpers.test_clock.deleted",
    ]
    assert client.v1.subscriptions.retrieve(made.id).status == "canceled"
    with pytest.raises(stripe.InvalidRequestError, match="No such test clock"):
        client.v1.test_helpers.test_clocks.retrieve(frozen.id)
    with pytest.raises(stripe.InvalidRequestError):
        client.v1.customers.create({"test_clock": frozen.id})


def test_the_clock_of_the_stand_in_leaves_test_clocks_alone(
    client: stripe.StripeClient, control: Control, subscribe: Any
) -> None:
    made = subscribe()
    control("POST", "clock", {"now": END + DAY, "renew": True})
    assert len(client.v1.invoices.list({"subscription": made.id}).data) == 1


STEPS = st.lists(st.integers(1, 55), min_size=1, max_size=3)
TERMS = st.fixed_dictionaries(
    {},
    optional={
        "trial_period_days": st.integers(1, 20),
        "cancel_at": st.integers(1, 80).map(lambda day: NOW + day * DAY),
    },
)


@settings(max_examples=12, deadline=None)
@given(steps=STEPS, terms=TERMS, card=st.sampled_from(["pm_card_visa", "pm_card_chargeCustomerFail"]))
def test_many_steps_lead_where_one_does(running: StandIn, steps: list[int], terms: Any, card: str) -> None:
    """However the way to a moment is divided, the same happens at the same times."""
    days = sorted(set(steps))
    assert life(running, days[-1:], terms, card) == life(running, days, terms, card)


def life(running: StandIn, days: list[int], terms: Any, card: str) -> list[tuple[str, int]]:
    control = Control(running.url)
    control("POST", "reset", {})
    control("POST", "clock", {"now": NOW})
    client = client_of(running.url)
    frozen = client.v1.test_helpers.test_clocks.create({"frozen_time": NOW})
    customer = client.v1.customers.create({"test_clock": frozen.id})
    data: Any = {"currency": "usd", "unit_amount": 9, "recurring": {"interval": "month"}, "product_data": {"name": "x"}}
    items: Any = [{"price": client.v1.prices.create(data).id}]
    params: Any = {"customer": customer.id, "items": items, **terms}
    client.v1.subscriptions.create(params)
    settings: Any = {"invoice_settings": {"default_payment_method": card}}
    client.v1.customers.update(customer.id, settings)
    for day in days:
        advance(client, frozen, NOW + day * DAY)
    return [each for each in told(client) if not each[0].startswith("test_helpers")]
