"""Which period something is counted in: told late, told early, and at the edge."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from django.db import connection, transaction

from apps.usage import errors, services
from apps.usage.models import Counter
from apps.usage.types import Booking, Outcome
from tests.factories import NOW
from tests.usage.calling import MARCH, TEN, a_tenant, consume, event, ingest, slot, slot_at, tell, used

MOMENT = timedelta(microseconds=1)


@pytest.mark.django_db
class TestMoments:
    def test_thirty_five_days_late_it_is_booked_where_it_belongs(self) -> None:
        acme, long_ago = a_tenant(), NOW - timedelta(days=35)
        consume(acme, 4, slot=slot_at(long_ago), at=long_ago)

        counter = Counter.objects.get()
        assert (counter.period_start, counter.period_end) == (
            datetime(2026, 1, 1, tzinfo=UTC),
            datetime(2026, 2, 1, tzinfo=UTC),
        )
        assert used(acme, slot_at(long_ago)) == 4
        assert used(acme) == 0

    def test_later_than_that_it_is_not(self) -> None:
        too_long_ago = NOW - timedelta(days=35) - MOMENT
        with pytest.raises(errors.TooOld, match="more than 35 days ago"):
            consume(a_tenant(), slot=slot_at(too_long_ago), at=too_long_ago)

    def test_five_minutes_ahead_it_is_and_further_it_is_not(self) -> None:
        ahead = NOW + timedelta(minutes=5)
        assert consume(a_tenant(), at=ahead).outcome == Outcome.BOOKED
        with pytest.raises(errors.TooFarAhead, match="more than 5 minutes ahead"):
            consume(a_tenant(), at=ahead + MOMENT)

    @pytest.mark.parametrize(
        ("at", "problem"),
        [
            (datetime(1, 1, 1, tzinfo=UTC), errors.TooOld),
            (datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=9))), errors.TooOld),
            (datetime(9999, 12, 31, 23, tzinfo=timezone(timedelta(hours=-9))), errors.TooFarAhead),
            (datetime(2026, 3, 1), errors.UnusableMoment),
            ("2026-03-01", errors.UnusableMoment),
        ],
    )
    def test_what_is_no_moment_of_these_days_is_said_to_be(self, at: Any, problem: type[Exception]) -> None:
        for call in (consume, tell):
            with pytest.raises(problem):
                call(a_tenant(), 1, at=at)
        # Also without a slot: to be asked before the period of it is.
        with pytest.raises(problem):
            services.refuse_far(at, NOW)
        assert ingest(a_tenant(), event(1, at=at), event(1)) == ["invalid", "booked"]

    def test_a_slot_of_another_period_is_noticed(self) -> None:
        with pytest.raises(errors.OutsidePeriod, match="not within the period of calls from 2026-03-01"):
            consume(a_tenant(), at=MARCH.start - MOMENT)


def elsewhere(call: Callable[[], Booking | int]) -> Booking | int:
    """The same on a connection of its own."""

    def run() -> Booking | int:
        try:
            return call()
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool:
        return pool.submit(run).result(timeout=20)


@pytest.mark.django_db(transaction=True)
def test_at_the_edge_two_connections_see_the_same_two_periods() -> None:
    acme = a_tenant()
    edge, before = MARCH.end, MARCH.end - MOMENT
    march, april = slot_at(before), slot_at(edge)
    assert consume(acme, 10, slot=march, now=before).outcome == Outcome.BOOKED

    # Nobody turns a period: to whoever asks at the edge, the new one has begun, to the other it has not.
    with transaction.atomic():
        assert consume(acme, 6, slot=april, now=edge).used == 6
        refused = elsewhere(lambda: consume(acme, 1, slot=march, now=before))
        assert (refused.outcome, refused.used) == (Outcome.REFUSED, 10)
        assert elsewhere(lambda: used(acme, april, edge)) == 0
    assert elsewhere(lambda: used(acme, april, edge)) == 6

    assert elsewhere(lambda: consume(acme, 5, slot=april, now=edge)).outcome == Outcome.REFUSED
    assert elsewhere(lambda: consume(acme, 4, slot=april, now=edge)).used == 10
    assert (used(acme, march, edge), used(acme, april, edge)) == (10, 10)


@pytest.mark.django_db
def test_hours_go_by_as_they_are_asked_for() -> None:
    acme = a_tenant()
    assert TEN.limit == consume(acme, 10, slot=slot()).used
    # A job that comes late or never has nothing to do with it: there is none.
    for month in range(1, 6):
        later = datetime(2026, 3 + month, 1, tzinfo=UTC)
        assert consume(acme, 10, slot=slot_at(later), now=later).outcome == Outcome.BOOKED
        assert consume(acme, 1, slot=slot_at(later), now=later).outcome == Outcome.REFUSED
