"""What the operator sees of what a tenant has used, and the correction of an event."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from apps.audit.models import Entry
from apps.backoffice.chart import chart_of
from apps.core import clock
from apps.core.actors import Actor
from apps.core.periods import Unit
from apps.entitlements import facade
from apps.entitlements.metering import meter
from apps.tenants.models import Tenant
from apps.usage.models import UsageEvent
from apps.usage.selectors import verify
from apps.usage.types import Bucket
from tests.entitlements.granting import define, fresh, give_everybody
from tests.factories import make_tenant
from tests.pages.reading import path_of, text

APP = Actor.api_key(name="fleet")
TODAY = datetime(2026, 3, 3, 12, tzinfo=UTC)


class TestChart:
    def buckets(self, *used: int) -> list[Bucket]:
        return [Bucket(datetime(2026, 3, 1 + day, tzinfo=UTC), each) for day, each in enumerate(used)]

    def test_bars_are_in_proportion_and_what_is_to_come_is_empty(self) -> None:
        chart = chart_of(self.buckets(50, 100, 1, 0, 0), by=Unit.DAY, now=TODAY, aggregate="sum")
        assert [(each.y, each.height) for each in chart.bars] == [(50, 50), (0, 100), (99, 1), (100, 0), (100, 0)]
        assert [each.used for each in chart.bars] == [50, 100, 1, None, None]
        assert (chart.total, chart.top, chart.low, chart.width, chart.zero) == (151, 100, 0, 50, 100)
        assert len(chart.told) == 3

    def test_what_was_given_back_hangs_below_the_line(self) -> None:
        chart = chart_of(self.buckets(30, -10), by=Unit.DAY, now=TODAY, aggregate="perpetual")
        assert [(each.y, each.height) for each in chart.bars] == [(0, 75), (75, 25)]
        assert chart.zero == 75

    def test_next_to_nothing_is_seen_and_nothing_is_not(self) -> None:
        chart = chart_of(self.buckets(1, 100_000, 0), by=Unit.DAY, now=TODAY, aggregate="sum")
        assert [each.height for each in chart.bars] == [1, 100, 0]
        assert chart_of(self.buckets(0, 0), by=Unit.DAY, now=TODAY, aggregate="sum").is_empty

    def test_a_gauge_has_no_sum(self) -> None:
        assert chart_of(self.buckets(5, 7), by=Unit.DAY, now=TODAY, aggregate="last").total is None


def page_of(staff: Client, tenant: Tenant, **asked: Any) -> str:
    return text(staff.get(path_of("tenant_usage", tenant.pk), asked))


def use(tenant: Tenant, amount: int = 10, feature: str = "calls", **given: Any) -> UsageEvent:
    facade.consume(tenant=fresh(tenant), feature=feature, amount=amount, actor=APP, now=clock.now(), **given)
    return UsageEvent.objects.order_by("-booked_at").first()  # type: ignore[return-value]


def used(tenant: Tenant, feature: str = "calls") -> int | None:
    found = meter(tenant=fresh(tenant), feature=feature, now=clock.now())
    return found.used if found else None


@pytest.mark.django_db
@pytest.mark.usefixtures("only_users", "_plan")
class TestPage:
    @pytest.fixture
    def _plan(self, db: None) -> None:
        define("calls", name="API calls", unit="call", units="calls")
        define("storage", aggregate="max")
        give_everybody(calls="1000/month;calendar", storage="50")

    def test_it_tells_what_is_used_when_and_by_whom(self, staff: Client, acme: Tenant) -> None:
        use(acme, 900, idempotency_key="first", properties={"route": "/v1"})
        page = page_of(staff, acme)
        assert "900 of 1,000 calls · 90 % near the limit" in page
        assert "900 calls from 1 " in page
        assert "Crossed: 80 % of 1,000" in page
        assert "Used +900 900 fleet {&quot;route&quot;: &quot;/v1&quot;} key first Take back" in page

    def test_every_time_that_is_offered_has_bars_and_the_same_in_a_table(self, staff: Client, acme: Tenant) -> None:
        use(acme, 7)
        use(acme, 5, at=clock.now() - timedelta(days=20))
        for span, least in (("period", 1), ("former", 0), ("days", 2), ("months", 1)):
            page = staff.get(path_of("tenant_usage", acme.pk), {"feature": "calls", "span": span}).content.decode()
            bars = page.count("<rect ")
            assert bars >= least
            twin = page.partition("As a table")[2].partition("</table>")[0]
            told = [int(each) for each in re.findall(r'<td class="op-number">([\d,]+)</td>', twin)]
            assert len([each for each in told if each]) == bars
        assert "Last 30 days" in page

    def test_what_never_starts_anew_is_told_by_days(self, staff: Client, acme: Tenant) -> None:
        facade.usage_set(tenant=fresh(acme), feature="storage", value=30, actor=APP, now=clock.now())
        page = page_of(staff, acme, feature="storage")
        assert "This period" not in page
        assert "30 at most" in page
        assert "Highest of the period" in page

    def test_events_are_paged(self, staff: Client, acme: Tenant) -> None:
        for number in range(27):
            use(acme, 1, idempotency_key=f"key-{number:02}")
        first = staff.get(path_of("tenant_usage", acme.pk)).content.decode()
        where = re.search(r"after=([^#\"]+)#events", first)
        assert where
        second = text(staff.get(f"{path_of('tenant_usage', acme.pk)}?feature=calls&after={where[1]}"))
        shown = [re.findall(r"key-(\d\d)", each) for each in (first, second)]
        assert [len(each) for each in shown] == [25, 2]
        assert len({*shown[0], *shown[1]}) == 27
        assert "Newest" in second

    def test_what_there_is_no_page_of(self, staff: Client, acme: Tenant) -> None:
        page = path_of("tenant_usage", acme.pk)
        wrong = ["x", "2026-01-01_x", "2026-01-01T00:00:00_5b796f74-f496-45f7-8a5e-343a1bbd6b52"]
        for asked in ({"feature": "callz"}, {"span": "week"}, *({"after": each} for each in wrong)):
            assert staff.get(page, asked).status_code == 404
        assert staff.get(path_of("tenant_usage", uuid4())).status_code == 404

    def test_where_nothing_is_metered(self, staff: Client, acme: Tenant) -> None:
        define("sso", kind="switch")
        give_everybody(sso="on")
        assert "Nothing of it is metered" in page_of(staff, acme)

    def test_more_features_and_events_cost_no_more_queries(self, staff: Client, acme: Tenant) -> None:
        def cost(features: int) -> int:
            names = [f"thing{number}" for number in range(features)]
            for name in names:
                define(name)
            give_everybody(**dict.fromkeys(names, "100/month"))
            for name in names:
                use(acme, 1, feature=name)
            with CaptureQueriesContext(connection) as queries:
                assert page_of(staff, acme, feature="thing0").count(" of 100 ") == features
            return len(queries)

        cost(1)
        assert cost(3) == cost(10)


@pytest.mark.django_db
@pytest.mark.usefixtures("only_users", "_plan")
class TestCorrecting:
    @pytest.fixture
    def _plan(self, db: None) -> None:
        define("calls")
        give_everybody(calls="1000/month")

    def send(self, staff: Client, tenant: Tenant, event_id: object, reason: str = "Counted twice.") -> str:
        return text(staff.post(path_of("tenant_usage_correct", tenant.pk, event_id), {"reason": reason}, follow=True))

    def test_an_event_is_taken_back_once_and_stays_in_the_books(self, staff: Client, acme: Tenant) -> None:
        use(acme, 30)
        event = use(acme, 12)
        form = text(staff.get(path_of("tenant_usage_correct", acme.pk, event.id)))
        assert "In use in that period 42 → 30" in form

        page = self.send(staff, acme, event.id)
        assert "The event is taken back. Acme has 30 of calls in use in that period." in page
        assert "taken back since" in page
        assert "Corrected Counted twice. −12" in page
        assert used(acme) == 30
        entry = Entry.objects.get(action="tenant.usage_corrected")
        assert (entry.actor_label, entry.reason, entry.after["calls"]) == ("olga", "Counted twice.", "-12")

        assert "had been taken back already" in self.send(staff, acme, event.id)
        assert "it is corrected already" in text(staff.get(path_of("tenant_usage_correct", acme.pk, event.id)))
        assert used(acme) == 30
        assert Entry.objects.filter(action="tenant.usage_corrected").count() == 1
        assert verify() == []

    def test_a_correction_is_not_corrected(self, staff: Client, acme: Tenant) -> None:
        event = use(acme, 12)
        self.send(staff, acme, event.id)
        correction = UsageEvent.objects.get(kind="correct")
        assert "which is not corrected" in self.send(staff, acme, correction.id)

    def test_a_reason_is_needed(self, staff: Client, acme: Tenant) -> None:
        event = use(acme, 12)
        assert "This field is required" in self.send(staff, acme, event.id, reason="")
        assert used(acme) == 12

    def test_there_is_no_such_event(self, staff: Client, visitor: Client, acme: Tenant) -> None:
        event = use(acme, 12)
        other = make_tenant("other", ready=False)
        for path in (
            path_of("tenant_usage_correct", acme.pk, uuid4()),
            path_of("tenant_usage_correct", other.pk, event.id),
        ):
            assert staff.get(path).status_code == 404
            assert staff.post(path, {"reason": "x"}).status_code == 404
        assert visitor.post(path_of("tenant_usage_correct", acme.pk, event.id), {"reason": "x"}).status_code == 302
        assert used(acme) == 12
