"""Taking back what was booked: by another event, once, where it was booked."""

from datetime import timedelta
from uuid import uuid4

import pytest

from apps.tenants.models import Tenant
from apps.usage import errors, services
from apps.usage.models import UsageEvent
from apps.usage.selectors import verify
from apps.usage.types import Booking, Outcome
from tests.factories import NOW, SOMEBODY
from tests.usage.calling import MARCH, SOFT, a_tenant, consume, release, slot, slot_at, tell, used

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)


@pytest.fixture
def acme() -> Tenant:
    return a_tenant()


def correct(tenant: Tenant, wrong: Booking, reason: str = "Sent twice.") -> Booking:
    assert wrong.event_id is not None
    later = NOW + timedelta(days=90)
    return services.correct(tenant=tenant, event_id=wrong.event_id, reason=reason, actor=SOMEBODY, now=later)


def test_it_is_another_event_in_the_same_period(acme: Tenant) -> None:
    consume(acme, 2)
    wrong = consume(acme, 3)
    answer = correct(acme, wrong)

    assert (answer.outcome, answer.used) == (Outcome.BOOKED, 2)
    correction = UsageEvent.objects.get(corrects=wrong.event_id)
    assert (correction.amount, correction.at, correction.period_start) == (-3, NOW, MARCH.start)
    assert correction.properties == {"reason": "Sent twice."}
    assert used(acme, slot_at(NOW + timedelta(days=90))) == 0
    assert verify() == []


def test_the_second_time_changes_nothing(acme: Tenant) -> None:
    wrong = consume(acme, 3)
    assert correct(acme, wrong).event_id == correct(acme, wrong, "Once more.").event_id
    assert used(acme) == 0


def test_what_was_given_back_by_mistake_is_in_use_again_whatever_the_limit(acme: Tenant) -> None:
    consume(acme, 10)
    wrong = release(acme, 4)
    consume(acme, 4)
    assert correct(acme, wrong).used == 14


def test_less_than_nothing_is_never_in_use(acme: Tenant) -> None:
    wrong = consume(acme, 5)
    release(acme, 2)
    with pytest.raises(errors.NotCorrectable, match="Correct first what was given back"):
        correct(acme, wrong)
    assert used(acme) == 3


@pytest.mark.parametrize(("aggregate", "left"), [("last", 2), ("max", 5)])
def test_a_gauge_then_shows_what_it_would_have(acme: Tenant, aggregate: str, left: int) -> None:
    gauge = slot("disk", aggregate)
    for hours, value in ((3, 5), (1, 2)):
        tell(acme, value, slot=gauge, at=NOW - hours * HOUR)
    wrong = tell(acme, 50, slot=gauge, at=NOW - 2 * HOUR)
    wrong_too = tell(acme, 60, slot=gauge, at=NOW)
    later = slot_at(MARCH.end, "disk", aggregate)
    consume(acme, 1, slot=later, now=MARCH.end, ceiling=SOFT)

    correct(acme, wrong)
    assert used(acme, gauge) == 60
    assert correct(acme, wrong_too).used == left
    assert used(acme, later) == 3
    assert verify() == []


def test_a_telling_of_what_adds_up_is_taken_back_by_its_difference(acme: Tenant) -> None:
    consume(acme, 2)
    wrong = tell(acme, 9, slot=slot(), ceiling=SOFT)
    consume(acme, 1)
    assert correct(acme, wrong).used == 3


def test_what_cannot_be_corrected_is_said(acme: Tenant) -> None:
    wrong = consume(acme, 3)
    with pytest.raises(errors.NotCorrectable, match="needs a reason"):
        correct(acme, wrong, "  ")
    with pytest.raises(errors.NotCorrectable, match="'correct'"):
        correct(acme, correct(acme, wrong))
    with pytest.raises(errors.UnknownEvent):
        correct(a_tenant("other"), wrong)
    with pytest.raises(errors.UnknownEvent):
        services.correct(tenant=acme, event_id=uuid4(), reason="Why", actor=SOMEBODY, now=NOW)
