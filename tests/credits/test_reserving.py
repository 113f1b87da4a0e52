"""Setting credits aside in the books."""

from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import pytest

from apps.core.errors import IdempotencyKeyReused, ReservationClosed, UnknownReservation
from apps.core.periods import add_months
from apps.credits import services
from apps.credits.errors import UnusableAmount, UnusableReservation
from apps.credits.models import Grant, Reservation
from apps.credits.types import HoldState, Outcome
from apps.credits.verifying import verify
from tests.credits.conftest import HOUR, PRO, Purse
from tests.factories import NOW

DAY = timedelta(days=1)


@pytest.fixture(autouse=True)
def ten(purse: Purse) -> None:
    purse.grant(10)


def test_what_is_set_aside_is_spent_when_it_is_confirmed(purse: Purse) -> None:
    held = purse.reserve(7, credit_type="report", object_ref="/app/reports/1/")
    assert (held.balance, held.used, held.limit) == (3, 7, 10)
    spent = purse.confirm(held.reservation_id)
    assert (spent.outcome, spent.balance, spent.used, spent.limit) == (Outcome.BOOKED, 3, 7, 10)
    assert purse.entries()[1:] == [("hold", -7, 3), ("release", 7, 10), ("burn", -7, 3)]
    row = Reservation.objects.get()
    assert (row.state, row.closed_at) == (HoldState.CONFIRMED, NOW)
    assert verify() == []


def test_less_than_that_can_be_confirmed_and_not_more(purse: Purse) -> None:
    held = purse.reserve(7)
    with pytest.raises(UnusableAmount, match="7 are set aside"):
        purse.confirm(held.reservation_id, 8)
    assert purse.confirm(held.reservation_id, 2).balance == 8
    assert verify() == []


def test_more_than_there_is_is_refused(purse: Purse) -> None:
    refused = purse.reserve(11)
    assert (refused.outcome, refused.reservation_id) == (Outcome.REFUSED, None)
    assert not Reservation.objects.exists()


def test_released_it_comes_back(purse: Purse) -> None:
    held = purse.reserve(7)
    assert purse.release(held.reservation_id).balance == 10
    assert Grant.objects.get().held == 0


def test_it_comes_back_by_itself_when_its_time_is_over(purse: Purse) -> None:
    held = purse.reserve(7)
    assert purse.balance(now=NOW + HOUR).amount == 10
    assert purse.spend(10, now=NOW + HOUR).outcome == Outcome.BOOKED
    assert Reservation.objects.get().state == HoldState.EXPIRED
    with pytest.raises(ReservationClosed, match="13:00:00"):
        purse.confirm(held.reservation_id, now=NOW + HOUR)


@pytest.mark.parametrize("how", ["confirm", "release"])
def test_ending_it_twice_answers_as_the_first_time(purse: Purse, how: str) -> None:
    held = purse.reserve(7)
    first = getattr(purse, how)(held.reservation_id)
    purse.spend(1)
    assert getattr(purse, how)(held.reservation_id) == replace(first, outcome=Outcome.REPEATED)
    with pytest.raises(ReservationClosed):
        getattr(purse, "release" if how == "confirm" else "confirm")(held.reservation_id)


def test_confirming_it_again_with_another_amount_is_an_error(purse: Purse) -> None:
    held = purse.reserve(7)
    purse.confirm(held.reservation_id, 3)
    with pytest.raises(IdempotencyKeyReused):
        purse.confirm(held.reservation_id, 4)


def test_the_same_key_sets_aside_once(purse: Purse) -> None:
    first = purse.reserve(7, key="job-1")
    assert purse.reserve(7, key="job-1") == replace(first, outcome=Outcome.REPEATED)
    assert purse.balance().held == 7


def test_where_the_plan_is_soft_what_is_not_there_is_overdrawn_with_the_confirmation(purse: Purse) -> None:
    purse.plan = replace(PRO, overdraft=True)
    held = purse.reserve(25)
    assert (held.balance, held.used, held.limit) == (0, 25, 20)
    confirmed = purse.confirm(held.reservation_id)
    assert (confirmed.balance, confirmed.used, confirmed.limit) == (-5, 25, 20)
    assert verify() == []


def test_what_is_set_aside_of_a_voided_grant_can_be_confirmed_and_does_not_come_back(purse: Purse) -> None:
    first, second = purse.reserve(3), purse.reserve(4)
    purse.void(Grant.objects.get().id)
    assert purse.confirm(first.reservation_id).used == 7
    assert purse.release(second.reservation_id).balance == 0
    assert purse.entries()[-1] == ("void", -4, 0)


def test_another_tenants_is_unknown(purse: Purse) -> None:
    held = purse.reserve(7)
    with pytest.raises(UnknownReservation, match=str(held.reservation_id)):
        Purse().release(held.reservation_id)
    with pytest.raises(UnknownReservation):
        purse.confirm(uuid4())


def test_one_that_would_be_over_at_once_is_an_error(purse: Purse) -> None:
    with pytest.raises(UnusableReservation, match="2026-03-01 12:00:00"):
        purse.reserve(1, expires_at=NOW)


def test_what_was_promised_while_the_plan_was_soft_is_kept_once_it_is_hard(purse: Purse) -> None:
    held = purse.reserve(25, plan=replace(PRO, overdraft=True))
    assert purse.confirm(held.reservation_id, plan=PRO).balance == -5
    assert verify() == []


@pytest.mark.parametrize("how", ["release", "confirm"])
def test_what_is_set_aside_over_the_turn_of_a_period_rolls_over_as_if_it_were_not(purse: Purse, how: str) -> None:
    purse.plan, later = PRO, add_months(NOW, 1) + DAY
    held = purse.reserve(10, expires_at=later + DAY)
    assert purse.balance(now=later).amount == 20
    assert services.settle(tenant=purse.tenant, feature="credits", plan=PRO, now=later - HOUR) == 20
    assert verify() == []
    # Of what comes back the plan keeps four.
    assert getattr(purse, how)(held.reservation_id, now=later).balance == (24 if how == "release" else 20)
    assert verify() == []
