"""Asking and booking by one call."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from apps.core.errors import IdempotencyKeyReused
from apps.tenants.models import Tenant
from apps.usage import errors, services
from apps.usage.models import Counter, Crossing, UsageEvent
from apps.usage.selectors import verify
from apps.usage.types import Ceiling, Outcome, Slot
from tests.factories import NOW, SOMEBODY
from tests.usage.calling import (
    MARCH,
    SOFT,
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
    used,
)

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)


@pytest.fixture
def acme() -> Tenant:
    return a_tenant()


class TestBooking:
    def test_it_answers_with_the_numbers_it_was_judged_by(self, acme: Tenant) -> None:
        booking = consume(acme, 4, properties={"route": "/v1"})

        assert (booking.outcome, booking.used, booking.limit, booking.soft) == (Outcome.BOOKED, 4, 10, False)
        event = UsageEvent.objects.get(id=booking.event_id)
        assert (event.amount, event.used_after, event.actor, event.properties) == (4, 4, "somebody", {"route": "/v1"})
        assert (event.period_start, event.period_end, event.at) == (MARCH.start, MARCH.end, NOW)

    def test_it_is_one_statement(self, acme: Tenant) -> None:
        # Whatever a connection says once, such as which schema it looks into, it has said by then.
        assert used(acme) == 0
        for amount, outcome in ((8, "booked"), (2, "booked"), (1, "refused")):
            with CaptureQueriesContext(connection) as queries:
                assert consume(acme, amount, key=f"{amount}").outcome == outcome
            assert len(queries) == 1, queries.captured_queries
        with CaptureQueriesContext(connection) as queries:
            assert consume(acme, 8, key="8").outcome == "repeated"
        assert len(queries) == 1

    def test_the_limit_is_reached_exactly_and_a_refusal_leaves_nothing(self, acme: Tenant) -> None:
        assert consume(acme, 9).outcome == Outcome.BOOKED
        refusal = consume(acme, 2)

        assert (refusal.outcome, refusal.used, refusal.limit, refusal.event_id) == (Outcome.REFUSED, 9, 10, None)
        assert consume(acme, 1).used == 10
        assert UsageEvent.objects.count() == 2

    def test_a_refusal_of_the_first_call_leaves_nothing_either(self, acme: Tenant) -> None:
        assert consume(acme, 11).outcome == Outcome.REFUSED
        assert consume(acme, ceiling=Ceiling(limit=0)).outcome == Outcome.REFUSED
        assert not Counter.objects.exists()

    def test_nothing_refuses_what_is_unlimited_or_soft(self, acme: Tenant) -> None:
        assert consume(acme, 10**15, slot=slot("bytes"), ceiling=UNLIMITED).limit is None
        over = consume(acme, 11, ceiling=SOFT)
        assert (over.outcome, over.used, over.limit, over.soft) == (Outcome.BOOKED, 11, 10, True)

    def test_tenants_and_features_do_not_know_each_other(self, acme: Tenant) -> None:
        other = a_tenant("other")
        consume(acme, 10)
        assert consume(other, 10).used == 10
        assert consume(acme, 10, slot=slot("mails")).used == 10

    @pytest.mark.parametrize("amount", [0, -1, 10**15 + 1])
    def test_an_amount_that_is_none_is_said_to_be(self, acme: Tenant, amount: int) -> None:
        with pytest.raises(errors.UnusableAmount, match=f"The amount is {amount},"):
            consume(acme, amount)


class TestCeiling:
    def test_a_higher_limit_counts_at_once(self, acme: Tenant) -> None:
        consume(acme, 10)
        assert consume(acme, 5, ceiling=Ceiling(limit=20, version=2)).used == 15

    def test_a_caller_who_knows_less_is_judged_by_the_newer_limit(self, acme: Tenant) -> None:
        consume(acme, 1, ceiling=Ceiling(limit=2, version=5))
        refusal = consume(acme, 5, ceiling=Ceiling(limit=100, version=4))
        assert (refusal.outcome, refusal.limit) == (Outcome.REFUSED, 2)
        assert consume(acme, 1, ceiling=Ceiling(limit=1, version=4)).outcome == Outcome.BOOKED

    def test_a_smaller_limit_takes_nothing_away(self, acme: Tenant) -> None:
        consume(acme, 10)
        refusal = consume(acme, 1, ceiling=Ceiling(limit=5, version=2))
        assert (refusal.outcome, refusal.used, refusal.limit) == (Outcome.REFUSED, 10, 5)

    def test_a_period_that_is_over_keeps_the_one_it_ended_with(self, acme: Tenant) -> None:
        april = MARCH.end + DAY
        consume(acme, 50, ceiling=Ceiling(limit=100, thresholds=(100,), version=1))
        downgraded = Ceiling(limit=10, thresholds=(100,), version=2)
        late = consume(acme, 1, at=MARCH.end - DAY, now=april, ceiling=downgraded)

        assert (late.outcome, late.used, late.limit) == (Outcome.BOOKED, 51, 100)
        services.ingest(
            tenant=acme, events=[event(1, ceiling=downgraded, at=MARCH.end - DAY)], actor=SOMEBODY, now=april
        )
        assert (Counter.objects.get().used, Counter.objects.get().limit) == (52, 100)
        assert not Crossing.objects.exists()
        # Nothing was told of February yet, so it has none of its own.
        assert consume(acme, 1, slot=slot_at(NOW - 20 * DAY), at=NOW - 20 * DAY, ceiling=downgraded).limit == 10


class TestClosed:
    """To whom nothing is granted nothing is booked, whatever the numbers say."""

    higher = Ceiling(limit=100, thresholds=(80, 100), version=1)

    @pytest.mark.parametrize("version", [0, 1, 2])
    @pytest.mark.parametrize("of", [slot(), slot("disk", "last"), slot("peak", "max")], ids=["sum", "last", "max"])
    def test_everything_is_refused_and_leaves_nothing(self, acme: Tenant, of: Slot, version: int) -> None:
        consume(acme, 5, slot=of, ceiling=self.higher)
        before = Counter.objects.values().get()

        given: dict[str, Any] = {"slot": of, "ceiling": Ceiling(limit=100, thresholds=(1,), version=version)}
        answers = [consume(acme, 1, closed=True, **given), *(tell(acme, n, closed=True, **given) for n in (5, 4, 0))]
        assert {(each.outcome, each.used, each.event_id, each.slot) for each in answers} == {("refused", 5, None, of)}
        assert Counter.objects.values().get() == before
        assert (UsageEvent.objects.count(), Crossing.objects.count()) == (1, 0)

    def test_so_is_what_would_be_the_first(self, acme: Tenant) -> None:
        assert consume(acme, ceiling=UNLIMITED, closed=True).outcome == Outcome.REFUSED
        assert tell(acme, 0, slot=slot("disk", "last"), closed=True).outcome == Outcome.REFUSED
        assert not Counter.objects.exists()

    def test_what_was_booked_before_is_answered_as_the_first_time(self, acme: Tenant) -> None:
        first, told = consume(acme, 3, key="a"), tell(acme, 4, slot=slot("disk", "last"), key="b")
        again = consume(acme, 3, key="a", closed=True)
        assert (again.outcome, again.used, again.event_id) == (Outcome.REPEATED, 3, first.event_id)
        assert tell(acme, 4, slot=slot("disk", "last"), key="b", closed=True).event_id == told.event_id
        with pytest.raises(IdempotencyKeyReused):
            consume(acme, 4, key="a", closed=True)


class TestMoreThanCanBeCounted:
    most = 10**18

    @pytest.fixture
    def full(self, acme: Tenant) -> Tenant:
        """Nearly: by way of the row, since a thousand calls would be needed for it."""
        consume(acme, 1, ceiling=UNLIMITED)
        Counter.objects.update(used=self.most - 10)
        return acme

    def test_it_is_said_to_be(self, full: Tenant) -> None:
        assert consume(full, 4, ceiling=UNLIMITED).used == self.most - 6
        with pytest.raises(errors.UnusableAmount, match="More than 1,000,000,000,000,000,000 of calls"):
            consume(full, 7, ceiling=UNLIMITED)
        assert consume(full, 6, ceiling=UNLIMITED).used == self.most

    def test_of_many_those_that_fit_are_booked(self, full: Tenant) -> None:
        consume(full, 1, key="a", ceiling=UNLIMITED)
        told = [event(9), event(10**15), event(1, key="a"), event(1, slot=slot("mails"))]
        assert ingest(full, *told) == ["booked", "invalid", "repeated", "booked"]
        assert used(full) == self.most
        assert ingest(full, event(1)) == ["invalid"]

    def test_so_it_is_for_gauges(self, acme: Tenant) -> None:
        disk = slot("disk", "last")
        tell(acme, 10**15, slot=disk)
        Counter.objects.update(level=self.most, used=self.most)
        with pytest.raises(errors.UnusableAmount, match="of disk"):
            consume(acme, 1, slot=disk, ceiling=UNLIMITED)


class TestKeys:
    def test_the_same_call_is_answered_as_the_first_time(self, acme: Tenant) -> None:
        first = consume(acme, 3, key="a")
        consume(acme, 5)
        again = consume(acme, 3, key="a", now=NOW + DAY)

        assert (again.outcome, again.used, again.event_id) == (Outcome.REPEATED, 3, first.event_id)
        assert used(acme) == 8

    def test_it_is_answered_also_when_nothing_is_left(self, acme: Tenant) -> None:
        consume(acme, 10, key="a")
        assert consume(acme, 10, key="a").outcome == Outcome.REPEATED

    def test_it_is_answered_also_when_the_next_period_has_begun(self, acme: Tenant) -> None:
        consume(acme, 1, key="a")
        later = MARCH.end + DAY
        again = consume(acme, 1, key="a", slot=slot_at(later), now=later)
        assert (again.outcome, again.slot) == (Outcome.REPEATED, slot())
        assert Counter.objects.count() == 1

    def test_what_was_refused_is_asked_anew(self, acme: Tenant) -> None:
        assert consume(acme, 11, key="a").outcome == Outcome.REFUSED
        assert consume(acme, 11, key="a", ceiling=Ceiling(limit=11, version=2)).outcome == Outcome.BOOKED

    @pytest.mark.parametrize(
        "other", [{"amount": 2}, {"slot": slot("mails")}, {"properties": {"a": 1}}], ids=["amount", "feature", "more"]
    )
    def test_another_call_of_the_same_key_is_an_error(self, acme: Tenant, other: dict[str, Any]) -> None:
        consume(acme, 1, key="a")
        with pytest.raises(IdempotencyKeyReused, match="'a' was used for another call"):
            consume(acme, **{"amount": 1, "key": "a", **other})
        assert UsageEvent.objects.count() == 1
        assert used(acme) == 1
        assert verify() == []

    def test_using_and_giving_back_are_different_calls(self, acme: Tenant) -> None:
        consume(acme, 1, key="a")
        with pytest.raises(IdempotencyKeyReused):
            release(acme, 1, key="a")

    def test_another_tenant_has_keys_of_its_own(self, acme: Tenant) -> None:
        consume(acme, 1, key="a")
        assert consume(a_tenant("other"), 2, key="a").outcome == Outcome.BOOKED

    @pytest.mark.parametrize("key", ["", "x" * 256, "a\x00b", "\ud800"])
    def test_a_key_that_cannot_be_kept_is_said_to_be(self, acme: Tenant, key: str) -> None:
        with pytest.raises(errors.UnusableKey):
            consume(acme, key=key)

    @pytest.mark.parametrize("value", [object(), float("nan"), "a\x00b", "\ud800"])
    def test_properties_that_cannot_be_kept_are_said_to_be(self, acme: Tenant, value: object) -> None:
        with pytest.raises(errors.UnusableProperties):
            consume(acme, properties={"it": value})

    @pytest.mark.parametrize("properties", [[1, 2], "x", [], 0])
    def test_properties_that_are_no_object_are_said_to_be(self, acme: Tenant, properties: Any) -> None:
        with pytest.raises(errors.UnusableProperties, match="but must be an object"):
            consume(acme, properties=properties)

    @pytest.mark.parametrize("text", ["C:\\u0000x", "\\\\u0000", "\\"])
    def test_text_that_only_looks_like_a_zero_byte_is_kept(self, acme: Tenant, text: str) -> None:
        consume(acme, properties={"path": text})
        assert UsageEvent.objects.get().properties == {"path": text}
        with pytest.raises(errors.UnusableProperties):
            consume(acme, properties={"path": text + "\x00"})


class TestInsideTheCallersTransaction:
    def test_refusal_and_repetition_leave_it_usable(self, transactional_db: None, acme: Tenant) -> None:
        consume(acme, 9, key="a")
        with transaction.atomic():
            assert consume(acme, 2).outcome == Outcome.REFUSED
            assert consume(acme, 9, key="a").outcome == Outcome.REPEATED
            with pytest.raises(IdempotencyKeyReused):
                consume(acme, 1, key="a")
            with pytest.raises(errors.NotReleasable):
                release(acme, 10)
            assert consume(acme, 1, key="b").outcome == Outcome.BOOKED
        connection.close()

        assert used(acme) == 10
        assert UsageEvent.objects.count() == 2

    def test_no_savepoint_is_needed_for_that(self, acme: Tenant) -> None:
        consume(acme, 10, key="a")
        with CaptureQueriesContext(connection) as queries:
            consume(acme, 10, key="a")
            consume(acme)
        assert not [each for each in queries if "SAVEPOINT" in each["sql"]]

    def test_what_the_caller_takes_back_was_never_booked(self, acme: Tenant) -> None:
        with transaction.atomic():
            consume(acme, 10, key="a")
            transaction.set_rollback(True)
        assert used(acme) == 0
        assert consume(acme, 10, key="a").outcome == Outcome.BOOKED


class TestReleasing:
    def test_what_was_given_back_can_be_used_again(self, acme: Tenant) -> None:
        seats = slot("seats", "perpetual")
        consume(acme, 10, slot=seats)
        assert release(acme, 4, slot=seats).used == 6
        assert consume(acme, 5, slot=seats).outcome == Outcome.REFUSED
        assert consume(acme, 4, slot=seats).used == 10

    def test_more_than_is_in_use_is_not(self, acme: Tenant) -> None:
        with pytest.raises(errors.NotReleasable, match="0 are"):
            release(acme, 1)
        consume(acme, 2)
        with pytest.raises(errors.NotReleasable, match="of calls in use as is given back: 2 are"):
            release(acme, 3)
        assert used(acme) == 2

    def test_the_same_key_gives_back_once(self, acme: Tenant) -> None:
        consume(acme, 5)
        assert [release(acme, 2, key="a").used for _ in range(2)] == [3, 3]


class TestTellingWhatAddsUp:
    def test_the_difference_is_booked(self, acme: Tenant) -> None:
        consume(acme, 4)
        assert tell(acme, 7, slot=slot(), ceiling=TEN).used == 7
        assert tell(acme, 2, slot=slot(), ceiling=TEN).used == 2
        assert list(UsageEvent.objects.order_by("booked_at").values_list("amount", flat=True)) == [4, 3, -5]
        assert verify() == []

    def test_less_is_never_refused_and_more_is(self, acme: Tenant) -> None:
        consume(acme, 20, ceiling=SOFT)
        assert tell(acme, 15, slot=slot(), ceiling=Ceiling(limit=10, version=2)).outcome == Outcome.BOOKED
        assert tell(acme, 16, slot=slot(), ceiling=Ceiling(limit=10, version=2)).outcome == Outcome.REFUSED

    def test_the_same_key_is_the_same_telling(self, acme: Tenant) -> None:
        tell(acme, 7, slot=slot(), key="a")
        consume(acme, 1)
        assert tell(acme, 7, slot=slot(), key="a").outcome == Outcome.REPEATED
        with pytest.raises(IdempotencyKeyReused):
            tell(acme, 8, slot=slot(), key="a")
        assert used(acme) == 8


class TestCrossings:
    def marks(self) -> list[tuple[str, int, int]]:
        return list(Crossing.objects.order_by("used", "threshold").values_list("threshold", "used", "limit"))

    def test_each_is_kept_once_per_period(self, acme: Tenant) -> None:
        for _ in range(9):
            consume(acme, ceiling=SOFT)
        assert self.marks() == [("80", 8, 10)]
        consume(acme, 4, ceiling=SOFT)
        assert self.marks() == [("80", 8, 10), ("100", 13, 10), ("over", 13, 10)]
        release(acme, 10)
        consume(acme, 10, ceiling=SOFT)
        assert len(self.marks()) == 3
        later = MARCH.end + DAY
        consume(acme, 8, slot=slot_at(later), now=later, ceiling=SOFT)
        assert len(self.marks()) == 4

    def test_a_smaller_limit_may_be_crossed_by_the_next_use(self, acme: Tenant) -> None:
        consume(acme, 8, ceiling=Ceiling(limit=100, thresholds=(80, 100), version=1))
        consume(acme, 1, ceiling=Ceiling(limit=10, thresholds=(80, 100), version=2))
        assert self.marks() == [("80", 9, 10)]

    def test_a_limit_below_what_is_used_is_told_though_it_refuses(self, acme: Tenant) -> None:
        consume(acme, 9, ceiling=Ceiling(limit=100, thresholds=(80, 100), version=1))
        for _ in range(2):
            refusal = consume(acme, 1, ceiling=Ceiling(limit=5, thresholds=(80, 100), version=2))
            assert refusal.outcome == Outcome.REFUSED
        assert self.marks() == [("100", 9, 5), ("80", 9, 5), ("over", 9, 5)]
        assert Counter.objects.get().limit == 100

    def test_a_threshold_that_is_new_is_told_by_the_next_use(self, acme: Tenant) -> None:
        consume(acme, 9, ceiling=Ceiling(limit=100, thresholds=(80,), version=1))
        ingest(acme, event(1, ceiling=Ceiling(limit=100, thresholds=(5, 80), version=2)))
        consume(acme, 1, ceiling=Ceiling(limit=100, thresholds=(2, 5, 80), version=3))
        assert self.marks() == [("5", 10, 100), ("2", 11, 100)]

    def test_what_is_not_granted_at_all_is_crossed_by_using_it(self, acme: Tenant) -> None:
        consume(acme, ceiling=Ceiling(limit=0, soft=True, thresholds=(100,)))
        assert self.marks() == [("100", 1, 0), ("over", 1, 0)]

    def test_repetition_and_refusal_cross_nothing(self, acme: Tenant) -> None:
        consume(acme, 7, key="a")
        consume(acme, 7, key="a")
        consume(acme, 7)
        assert self.marks() == []
