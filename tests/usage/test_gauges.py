"""What is told as a level: the highest or the latest of a period."""

from datetime import timedelta

import pytest
from django.db import IntegrityError

from apps.tenants.models import Tenant
from apps.usage import errors
from apps.usage.models import Counter, Crossing
from apps.usage.selectors import verify
from apps.usage.types import Ceiling, Outcome, Slot
from tests.factories import NOW
from tests.usage.calling import (
    MARCH,
    MONTHLY,
    TEN,
    UNLIMITED,
    a_tenant,
    consume,
    event,
    ingest,
    release,
    slot,
    slot_at,
    tell,
    use,
    used,
)

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)
LAST, HIGHEST = slot("disk", "last"), slot("peak", "max")
APRIL = MONTHLY.period_at(MARCH.end)


@pytest.fixture
def acme() -> Tenant:
    return a_tenant()


class TestLevels:
    def test_of_the_latest_it_is_what_was_told_last(self, acme: Tenant) -> None:
        assert [tell(acme, value, slot=LAST).used for value in (5, 9, 3)] == [5, 9, 3]

    def test_of_the_highest_it_is_the_highest(self, acme: Tenant) -> None:
        assert [tell(acme, value, slot=HIGHEST).used for value in (5, 9, 3)] == [5, 9, 9]
        assert use(acme, HIGHEST).level == 3

    def test_more_and_less_can_be_told_too(self, acme: Tenant) -> None:
        tell(acme, 5, slot=HIGHEST)
        assert consume(acme, 3, slot=HIGHEST).used == 8
        assert release(acme, 6, slot=HIGHEST).used == 8
        assert consume(acme, 1, slot=HIGHEST).used == 8
        assert use(acme, HIGHEST).level == 3
        with pytest.raises(errors.NotReleasable):
            release(acme, 4, slot=HIGHEST)

    def test_a_hard_limit_refuses_to_go_above_it_and_never_to_go_down(self, acme: Tenant) -> None:
        assert tell(acme, 11, slot=LAST, ceiling=TEN).outcome == Outcome.REFUSED
        assert not Counter.objects.exists()
        tell(acme, 20, slot=LAST)
        assert tell(acme, 15, slot=LAST, ceiling=Ceiling(limit=10, version=2)).outcome == Outcome.BOOKED
        assert tell(acme, 16, slot=LAST, ceiling=Ceiling(limit=10, version=2)).outcome == Outcome.REFUSED
        assert used(acme, LAST) == 15

    def test_below_the_limit_it_may_go_up_again_though_it_was_higher_before(self, acme: Tenant) -> None:
        tell(acme, 20, slot=HIGHEST)
        tell(acme, 1, slot=HIGHEST)
        assert consume(acme, 5, slot=HIGHEST, ceiling=Ceiling(limit=10, version=2)).outcome == Outcome.BOOKED


class TestOutOfOrder:
    def test_what_is_older_does_not_replace_what_is_newer(self, acme: Tenant) -> None:
        tell(acme, 5, slot=LAST, at=NOW)
        assert tell(acme, 9, slot=LAST, at=NOW - HOUR).used == 5
        assert tell(acme, 9, slot=HIGHEST, at=NOW).used == 9
        assert tell(acme, 12, slot=HIGHEST, at=NOW - HOUR).used == 12
        assert use(acme, HIGHEST).level == 9
        assert verify() == []

    def test_more_that_is_told_late_counts_from_its_moment_on(self, acme: Tenant) -> None:
        tell(acme, 5, slot=LAST, at=NOW - 3 * HOUR)
        consume(acme, 1, slot=LAST, at=NOW, ceiling=UNLIMITED)
        assert consume(acme, 10, slot=LAST, at=NOW - HOUR, ceiling=UNLIMITED).used == 16
        tell(acme, 2, slot=LAST, at=NOW - HOUR / 2)
        assert used(acme, LAST) == 3
        assert verify() == []


class TestPeriods:
    later = APRIL.start + timedelta(days=3)

    def test_the_next_begins_with_the_level_of_the_one_before(self, acme: Tenant) -> None:
        tell(acme, 9, slot=HIGHEST)
        tell(acme, 4, slot=HIGHEST)
        april = slot_at(self.later, "peak", "max")

        assert used(acme, april, self.later) == 4
        assert consume(acme, 1, slot=april, now=self.later).used == 5
        assert Counter.objects.get(period_start=APRIL.start).opening == 4
        assert used(acme, HIGHEST) == 9

    def test_what_is_told_late_of_the_one_before_changes_the_opening(self, acme: Tenant) -> None:
        may = MONTHLY.period_at(APRIL.end)
        for moment in (NOW, self.later, may.start + HOUR):
            consume(acme, 1, slot=slot_at(moment, "disk", "last"), now=moment)
        assert used(acme, slot_at(may.start, "disk", "last"), may.start + HOUR) == 3

        late = self.later - HOUR
        tell(acme, 7, slot=slot_at(late, "disk", "last"), at=late, now=may.start + HOUR)
        assert used(acme, slot_at(self.later, "disk", "last")) == 8
        assert used(acme, slot_at(may.start, "disk", "last")) == 9
        assert verify() == []

    def test_a_period_that_is_told_late_is_put_between(self, acme: Tenant) -> None:
        consume(acme, 2, slot=slot_at(self.later, "disk", "last"), now=self.later)
        tell(acme, 5, slot=LAST, at=NOW, now=NOW + timedelta(days=34))
        assert used(acme, slot_at(self.later, "disk", "last")) == 7
        assert verify() == []


HARD = Ceiling(limit=10, thresholds=(80, 100), version=1)


class TestALimitAndWhatIsToldLate:
    """What is told late is judged by what everything comes to with it, not by the level of now."""

    later = APRIL.start + timedelta(days=3)
    may = MONTHLY.period_at(APRIL.end)

    def april(self, aggregate: str = "last") -> Slot:
        return slot_at(self.later, "disk", aggregate)

    def test_the_highest_does_not_exceed_it_by_a_peak_of_before(self, acme: Tenant) -> None:
        consume(acme, 10, slot=HIGHEST, ceiling=HARD, at=NOW - 4 * HOUR)
        release(acme, 10, slot=HIGHEST, at=NOW - 2 * HOUR)

        refusal = consume(acme, 5, slot=HIGHEST, ceiling=HARD, at=NOW - 3 * HOUR)
        assert (refusal.outcome, refusal.used, refusal.slot) == (Outcome.REFUSED, 10, HIGHEST)
        assert consume(acme, 5, slot=HIGHEST, ceiling=HARD, at=NOW - HOUR).outcome == Outcome.BOOKED
        assert (used(acme, HIGHEST), Crossing.objects.filter(threshold="over").exists()) == (10, False)
        assert verify() == []

    def test_the_latest_does_not_by_what_came_after(self, acme: Tenant) -> None:
        tell(acme, 0, slot=LAST, ceiling=HARD, at=NOW - 4 * HOUR)
        consume(acme, 5, slot=LAST, ceiling=HARD, at=NOW - 2 * HOUR)

        assert tell(acme, 10, slot=LAST, ceiling=HARD, at=NOW - 3 * HOUR).outcome == Outcome.REFUSED
        assert tell(acme, 5, slot=LAST, ceiling=HARD, at=NOW - 3 * HOUR).used == 10
        # Less than it was then is accepted, and so is what the next telling makes good.
        assert tell(acme, 4, slot=LAST, ceiling=HARD, at=NOW - 3 * HOUR).used == 9
        tell(acme, 1, slot=LAST, ceiling=HARD)
        assert tell(acme, 10, slot=LAST, ceiling=HARD, at=NOW - HOUR).used == 1
        assert verify() == []

    @pytest.mark.parametrize("aggregate", ["last", "max"])
    def test_nor_does_a_later_period_that_began_with_it(self, acme: Tenant, aggregate: str) -> None:
        march, april = slot("disk", aggregate), self.april(aggregate)
        consume(acme, 5, slot=march, ceiling=HARD)
        consume(acme, 5, slot=april, ceiling=HARD, now=self.later)

        refusal = consume(acme, 5, slot=march, ceiling=HARD, at=NOW + HOUR, now=self.later)
        # It is April that has no room, so it is April that is answered about.
        assert (refusal.outcome, refusal.used, refusal.limit, refusal.slot) == (Outcome.REFUSED, 10, 10, april)
        assert (used(acme, march), used(acme, april, self.later)) == (5, 10)
        assert verify() == []

    def test_a_later_period_is_judged_by_its_own_limit(self, acme: Tenant) -> None:
        consume(acme, 1, slot=LAST, ceiling=UNLIMITED)
        consume(acme, 5, slot=self.april(), ceiling=Ceiling(limit=8, version=3), now=self.later)
        late = {"slot": LAST, "at": NOW + HOUR, "now": self.later}
        assert consume(acme, 3, ceiling=UNLIMITED, **late).limit == 8
        assert consume(acme, 3, ceiling=Ceiling(limit=9, version=4), **late).outcome == Outcome.BOOKED

    def test_what_comes_to_an_end_before_is_not_in_its_way(self, acme: Tenant) -> None:
        consume(acme, 5, slot=LAST, ceiling=HARD)
        tell(acme, 9, slot=self.april(), ceiling=HARD, now=self.later)
        assert consume(acme, 5, slot=LAST, ceiling=HARD, at=NOW + HOUR, now=self.later).used == 10
        assert used(acme, self.april(), self.later) == 9

    def test_facts_are_booked_and_what_a_later_period_crosses_by_them_is_kept(self, acme: Tenant) -> None:
        consume(acme, 5, slot=LAST, ceiling=HARD)
        consume(acme, 2, slot=self.april(), ceiling=HARD, now=self.later)
        told = event(4, slot=LAST, at=NOW + HOUR, ceiling=HARD)
        assert ingest(acme, told, now=self.later) == ["booked"]

        crossed = Crossing.objects.filter(period_start=APRIL.start)
        assert {(each.threshold, each.used, each.limit) for each in crossed} == {
            *(("80", 11, 10), ("100", 11, 10), ("over", 11, 10))
        }
        assert {each.at for each in crossed} == {APRIL.start}
        assert verify() == []


class TestTheWayItIsCounted:
    def test_it_stays_until_the_period_ends(self, acme: Tenant) -> None:
        consume(acme, 5, slot=slot("disk", "sum"))
        assert consume(acme, 2, slot=LAST).used == 7
        tell(acme, 3, slot=slot("ram", "last"))
        assert consume(acme, 2, slot=slot("ram", "sum")).used == 5
        assert ingest(acme, event(1, slot=slot("ram", "sum")), event(1, slot=slot("disk", "last"))) == ["booked"] * 2
        assert (used(acme, slot("ram")), used(acme, slot("disk"))) == (6, 8)
        assert verify() == []

    def test_what_adds_up_has_no_level(self, acme: Tenant) -> None:
        consume(acme, 5)
        with pytest.raises(IntegrityError, match="usage_only_gauges_have_a_level"):
            Counter.objects.update(level=5)
