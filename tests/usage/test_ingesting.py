"""Booking many facts at once."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.tenants.models import Tenant
from apps.usage import errors, services
from apps.usage.models import Counter, Crossing, UsageEvent
from apps.usage.selectors import verify
from apps.usage.types import Ceiling, Told
from tests.factories import NOW, SOMEBODY
from tests.usage.calling import SOFT, TEN, UNLIMITED, a_tenant, consume, event, ingest, slot, slot_at, used

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)


@pytest.fixture
def acme() -> Tenant:
    return a_tenant()


def test_each_is_booked_in_its_own_slot(acme: Tenant) -> None:
    long_ago = NOW - 30 * DAY
    told = [
        event(2, properties={"route": "/"}),
        event(3, slot=slot_at(long_ago), at=long_ago),
        event(4, slot=slot("mails"), key="m"),
        event(5),
    ]
    assert ingest(acme, *told) == ["booked"] * 4

    assert [used(acme), used(acme, slot_at(long_ago)), used(acme, slot("mails"))] == [7, 3, 4]
    first = UsageEvent.objects.get(amount=2)
    assert (first.properties, first.actor, first.limit, first.used_after) == ({"route": "/"}, "somebody", 10, None)
    assert verify() == []


def test_a_thousand_are_one_statement(acme: Tenant) -> None:
    assert used(acme) == 0
    with CaptureQueriesContext(connection) as queries:
        ingest(acme, *(event(key=f"{number}") for number in range(1000)))
    assert len(queries) == 1
    with CaptureQueriesContext(connection) as queries:
        assert set(ingest(acme, *(event(key=f"{number}") for number in range(1000)))) == {"repeated"}
    assert len(queries) == 2
    assert used(acme) == 1000


def test_more_are_refused_as_a_whole_and_none_is_fine(acme: Tenant) -> None:
    with pytest.raises(errors.TooManyEvents, match="1,001 events"):
        ingest(acme, *[event()] * 1001)
    assert ingest(acme) == []
    assert not UsageEvent.objects.exists()


def test_facts_are_not_refused_but_crossings_are_kept(acme: Tenant) -> None:
    ingest(acme, event(7))
    ingest(acme, event(1), event(4))
    assert used(acme) == 12
    assert set(Crossing.objects.values_list("threshold", "used")) == {("80", 12), ("100", 12), ("over", 12)}
    assert consume(acme).outcome == "refused"


def test_the_result_tells_of_each_in_order(acme: Tenant) -> None:
    known = consume(acme, 1, key="known")
    results = services.ingest(
        tenant=acme,
        events=[
            event(1, key="known"),
            event(2, key="known"),
            event(1, key="new"),
            event(1, key="new"),
            event(9, key="new"),
            event(0),
            event(1, at=NOW - 36 * DAY),
            event(1, key="\x00"),
            event(1),
        ],
        actor=SOMEBODY,
        now=NOW,
    )

    assert [str(each.outcome) for each in results] == [
        *("repeated", "conflict", "booked", "repeated", "conflict", "invalid", "invalid", "invalid", "booked")
    ]
    assert results[0].event_id == results[1].event_id == known.event_id
    assert [type(each.problem).__name__ for each in results if each.problem] == [
        *("IdempotencyKeyReused", "IdempotencyKeyReused", "UnusableAmount", "TooOld", "UnusableKey")
    ]
    assert used(acme) == 3
    assert verify() == []


def test_a_repeated_single_call_knows_what_was_told_in_bulk(acme: Tenant) -> None:
    ingest(acme, event(2, key="a"), event(3))
    again = consume(acme, 2, key="a")
    assert (again.outcome, again.used) == ("repeated", 5)


def test_gauges_are_told_in_the_order_of_the_batch(acme: Tenant) -> None:
    last, highest = slot("disk", "last"), slot("peak", "max")
    told = [
        event(5, slot=last, told=Told.ALTOGETHER, ceiling=Ceiling(limit=4, thresholds=(100,), version=2)),
        event(7, slot=highest, told=Told.ALTOGETHER),
        event(3, slot=last),
        event(0, slot=highest, told=Told.ALTOGETHER, key="a"),
        event(1, slot=highest, told=Told.ALTOGETHER, key="a"),
        event(1),
    ]
    assert ingest(acme, *told) == ["booked"] * 4 + ["conflict", "booked"]
    assert (used(acme, last), used(acme, highest), used(acme)) == (8, 7, 1)
    assert Crossing.objects.filter(feature="disk").count() == 2
    assert verify() == []


def test_telling_what_adds_up_keeps_its_place_in_the_batch(acme: Tenant) -> None:
    assert ingest(acme, event(5), event(10, told=Told.ALTOGETHER), event(3)) == ["booked"] * 3
    assert used(acme) == 13
    assert verify() == []


def test_of_several_ceilings_the_newest_counts(acme: Tenant) -> None:
    newest = Ceiling(limit=3, version=9)
    ingest(acme, event(1, ceiling=newest), event(1, ceiling=SOFT), event(1, ceiling=UNLIMITED))
    counter = Counter.objects.get()
    assert (counter.limit, counter.soft, counter.limit_version) == (3, False, 9)
    ingest(acme, event(1, ceiling=TEN))
    counter.refresh_from_db()
    assert counter.limit == 3
