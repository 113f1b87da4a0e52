"""Units set aside: confirmed, released, or back by themselves."""

from collections import Counter as Tally
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection

from apps.core.errors import IdempotencyKeyReused, ReservationClosed, UnknownReservation
from apps.tenants.models import Tenant
from apps.usage import errors, services
from apps.usage.models import Reservation, UsageEvent
from apps.usage.selectors import history, verify
from apps.usage.types import Bucket, Outcome
from tests.factories import NOW, SOMEBODY
from tests.usage.calling import MARCH, TEN, a_tenant, consume, release, slot, slot_at, tell, use, used
from tests.usage.test_racing import at_once

HOUR = timedelta(hours=1)


@pytest.fixture
def acme() -> Tenant:
    return a_tenant()


def reserve(tenant: Tenant, amount: int = 4, **given: Any) -> Any:
    given = {"slot": slot(), "ceiling": TEN, "key": None, "expires_at": NOW + HOUR, "now": NOW, **given}
    return services.reserve(tenant=tenant, amount=amount, actor=SOMEBODY, **given)


def confirm(tenant: Tenant, held: Reservation, amount: int | None = None, now: datetime = NOW) -> Reservation:
    return services.confirm(tenant=tenant, reservation_id=held.id, amount=amount, actor=SOMEBODY, now=now)


def let_go(tenant: Tenant, held: Reservation, now: datetime = NOW) -> Reservation:
    return services.release_reservation(tenant=tenant, reservation_id=held.id, actor=SOMEBODY, now=now)


@pytest.mark.django_db
class TestSettingAside:
    def test_it_counts_as_used_but_is_no_use_yet(self, acme: Tenant) -> None:
        booking, held = reserve(acme, 4)

        assert (booking.outcome, booking.used, held.state, held.amount) == (Outcome.BOOKED, 4, "open", 4)
        assert use(acme).held == 4
        assert consume(acme, 7).outcome == Outcome.REFUSED
        assert history(tenant_key=acme.pk, feature="calls", since=NOW, until=NOW + HOUR, by="hour") == [Bucket(NOW, 0)]

    def test_beyond_the_limit_nothing_is(self, acme: Tenant) -> None:
        consume(acme, 7)
        booking, held = reserve(acme, 4)
        assert (booking.outcome, held) == (Outcome.REFUSED, None)
        assert not Reservation.objects.exists()

    def test_the_same_key_is_the_same_reservation(self, acme: Tenant) -> None:
        first, again = reserve(acme, key="a"), reserve(acme, key="a")
        assert (first[1], again[0].outcome) == (again[1], Outcome.REPEATED)
        with pytest.raises(IdempotencyKeyReused):
            consume(acme, 4, key="a")

    def test_to_whom_nothing_is_granted_only_the_same_is(self, acme: Tenant) -> None:
        _, first = reserve(acme, 2, key="a")
        booking, held = reserve(acme, 1, closed=True)
        assert (booking.outcome, booking.used, held) == (Outcome.REFUSED, 2, None)
        assert reserve(acme, 2, key="a", closed=True)[1] == first

    def test_of_gauges_and_for_no_time_it_is_not(self, acme: Tenant) -> None:
        with pytest.raises(errors.NotReservable, match="disk is a gauge"):
            reserve(acme, slot=slot("disk", "last"))
        tell(acme, 3, slot=slot("ram", "last"))
        with pytest.raises(errors.NotReservable):
            reserve(acme, slot=slot("ram", "sum"))
        with pytest.raises(errors.UnusableAmount, match="over before it began"):
            reserve(acme, expires_at=NOW)

    def test_it_cannot_be_given_back_as_if_it_were_used(self, acme: Tenant) -> None:
        reserve(acme, 4)
        consume(acme, 2)
        with pytest.raises(errors.NotReleasable):
            release(acme, 3)
        assert tell(acme, 5, slot=slot(), ceiling=TEN).used == 9


@pytest.mark.django_db
class TestClosing:
    def test_confirmed_it_is_used(self, acme: Tenant) -> None:
        _, held = reserve(acme)
        assert confirm(acme, held, now=NOW + HOUR / 2).state == "confirmed"
        assert confirm(acme, held).closed_at == NOW + HOUR / 2
        assert (use(acme).used, use(acme).held) == (4, 0)
        assert [
            each.used for each in history(tenant_key=acme.pk, feature="calls", since=NOW, until=NOW + HOUR, by="hour")
        ] == [4]
        assert verify() == []

    def test_what_was_not_needed_comes_back(self, acme: Tenant) -> None:
        _, held = reserve(acme, 10)
        confirm(acme, held, 3)
        assert used(acme) == 3
        assert consume(acme, 7).outcome == Outcome.BOOKED
        with pytest.raises(ReservationClosed, match="is confirmed already"):
            confirm(acme, held, 4)
        with pytest.raises(ReservationClosed):
            let_go(acme, held)

    def test_more_than_was_set_aside_is_not_confirmed(self, acme: Tenant) -> None:
        _, held = reserve(acme, 4)
        for amount in (0, 5):
            with pytest.raises(errors.UnusableAmount):
                confirm(acme, held, amount)
        assert used(acme) == 4

    def test_released_it_is_back(self, acme: Tenant) -> None:
        _, held = reserve(acme, 10)
        assert [let_go(acme, held).state for _ in range(2)] == ["released"] * 2
        assert consume(acme, 10).used == 10
        with pytest.raises(ReservationClosed, match="is released already"):
            confirm(acme, held)
        assert verify() == []

    def test_it_is_booked_in_the_period_in_which_it_was_set_aside(self, acme: Tenant) -> None:
        last_minute = MARCH.end - timedelta(minutes=1)
        _, held = reserve(acme, now=last_minute, expires_at=last_minute + HOUR)
        confirm(acme, held, now=MARCH.end + HOUR / 2)
        assert UsageEvent.objects.get(kind="add").at == last_minute
        assert (used(acme), used(acme, slot_at(MARCH.end))) == (4, 0)

    def test_somebody_elses_is_not_there(self, acme: Tenant) -> None:
        _, held = reserve(acme)
        with pytest.raises(UnknownReservation):
            confirm(a_tenant("other"), held)
        with pytest.raises(UnknownReservation):
            services.release_reservation(tenant=acme, reservation_id=uuid4(), actor=SOMEBODY, now=NOW)

    def test_a_hold_is_not_corrected(self, acme: Tenant) -> None:
        _, held = reserve(acme)
        with pytest.raises(errors.NotCorrectable, match="'hold'"):
            services.correct(tenant=acme, event_id=held.id, reason="Wrong.", actor=SOMEBODY, now=NOW)


@pytest.mark.django_db
class TestRunningOut:
    def test_it_comes_back_at_the_moment_without_anybody_doing_anything(self, acme: Tenant) -> None:
        reserve(acme, 10)
        before = NOW + HOUR - timedelta(microseconds=1)

        assert (use(acme, now=before).used, use(acme, now=before).held) == (10, 10)
        assert consume(acme, now=before).outcome == Outcome.REFUSED
        assert (use(acme, now=NOW + HOUR).used, use(acme, now=NOW + HOUR).held) == (0, 0)
        assert consume(acme, 10, now=NOW + HOUR).used == 10
        assert Reservation.objects.get().state == "expired"
        assert verify() == []

    def test_then_it_cannot_be_confirmed_any_more(self, acme: Tenant) -> None:
        _, held = reserve(acme)
        with pytest.raises(ReservationClosed, match="is over at"):
            confirm(acme, held, now=NOW + HOUR)
        services.expire_reservations(now=NOW + HOUR)
        with pytest.raises(ReservationClosed, match="is ran out already"):
            confirm(acme, held, now=NOW + HOUR)
        assert let_go(acme, held, now=NOW + HOUR).state == "expired"

    def test_the_job_closes_what_has_run_out_and_nothing_else(self, acme: Tenant) -> None:
        reserve(acme, 4)
        reserve(acme, 3)
        _, longer = reserve(acme, 2, expires_at=NOW + 2 * HOUR)
        reserve(a_tenant("other"), 1)

        assert services.expire_reservations(now=NOW + HOUR) == 2
        assert services.expire_reservations(now=NOW + HOUR) == 0
        assert list(Reservation.objects.filter(state="open")) == [longer]
        assert used(acme) == 2
        assert verify() == []


@pytest.mark.django_db(transaction=True)
def test_of_all_who_close_it_at_once_one_does() -> None:
    acme = a_tenant()
    _, held = reserve(acme, 10)
    late = NOW + HOUR

    def close(number: int) -> str:
        try:
            if number % 4 == 0:
                return str(confirm(acme, held, 10).state)
            if number % 4 == 1:
                return str(let_go(acme, held).state)
            if number % 4 == 2:
                services.expire_reservations(now=late)
                return "tidied"
            return str(consume(acme, 1, now=late).outcome)
        except ReservationClosed:
            return "closed"
        finally:
            connection.close()

    answers = Tally(at_once(close, threads=12))
    held.refresh_from_db()
    assert held.state in {"confirmed", "released", "expired"}
    assert used(acme, now=late) == (10 if held.state == "confirmed" else 0) + answers["booked"]
    assert verify() == []
