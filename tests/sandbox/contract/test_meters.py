"""Meters and what is reported to them. Stripe looks at meter events in the background, so sums are waited for."""

import time
from decimal import Decimal
from typing import Any

import pytest
import stripe

from tests.sandbox.contract.account import DAY, HOUR, Account

MINUTE = 60


@pytest.fixture
def customer(account: Account) -> str:
    return account.customer(card=None).id


@pytest.fixture
def hour() -> int:
    """The beginning of an hour that is over."""
    return int(time.time()) // HOUR * HOUR - 2 * HOUR


def test_a_meter_has_its_defaults(account: Account) -> None:
    made = account.meter()
    assert (made.status, made.livemode, made.status_transitions.deactivated_at) == ("active", False, None)
    assert made.customer_mapping.to_dict() == {"type": "by_id", "event_payload_key": "stripe_customer_id"}
    assert made.value_settings.event_payload_key == "value"
    assert account.v1.billing.meters.retrieve(made.id).event_name == made.event_name


def test_only_the_name_for_people_can_be_changed(account: Account) -> None:
    made = account.meter()
    assert account.v1.billing.meters.update(made.id, {"display_name": "Better"}).display_name == "Better"
    wrong: Any = {"event_name": "another"}
    with pytest.raises(stripe.InvalidRequestError):
        account.v1.billing.meters.update(made.id, wrong)


def test_an_event_name_belongs_to_one_active_meter(account: Account) -> None:
    first = account.meter()
    with pytest.raises(stripe.InvalidRequestError, match="An active meter already exists for event name"):
        account.meter(event_name=first.event_name)
    account.v1.billing.meters.deactivate(first.id)
    second = account.meter(event_name=first.event_name)
    with pytest.raises(stripe.InvalidRequestError):
        account.v1.billing.meters.reactivate(first.id)
    account.v1.billing.meters.deactivate(second.id)
    assert account.v1.billing.meters.reactivate(first.id).status == "active"


def test_meters_are_listed_by_their_status(account: Account) -> None:
    made = account.meter()
    account.v1.billing.meters.deactivate(made.id)

    def listed(status: Any) -> set[str]:
        found = account.v1.billing.meters.list({"status": status, "limit": 100})
        return {each.id for each in found.auto_paging_iter()}

    assert made.id in listed("inactive")
    assert made.id not in listed("active")


@pytest.mark.parametrize(("formula", "value"), [("sum", 12), ("count", 3), ("last", 2)])
def test_what_is_reported_adds_up(account: Account, customer: str, hour: int, formula: str, value: int) -> None:
    meter = account.meter(formula)
    for minute, amount in ((1, 3), (3, 2), (2, 7)):
        account.report(meter, customer, amount, at=hour + minute * MINUTE)
    account.usage_becomes(meter, customer, value, start=hour, end=hour + HOUR)


def test_the_end_of_a_summary_does_not_count(account: Account, customer: str, hour: int) -> None:
    meter = account.meter()
    for at in (hour, hour + MINUTE - 1, hour + MINUTE):
        account.report(meter, customer, 1, at=at)
    account.usage_becomes(meter, customer, 3, start=hour, end=hour + HOUR)
    account.usage_becomes(meter, customer, 2, start=hour, end=hour + MINUTE)


def test_summaries_come_for_each_hour_or_day(account: Account, customer: str, hour: int) -> None:
    meter = account.meter()
    days = hour // DAY * DAY - 2 * DAY
    for at, amount in ((days, 1), (days + HOUR, 2), (days + DAY, 4)):
        account.report(meter, customer, amount, at=at)
    account.usage_becomes(meter, customer, 7, start=days, end=days + 2 * DAY)
    bounds: Any = {"customer": customer, "start_time": days, "end_time": days + 2 * DAY}

    def windows(window: str) -> dict[int, float]:
        asked: Any = {**bounds, "value_grouping_window": window, "limit": 2}
        found = list(account.v1.billing.meters.event_summaries.list(meter.id, asked).auto_paging_iter())
        assert found == sorted(found, key=lambda each: -each.start_time)
        return {each.start_time: each.aggregated_value for each in found if each.aggregated_value}

    assert windows("day") == {days: 3, days + DAY: 4}
    assert windows("hour") == {days: 1, days + HOUR: 2, days + DAY: 4}


@pytest.mark.parametrize(
    ("begin", "length", "window"), [(1, HOUR, None), (MINUTE, HOUR, "hour"), (HOUR, DAY, "day"), (0, 0, None)]
)
def test_the_bounds_of_a_summary_are_those_of_its_windows(
    account: Account, customer: str, begin: int, length: int, window: str | None
) -> None:
    day = int(time.time()) // DAY * DAY - 7 * DAY
    asked: Any = {"customer": customer, "start_time": day + begin, "end_time": day + begin + length}
    asked |= {"value_grouping_window": window} if window else {}
    meter = account.meter()
    with pytest.raises(stripe.InvalidRequestError):
        account.v1.billing.meters.event_summaries.list(meter.id, asked)


def test_an_identifier_counts_once(account: Account, customer: str, hour: int) -> None:
    meter, identifier = account.meter(), account.unique("usage")
    answer = account.report(meter, customer, 5, at=hour, identifier=identifier)
    assert (answer.identifier, answer.timestamp, answer.event_name) == (identifier, hour, meter.event_name)
    assert answer.payload.to_dict() == {"stripe_customer_id": customer, "value": "5"}
    with pytest.raises(stripe.InvalidRequestError, match="An event already exists with identifier") as caught:
        account.report(meter, customer, 6, at=hour, identifier=identifier)
    assert caught.value.http_status == 400
    account.usage_becomes(meter, customer, 5, start=hour, end=hour + HOUR)


def test_an_event_without_an_identifier_gets_one(account: Account, customer: str) -> None:
    assert account.report(account.meter(), customer, 1).identifier


@pytest.mark.parametrize("away", [-36 * DAY, 10 * MINUTE])
def test_the_moment_of_an_event_is_near(account: Account, customer: str, away: int) -> None:
    with pytest.raises(stripe.InvalidRequestError):
        account.report(account.meter(), customer, 1, at=int(time.time()) + away)


@pytest.mark.parametrize("away", [-34 * DAY, 4 * MINUTE])
def test_the_moment_of_an_event_may_be_past_or_a_little_ahead(account: Account, customer: str, away: int) -> None:
    assert account.report(account.meter(), customer, 1, at=int(time.time()) + away).timestamp


def test_an_event_name_without_a_meter_is_refused(account: Account, customer: str) -> None:
    meter = account.meter()
    account.v1.billing.meters.deactivate(meter.id)
    with pytest.raises(stripe.InvalidRequestError, match="No active meter found"):
        account.report(meter, customer, 1)


def test_the_payload_has_the_keys_of_its_meter(account: Account, customer: str, hour: int) -> None:
    meter = account.meter(
        customer_mapping={"type": "by_id", "event_payload_key": "who"},
        value_settings={"event_payload_key": "tokens"},
    )
    given: Any = {"event_name": meter.event_name, "timestamp": hour, "payload": {"who": customer, "tokens": "9"}}
    account.v1.billing.meter_events.create(given)
    account.usage_becomes(meter, customer, 9, start=hour, end=hour + HOUR)


def test_an_event_can_be_canceled(account: Account, customer: str, hour: int) -> None:
    meter, identifier = account.meter(), account.unique("usage")
    account.report(meter, customer, 5, at=hour, identifier=identifier)
    account.report(meter, customer, 2, at=hour)
    account.usage_becomes(meter, customer, 7, start=hour, end=hour + HOUR)
    canceled = account.v1.billing.meter_event_adjustments.create(
        {"event_name": meter.event_name, "type": "cancel", "cancel": {"identifier": identifier}}
    )
    assert (canceled.type, canceled.cancel.identifier) == ("cancel", identifier)
    assert canceled.status in ("pending", "complete")
    account.usage_becomes(meter, customer, 2, start=hour, end=hour + HOUR)


def test_less_can_be_reported_afterwards(account: Account, customer: str, hour: int) -> None:
    meter = account.meter()
    account.report(meter, customer, 5, at=hour)
    account.report(meter, customer, -2, at=hour)
    account.usage_becomes(meter, customer, 3, start=hour, end=hour + HOUR)


def test_a_metered_price_names_a_meter(account: Account) -> None:
    meter = account.meter()
    recurring: Any = {"interval": "month", "usage_type": "metered", "meter": meter.id}
    made = account.price(unit_amount=None, unit_amount_decimal="0.000000000001", recurring=recurring)
    assert (made.recurring.usage_type, made.recurring.meter) == ("metered", meter.id)
    assert (made.unit_amount, made.unit_amount_decimal) == (None, Decimal("0.000000000001"))
    assert [each.id for each in account.v1.prices.list({"recurring": {"meter": meter.id}}).data] == [made.id]
    with pytest.raises(stripe.InvalidRequestError):
        account.price(recurring={**recurring, "meter": "mtr_none"})
