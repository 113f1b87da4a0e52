"""Meters as only the stand-in can be asked about: its control API, time that passes, thin events sent to a receiver."""

import json
from decimal import Decimal
from typing import Any

import pytest
import stripe
from hypothesis import given
from hypothesis import strategies as st

from apps.sandbox.usage import Reported, aggregate
from tests.sandbox.conftest import Control, Receiver, event_types

NOW = 1_767_225_600  # 2026-01-01T00:00:00Z
HOUR = 3600
DAY = 86_400


@pytest.fixture(autouse=True)
def clock(control: Control) -> None:
    control("POST", "clock", {"now": NOW})


@pytest.fixture
def meter(client: stripe.StripeClient) -> stripe.billing.Meter:
    return client.v1.billing.meters.create(
        {"display_name": "Calls", "event_name": "calls", "default_aggregation": {"formula": "sum"}}
    )


@pytest.fixture
def destination(client: stripe.StripeClient, receiver: Receiver) -> stripe.v2.core.EventDestination:
    return client.v2.core.event_destinations.create(
        {
            "name": "errors",
            "type": "webhook_endpoint",
            "event_payload": "thin",
            "enabled_events": ["v1.billing.meter.error_report_triggered", "v1.billing.meter.no_meter_found"],
            "webhook_endpoint": {"url": receiver.url},
            "include": ["webhook_endpoint.signing_secret", "webhook_endpoint.url"],
        }
    )


def report(client: stripe.StripeClient, customer: str, value: str = "1", **given: Any) -> stripe.billing.MeterEvent:
    asked: Any = {"event_name": "calls", "payload": {"stripe_customer_id": customer, "value": value}}
    return client.v1.billing.meter_events.create(asked | given)


def usage(client: stripe.StripeClient, meter: stripe.billing.Meter, customer: str, *, at: int = NOW) -> float:
    asked: Any = {"customer": customer, "start_time": at - 40 * DAY, "end_time": at + DAY}
    (found,) = client.v1.billing.meters.event_summaries.list(meter.id, asked).data
    return found.aggregated_value


EVENTS = st.lists(st.builds(Reported, at=st.integers(0, 99), value=st.decimals(-9, 9, places=3)), max_size=9)


@given(events=EVENTS)
def test_formulas_say_what_they_are_named_for(events: list[Reported]) -> None:
    ordered = sorted(events, key=lambda each: each.at)
    assert aggregate(ordered, formula="count") == len(events)
    assert aggregate(ordered, formula="sum") == sum((each.value for each in events), Decimal(0))
    assert aggregate(ordered, formula="last") == (ordered[-1].value if ordered else 0)


def test_the_life_of_a_meter_is_told(client: stripe.StripeClient, meter: stripe.billing.Meter) -> None:
    meters = client.v1.billing.meters
    meters.update(meter.id, {"display_name": "More"})
    meters.deactivate(meter.id)
    meters.reactivate(meter.id)
    told = ["created", "updated", "deactivated", "reactivated"]
    assert event_types(client) == [f"billing.meter.{each}" for each in told]


def test_fractions_add_up_exactly(
    client: stripe.StripeClient, meter: stripe.billing.Meter, customer: stripe.Customer
) -> None:
    for _ in range(10):
        report(client, customer.id, "0.1")
    assert usage(client, meter, customer.id) == 1


def test_an_identifier_is_forgotten_after_a_day(
    client: stripe.StripeClient, control: Control, meter: stripe.billing.Meter, customer: stripe.Customer
) -> None:
    report(client, customer.id, identifier="once")
    control("POST", "clock", {"now": NOW + DAY - 1})
    with pytest.raises(stripe.InvalidRequestError, match="already exists"):
        report(client, customer.id, identifier="once")
    control("POST", "clock", {"now": NOW + DAY})
    report(client, customer.id, identifier="once")
    assert usage(client, meter, customer.id, at=NOW + DAY) == 2


def test_an_event_can_be_canceled_for_a_day(
    client: stripe.StripeClient, control: Control, meter: stripe.billing.Meter, customer: stripe.Customer
) -> None:
    def cancel(identifier: str) -> None:
        client.v1.billing.meter_event_adjustments.create(
            {"event_name": "calls", "type": "cancel", "cancel": {"identifier": identifier}}
        )

    for identifier in ("first", "second"):
        report(client, customer.id, identifier=identifier)
    control("POST", "clock", {"now": NOW + DAY - 1})
    cancel("first")
    for wrong in ("first", "unknown"):
        with pytest.raises(stripe.InvalidRequestError):
            cancel(wrong)
    control("POST", "clock", {"now": NOW + DAY})
    with pytest.raises(stripe.InvalidRequestError, match="within 24 hours"):
        cancel("second")
    assert usage(client, meter, customer.id, at=NOW + DAY) == 1


def test_an_event_lies_in_the_time_of_its_customer(client: stripe.StripeClient, meter: stripe.billing.Meter) -> None:
    frozen = NOW + 100 * DAY
    clock = client.v1.test_helpers.test_clocks.create({"frozen_time": frozen})
    customer = client.v1.customers.create({"test_clock": clock.id})
    assert report(client, customer.id).timestamp == frozen
    with pytest.raises(stripe.InvalidRequestError):
        report(client, customer.id, timestamp=NOW)


def test_what_is_held_counts_later(
    client: stripe.StripeClient, control: Control, meter: stripe.billing.Meter, customer: stripe.Customer
) -> None:
    control("POST", "metering", {"held": True})
    report(client, customer.id, "5", identifier="late")
    with pytest.raises(stripe.InvalidRequestError, match="already exists"):
        report(client, customer.id, identifier="late")
    assert usage(client, meter, customer.id) == 0
    control("POST", "metering", {"held": False})
    assert usage(client, meter, customer.id) == 5


def test_an_event_that_cannot_be_counted_is_told_by_a_thin_event(
    client: stripe.StripeClient,
    meter: stripe.billing.Meter,
    destination: stripe.v2.core.EventDestination,
    receiver: Receiver,
) -> None:
    report(client, "cus_nobody", identifier="lost")
    receiver.wait_for(1)
    body, headers = receiver.received[0]
    assert "data" not in json.loads(body)
    secret = str(destination.webhook_endpoint.signing_secret)
    told: Any = client.parse_event_notification(body, headers["Stripe-Signature"], secret)
    assert told.type == "v1.billing.meter.error_report_triggered"
    assert told.fetch_related_object().id == meter.id
    reason = told.fetch_event().to_dict()["data"]["reason"]
    assert reason["error_count"] == 1
    (kind,) = reason["error_types"]
    (sample,) = kind["sample_errors"]
    assert (kind["code"], sample["request"]) == ("meter_event_customer_not_found", {"identifier": "lost"})


@pytest.mark.parametrize(
    ("payload", "code"),
    [
        ({"value": "1"}, "meter_event_no_customer_defined"),
        ({"stripe_customer_id": "cus_x", "value": "1"}, "meter_event_customer_not_found"),
        ({"stripe_customer_id": "", "value": "1"}, "meter_event_no_customer_defined"),
        ({"stripe_customer_id": "ada"}, "meter_event_value_not_found"),
        ({"stripe_customer_id": "ada", "value": "many"}, "meter_event_invalid_value"),
        ({"stripe_customer_id": "ada", "value": "1" * 16}, "meter_event_value_too_many_digits"),
    ],
)
def test_each_fault_of_a_payload_has_its_code(
    client: stripe.StripeClient,
    meter: stripe.billing.Meter,
    customer: stripe.Customer,
    payload: dict[str, str],
    code: str,
) -> None:
    named = {name: customer.id if value == "ada" else value for name, value in payload.items()}
    client.v1.billing.meter_events.create({"event_name": "calls", "payload": named})
    (event,) = client.v2.core.events.list({"object_id": meter.id}).data
    (kind,) = event.to_dict()["data"]["reason"]["error_types"]
    assert kind["code"] == code
    assert usage(client, meter, customer.id) == 0


def test_one_report_tells_of_all_that_were_looked_at_together(
    client: stripe.StripeClient, control: Control, meter: stripe.billing.Meter, customer: stripe.Customer
) -> None:
    control("POST", "metering", {"late_checks": True, "held": True})
    report(client, customer.id, identifier="right")
    report(client, "cus_nobody", identifier="nobody")
    report(client, customer.id, identifier="old", timestamp=NOW - 36 * DAY)
    report(client, customer.id, identifier="ahead", timestamp=NOW + HOUR)
    report(client, customer.id, identifier="nameless", event_name="unheard of")
    control("POST", "metering", {"held": False})
    nameless, errors = sorted((each.to_dict() for each in client.v2.core.events.list().data), key=_type, reverse=True)
    assert nameless["data"]["reason"]["error_types"][0]["code"] == "no_meter"
    assert "related_object" not in nameless or not nameless["related_object"]
    assert errors["data"]["developer_message_summary"] == "There are 3 invalid events"
    codes = {each["code"] for each in errors["data"]["reason"]["error_types"]}
    assert codes == {"meter_event_customer_not_found", "timestamp_too_far_in_past", "timestamp_in_future"}
    assert usage(client, meter, customer.id) == 1


def _type(event: dict[str, Any]) -> str:
    return str(event["type"])


def test_a_meter_that_was_deactivated_meanwhile_is_told(
    client: stripe.StripeClient, control: Control, meter: stripe.billing.Meter, customer: stripe.Customer
) -> None:
    control("POST", "metering", {"held": True})
    report(client, customer.id)
    client.v1.billing.meters.deactivate(meter.id)
    control("POST", "metering", {"held": False})
    (event,) = client.v2.core.events.list({"object_id": meter.id}).data
    assert event.to_dict()["data"]["reason"]["error_types"][0]["code"] == "archived_meter"


def test_a_destination_can_be_changed_and_silenced(
    client: stripe.StripeClient,
    meter: stripe.billing.Meter,
    destination: stripe.v2.core.EventDestination,
    receiver: Receiver,
) -> None:
    destinations = client.v2.core.event_destinations
    assert destinations.retrieve(destination.id).webhook_endpoint.url is None
    assert destinations.update(destination.id, {"name": "better"}).name == "better"
    assert destinations.disable(destination.id).status == "disabled"
    report(client, "cus_nobody")
    assert destinations.enable(destination.id).status == "enabled"
    assert [each.id for each in destinations.list().data] == [destination.id]
    destinations.ping(destination.id)
    receiver.wait_for(1)
    assert receiver.types == ["v2.core.event_destination.ping"]
    destinations.delete(destination.id)
    assert destinations.list().data == []


def test_snapshot_events_do_not_go_to_thin_destinations(
    client: stripe.StripeClient, destination: stripe.v2.core.EventDestination, receiver: Receiver, control: Control
) -> None:
    client.v1.customers.create({"name": "Ada"})
    assert control("GET", "deliveries")["data"] == []


def test_the_first_version_of_the_api_takes_no_json(client: stripe.StripeClient) -> None:
    with pytest.raises(stripe.InvalidRequestError, match="form-urlencoded"):
        client.raw_request("post", "/v1/customers", headers={"Content-Type": "application/json"}, name="Ada")
