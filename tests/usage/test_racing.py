"""Many callers at the same moment."""

import threading
from collections import Counter as Tally
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest
from django.db import OperationalError, connection, transaction

from apps.core.errors import IdempotencyKeyReused
from apps.tenants.models import Tenant
from apps.usage.models import Counter, UsageEvent
from apps.usage.selectors import verify
from apps.usage.types import Ceiling, Outcome
from tests.factories import NOW
from tests.usage.calling import MARCH, TEN, a_tenant, consume, event, ingest, slot, slot_at, tell, used

THREADS = 32
LIMIT = 50
CEILING = Ceiling(limit=LIMIT, thresholds=(80, 100))
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def acme() -> Tenant:
    return a_tenant()


def at_once(call: Callable[[int], Any], threads: int = THREADS) -> list[Any]:
    """What each of so many threads was answered, all of which begin together."""
    together = threading.Barrier(threads)

    def run(number: int) -> Any:
        try:
            connection.ensure_connection()
            together.wait(20)
            return call(number)
        finally:
            connection.close()

    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(run, range(threads)))


def wait_until_somebody_waits() -> None:
    """Return once a session waits for what another one holds."""
    with connection.cursor() as cursor:
        for _ in range(10_000):
            cursor.execute("SELECT count(*) FROM pg_locks WHERE NOT granted")
            if cursor.fetchone()[0]:
                return
    raise AssertionError("nobody waited")


class TestOneCounter:
    def test_exactly_the_limit_is_accepted(self, acme: Tenant) -> None:
        answers = at_once(lambda number: [consume(acme, ceiling=CEILING).outcome for _ in range(4)])

        tally = Tally(outcome for each in answers for outcome in each)
        assert tally == {Outcome.BOOKED: LIMIT, Outcome.REFUSED: THREADS * 4 - LIMIT}
        assert used(acme) == LIMIT == UsageEvent.objects.count()
        assert verify() == []

    def test_without_the_guard_more_is_accepted(self, acme: Tenant) -> None:
        """Reading and then writing, as one would without the one statement: what the guard is there for."""
        consume(acme, LIMIT - 1, ceiling=CEILING)
        all_have_read = threading.Barrier(THREADS)

        def read_then_write(number: int) -> bool:
            counter = Counter.objects.get()
            all_have_read.wait(20)
            if counter.used + 1 > LIMIT:
                return False
            UsageEvent.objects.create(
                tenant_uuid=acme.pk,
                feature=counter.feature,
                period_start=counter.period_start,
                period_end=counter.period_end,
                kind="add",
                amount=1,
                at=NOW,
            )
            Counter.objects.update(used=counter.used + 1)
            return True

        assert sum(at_once(read_then_write)) == THREADS
        assert sum(UsageEvent.objects.values_list("amount", flat=True)) == LIMIT - 1 + THREADS
        assert verify() != []

    def test_a_counter_that_is_not_there_yet_is_made_once(self, acme: Tenant) -> None:
        assert sorted(each.used for each in at_once(lambda number: consume(acme, ceiling=CEILING))) == [*range(1, 33)]
        assert Counter.objects.count() == 1

    def test_so_it_is_for_gauges(self, acme: Tenant) -> None:
        gauge = slot("disk", "max")
        answers = at_once(lambda number: consume(acme, 1, slot=gauge, ceiling=Ceiling(limit=20)).outcome)
        assert Tally(answers) == {Outcome.BOOKED: 20, Outcome.REFUSED: 12}
        assert verify() == []


class TestOneKey:
    def test_a_hundred_times_at_once_is_one_entry_and_one_answer(self, acme: Tenant) -> None:
        answers = at_once(lambda number: [consume(acme, 3, key="a") for _ in range(4)], threads=25)

        every = [answer for each in answers for answer in each]
        assert len(every) == 100
        assert {(each.used, each.limit, each.event_id) for each in every} == {(3, 10, UsageEvent.objects.get().id)}
        assert Tally(each.outcome for each in every) == {Outcome.BOOKED: 1, Outcome.REPEATED: 99}
        assert used(acme) == 3
        assert verify() == []

    def test_one_of_several_payloads_is_booked_and_the_others_are_told(self, acme: Tenant) -> None:
        def call(number: int) -> Any:
            with suppress(IdempotencyKeyReused):
                return consume(acme, 1 + number % 4, key="a").used

        answers = [each for each in at_once(call) if each is not None]
        assert len(answers) == THREADS // 4
        assert set(answers) == {used(acme)}
        assert verify() == []

    def test_also_of_different_features(self, acme: Tenant) -> None:
        features = ["calls", "mails"]

        def call(number: int) -> Any:
            with suppress(IdempotencyKeyReused):
                return consume(acme, 1, key="a", slot=slot(features[number % 2])).outcome

        assert Tally(at_once(call, threads=8)) == {Outcome.BOOKED: 1, Outcome.REPEATED: 3, None: 4}
        assert sum(Counter.objects.values_list("used", flat=True)) == 1
        assert verify() == []


class TestManyWays:
    def test_batches_and_single_calls_neither_wait_for_ever_nor_lose_anything(self, acme: Tenant) -> None:
        features = ["calls", "mails", "bytes"]

        def call(number: int) -> None:
            order = features if number % 2 else features[::-1]
            batch = [event(2, slot=slot(each), key=f"{number // 2}-{each}") for each in order]
            if number % 4 == 3:
                for each in batch:
                    consume(acme, 2, slot=each.slot, key=each.key, ceiling=Ceiling(None))
            else:
                ingest(acme, *batch)

        at_once(call, threads=24)
        assert {each.feature: each.used for each in Counter.objects.all()} == dict.fromkeys(features, 24)
        assert verify() == []

    def test_a_gauge_told_by_many(self, acme: Tenant) -> None:
        gauge = slot("disk", "last")
        at_once(lambda number: tell(acme, number, slot=gauge), threads=12)
        latest = UsageEvent.objects.latest("booked_at")
        assert used(acme, gauge) == latest.value == Counter.objects.get().level
        assert verify() == []

    def test_a_gauge_told_late_while_its_next_period_begins(self, acme: Tenant) -> None:
        april = MARCH.end + timedelta(days=1)

        def call(number: int) -> None:
            moment = NOW if number % 2 else april
            consume(acme, 1, slot=slot_at(moment, "disk", "last"), at=moment, now=april, ceiling=Ceiling(None))

        at_once(call, threads=16)
        assert used(acme, slot_at(april, "disk", "last"), april) == 16
        assert verify() == []

    def test_over_the_edge_of_a_gauges_period_nobody_waits_for_ever(self, acme: Tenant) -> None:
        before, after = MARCH.end - timedelta(minutes=1), MARCH.end + timedelta(seconds=30)

        def race(feature: str) -> None:
            march, april = slot_at(before, feature, "last"), slot_at(after, feature, "last")
            both = [event(1, slot=march, at=before) for _ in range(20)] + [event(3, slot=april, at=after)]
            tell(acme, 1, slot=march, now=before)
            calls = [lambda: ingest(acme, *both, now=after), lambda: tell(acme, 4, slot=april, now=after)]
            at_once(lambda number: calls[number % 2](), threads=4)

        for number in range(6):
            race(f"disk{number}")
        assert verify() == []

    def test_whoever_took_a_gauges_row_first_would(self, acme: Tenant) -> None:
        """The same order everywhere is what the guard is: the other way round it fails."""
        gauge, held = slot("disk", "last"), threading.Barrier(2)
        tell(acme, 1, slot=gauge)

        def row_first(number: int) -> str:
            with suppress(OperationalError), transaction.atomic():
                if number == 0:
                    Counter.objects.select_for_update(no_key=True).get()
                held.wait(20)
                if number == 0:
                    wait_until_somebody_waits()
                return str(tell(acme, number, slot=gauge).outcome)
            return "deadlock"

        assert sorted(at_once(row_first, threads=2)) == ["booked", "deadlock"]

    def test_a_smaller_limit_counts_for_all_from_its_first_use_on(self, acme: Tenant) -> None:
        consume(acme, 5, ceiling=Ceiling(limit=100, version=1))
        consume(acme, 1, ceiling=Ceiling(limit=TEN.limit, version=2))
        answers = at_once(lambda number: consume(acme, ceiling=Ceiling(limit=100, version=1)).outcome)
        assert Tally(answers) == {Outcome.BOOKED: 4, Outcome.REFUSED: 28}
