"""What the books tell: use, history, events, crossings; and whether they are right."""

from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.core.periods import Unit
from apps.tenants.models import Tenant
from apps.usage import errors, selectors, services
from apps.usage.models import Counter
from apps.usage.types import Bucket, Cursor, Discrepancy, Use
from tests.factories import NOW, SOMEBODY
from tests.usage.calling import (
    MARCH,
    MONTHLY,
    SOFT,
    UNLIMITED,
    a_tenant,
    consume,
    event,
    ingest,
    release,
    slot,
    slot_at,
    tell,
)

pytestmark = pytest.mark.django_db
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@pytest.fixture
def acme() -> Tenant:
    return a_tenant()


class TestUse:
    def test_any_number_of_slots_and_tenants_is_one_query(self, acme: Tenant) -> None:
        other = a_tenant("other")
        consume(acme, 3)
        consume(other, 4)
        tell(acme, 5, slot=slot("disk", "last"))
        slots = [slot(), slot("disk", "last"), slot("mails"), slot("seats", "perpetual")]

        with CaptureQueriesContext(connection) as queries:
            found = selectors.used_of(tenant_keys=[acme.pk, other.pk], slots=slots, now=NOW)
        assert len(queries) == 1
        assert found == {acme.pk: {"calls": 3, "disk": 5}, other.pk: {"calls": 4}}

    def test_of_no_slots_there_is_nothing(self, acme: Tenant) -> None:
        assert selectors.used_of(tenant_keys=[acme.pk], slots=[], now=NOW) == {acme.pk: {}}

    def test_of_the_highest_it_tells_what_the_next_is_added_to(self, acme: Tenant) -> None:
        peak = slot("peak", "max")
        consume(acme, 9, slot=peak)
        release(acme, 7, slot=peak)
        consume(acme, 4)
        uses = selectors.uses_of(tenant_keys=[acme.pk], slots=[peak, slot(), slot("mails")], now=NOW)
        assert uses == {acme.pk: {"peak": Use(used=9, level=2, held=0), "calls": Use(used=4, level=4, held=0)}}


class TestHistory:
    def told(self, tenant: Tenant, by: Unit, since: datetime, until: datetime, feature: str = "calls") -> list[int]:
        buckets = selectors.history(tenant_key=tenant.pk, feature=feature, since=since, until=until, by=by)
        assert [each.start for each in buckets] == sorted({each.start for each in buckets})
        return [each.used for each in buckets]

    def test_hours_and_days_have_no_gaps_and_end_where_they_are_told_to(self, acme: Tenant) -> None:
        for hours, amount in ((0, 1), (0.5, 2), (3, 4), (30, 8)):
            consume(acme, amount, at=NOW + hours * HOUR, now=NOW + hours * HOUR, ceiling=UNLIMITED)

        assert self.told(acme, Unit.HOUR, NOW, NOW + 4 * HOUR) == [3, 0, 0, 4]
        assert self.told(acme, Unit.HOUR, NOW + HOUR / 4, NOW + 3 * HOUR) == [2, 0, 0]
        assert self.told(acme, Unit.DAY, NOW - DAY, NOW + 2 * DAY) == [0, 7, 8, 0]
        assert self.told(acme, Unit.DAY, NOW, NOW) == []

    def test_months_are_those_of_the_calendar(self, acme: Tenant) -> None:
        for moment in (NOW, MARCH.end, MARCH.end + 30 * DAY):
            consume(acme, 2, slot=slot_at(moment), now=moment)
        found = selectors.history(
            tenant_key=acme.pk, feature="calls", since=NOW, until=datetime(2026, 5, 2, tzinfo=UTC), by=Unit.MONTH
        )
        assert found == [Bucket(datetime(2026, month, 1, tzinfo=UTC), 2) for month in (3, 4, 5)]

    def test_a_correction_counts_where_the_mistake_was(self, acme: Tenant) -> None:
        wrong = consume(acme, 5)
        later = NOW + 3 * HOUR
        services.correct(tenant=acme, event_id=wrong.event_id, reason="Wrong.", actor=SOMEBODY, now=later)
        assert self.told(acme, Unit.HOUR, NOW, NOW + 4 * HOUR) == [0, 0, 0, 0]

    def test_a_gauge_goes_on_until_another_level_is_told(self, acme: Tenant) -> None:
        last, highest = slot("disk", "last"), slot("peak", "max")
        for hours, value in ((0, 5), (0.5, 3), (2, 9), (2.5, 1)):
            for gauge in (last, highest):
                tell(acme, value, slot=gauge, at=NOW + hours * HOUR, now=NOW + hours * HOUR)
        until = NOW + 5 * HOUR

        assert self.told(acme, Unit.HOUR, NOW, until, "disk") == [3, 3, 1, 1, 1]
        assert self.told(acme, Unit.HOUR, NOW, until, "peak") == [5, 3, 9, 1, 1]
        assert self.told(acme, Unit.HOUR, NOW + 3 * HOUR, until, "peak") == [1, 1]
        assert self.told(acme, Unit.HOUR, NOW - 2 * HOUR, NOW, "peak") == [0, 0]
        april = MARCH.end + DAY
        consume(acme, 1, slot=slot_at(april, "peak", "max"), now=april)
        assert self.told(acme, Unit.MONTH, NOW, april + DAY, "peak") == [9, 2]

    def test_too_much_of_it_is_not_told(self, acme: Tenant) -> None:
        with pytest.raises(errors.TooMuchHistory, match="8,760 times a hour"):
            self.told(acme, Unit.HOUR, NOW, NOW + 365 * DAY)
        with pytest.raises(errors.TooMuchHistory, match="not by week"):
            self.told(acme, Unit.WEEK, NOW, NOW + DAY)


class TestEvents:
    def test_pages_go_on_where_the_one_before_ended(self, acme: Tenant) -> None:
        consume(a_tenant("other"))
        ingest(
            acme, *(event(1 + number, slot=slot(f"f{number % 3}"), at=NOW - number // 2 * HOUR) for number in range(9))
        )

        seen: list[tuple[datetime, object]] = []
        cursor = None
        while page := selectors.events(tenant_key=acme.pk, after=cursor, size=4):
            seen += [(each.at, each.id) for each in page]
            cursor = Cursor(page[-1].at, page[-1].id)
        assert len(seen) == 9
        assert seen == sorted(seen, reverse=True)

    def test_one_feature_alone(self, acme: Tenant) -> None:
        consume(acme, 1)
        consume(acme, 2, slot=slot("mails"), properties={"to": ["ann"]})
        assert [each.properties for each in selectors.events(tenant_key=acme.pk, feature="mails")] == [{"to": ["ann"]}]
        assert [each.amount for each in selectors.events(tenant_key=acme.pk, feature="mails")] == [2]
        assert selectors.events(tenant_key=acme.pk, feature="nothing") == []

    def test_one_alone_is_its_tenants(self, acme: Tenant) -> None:
        booked = consume(acme, 1)
        assert selectors.event(tenant_key=acme.pk, event_id=booked.event_id).amount == 1
        with pytest.raises(errors.UnknownEvent):
            selectors.event(tenant_key=a_tenant("other").pk, event_id=booked.event_id)


def test_crossings_of_a_tenant_a_feature_a_period(acme: Tenant) -> None:
    consume(acme, 8, ceiling=SOFT)
    consume(acme, 8, ceiling=SOFT, slot=slot("mails"))
    later = MARCH.end
    consume(acme, 8, ceiling=SOFT, slot=slot_at(later), now=later)
    consume(a_tenant("other"), 8, ceiling=SOFT)

    assert selectors.crossings().count() == 4
    assert selectors.crossings(tenant_key=acme.pk).count() == 3
    assert selectors.crossings(tenant_key=acme.pk, feature="calls", period=MARCH).get().threshold == "80"
    assert selectors.crossings(since=later).get().period_start == MONTHLY.period_at(later).start


class TestVerifying:
    def test_right_books_are_silent(self, acme: Tenant) -> None:
        consume(acme, 3)
        tell(acme, 5, slot=slot("disk", "last"))
        assert selectors.verify() == []
        assert selectors.verify(acme) == []

    def test_a_falsified_counter_is_found(self, acme: Tenant) -> None:
        other = a_tenant("other")
        consume(acme, 3)
        consume(other, 3)
        Counter.objects.filter(tenant_uuid=acme.pk).update(used=2)

        assert selectors.verify() == [Discrepancy(acme.pk, "calls", MARCH, "used", 2, 3)]
        assert len(selectors.verify(acme)) == 1
        assert selectors.verify(other) == []

    def test_a_falsified_gauge_is_found(self, acme: Tenant) -> None:
        later = MARCH.end
        tell(acme, 5, slot=slot("disk", "max"))
        consume(acme, 1, slot=slot_at(later, "disk", "max"), now=later)
        Counter.objects.filter(period_start=MARCH.start).update(used=9)
        Counter.objects.filter(period_start=later).update(opening=4, level=5)

        found = {(each.period.start, each.what, each.counter, each.books) for each in selectors.verify()}
        assert found == {(MARCH.start, "used", 9, 5), (later, "opening", 4, 5), (later, "level", 5, 6)}

    def test_a_counter_that_was_taken_away_is_found(self, acme: Tenant) -> None:
        consume(acme, 3)
        Counter.objects.all().delete()
        assert selectors.verify() == [Discrepancy(acme.pk, "calls", MARCH, "used", None, 3)]

    def test_a_counter_that_nobody_booked_is_found(self, acme: Tenant) -> None:
        consume(acme, 3)
        Counter.objects.create(
            tenant_uuid=acme.pk,
            feature="mails",
            period_start=MARCH.start,
            period_end=MARCH.end,
            aggregate="sum",
            used=7,
            updated_at=NOW,
        )
        assert selectors.verify() == [Discrepancy(acme.pk, "mails", MARCH, "used", 7, 0)]
