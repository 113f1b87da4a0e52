"""What a member reads of what was used."""

import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from hypothesis import given, settings
from hypothesis import strategies as some

from apps.core import clock
from apps.core.actors import Actor
from apps.core.periods import Recurrence, Unit
from apps.entitlements import facade, snapshot
from apps.plans.terms import Kind
from apps.portal.pages.charts import chart_of, nice_top
from apps.portal.pages.usage import spans_of
from apps.tenants.models import Tenant
from apps.usage.types import Bucket
from tests.entitlements.granting import define, fresh, give_everybody
from tests.factories import NOW, SOMEBODY, make_member
from tests.pages.reading import text

PATH = "/settings/usage/"
AT = datetime(2026, 3, 10, 15, 30, tzinfo=UTC)


@pytest.fixture(autouse=True)
def in_march() -> Iterator[None]:
    """It is nine days after everything began."""
    snapshot.kept.clear()
    with time_machine.travel(NOW + timedelta(days=9, hours=3), tick=False):
        yield


@pytest.fixture
def busy(acme: Tenant) -> Tenant:
    """A tenant to whom calls and messages are metered."""
    define("calls", name="API calls", unit="call", units="calls")
    define("messages", name="Messages")
    give_everybody(calls="1000/month;calendar", messages="10/day")
    return fresh(acme)


def use(
    tenant: Tenant, amount: int, *, feature: str = "calls", ago: timedelta = timedelta(0), actor: Actor = SOMEBODY
) -> None:
    now = clock.now()
    facade.consume(
        tenant=tenant, feature=feature, amount=amount, actor=actor, now=now, at=now - ago, properties={"key": "ci"}
    )


def twin(page: str) -> list[tuple[str, str]]:
    """The chart's table: when, and how many."""
    table = re.search(r'<details class="twin">.*?</details>', page, re.DOTALL)
    assert table
    return re.findall(r'<time datetime="(.*?)T.*?<td class="number">(.*?)</td>', table[0])


@pytest.mark.django_db
class TestPage:
    def test_the_table_says_what_the_bars_show(self, busy: Tenant, member_at: Callable[..., Client]) -> None:
        use(busy, 30, ago=timedelta(days=3))
        use(busy, 150, ago=timedelta(days=1))
        use(busy, 5)

        page = member_at(busy).get(f"{PATH}?feature=calls&period=30d").content.decode()

        told = dict(twin(page))
        assert [int(each) for each in told.values() if each != "0"] == [30, 150, 5]
        assert len(re.findall(r'<rect x="\d+"', page)) == 3
        assert "185 calls" in page

    def test_the_period_can_be_chosen(self, busy: Tenant, member_at: Callable[..., Client]) -> None:
        use(busy, 40)
        use(busy, 7, ago=timedelta(days=12))
        client = member_at(busy)

        def total(period: str) -> str:
            found = re.search(r"<figcaption><b>(.*?)</b>", client.get(f"{PATH}?period={period}").content.decode())
            assert found
            return found[1]

        assert [total(each) for each in ("this", "last", "nonsense")] == ["40 calls", "7 calls", "40 calls"]

    def test_a_feature_can_be_chosen(self, busy: Tenant, member_at: Callable[..., Client]) -> None:
        use(busy, 3, feature="messages")
        client = member_at(busy)

        assert re.search(r"API calls Nothing|API calls .*? Nothing was used in this time", text(client.get(PATH)))
        read = text(client.get(f"{PATH}?feature=messages"))
        assert "3 in all" in read
        assert 'id="over-time">Messages<' in client.get(f"{PATH}?feature=messages").content.decode()

    def test_events_tell_who_what_and_what_is_in_use_then(self, busy: Tenant, member_at: Callable[..., Client]) -> None:
        maya = make_member(busy, "maya")
        use(busy, 12, actor=Actor.member(tenant_id=busy.tenant_id, user_key=maya.pk))

        read = text(member_at(busy).get(PATH))

        assert re.search(r"Used key: ci maya maya \+12 12 in use 12", read)

    def test_older_events_are_a_page_further(self, busy: Tenant, member_at: Callable[..., Client]) -> None:
        for number in range(1, 24):
            use(busy, number, ago=timedelta(minutes=30 - number))
        client = member_at(busy)

        first = client.get(PATH).content.decode()
        older = re.search(r'href="\?(.*?)#events" rel="next"', first)
        assert older
        second = client.get(f"{PATH}?{older[1].replace('&amp;', '&')}").content.decode()

        assert re.findall(r"<b>\+(\d+)</b>", first) == [str(each) for each in range(23, 3, -1)]
        assert re.findall(r"<b>\+(\d+)</b>", second) == ["3", "2", "1"]
        assert 'rel="next"' not in second

    @pytest.mark.parametrize("after", ["x", "2026-01-01~x", "2026-01-01T00:00:00~" + "0" * 32, "~", "%00"])
    def test_a_place_that_is_none_is_the_beginning(
        self, busy: Tenant, member_at: Callable[..., Client], after: str
    ) -> None:
        use(busy, 12)
        assert "+12" in text(member_at(busy).get(f"{PATH}?after={after}"))

    def test_thresholds_are_told_with_their_numbers(self, busy: Tenant, member_at: Callable[..., Client]) -> None:
        use(busy, 990)
        use(busy, 10)

        read = text(member_at(busy).get(PATH))

        assert re.search(r"The limit was reached 1,000 of 1,000 calls .*? 80 % of the limit 990 of 1,000 calls", read)

    def test_where_nothing_is_metered_it_says_so(self, acme: Tenant, member_at: Callable[..., Client]) -> None:
        assert "Nothing is metered" in text(member_at(acme).get(PATH))

    def test_more_features_and_events_cost_no_more_queries(
        self, acme: Tenant, member_at: Callable[..., Client]
    ) -> None:
        client = member_at(acme)

        def queries(number: int) -> int:
            for each in range(number):
                define(f"thing-{each}", Kind.METERED)
            give_everybody(f"plan{number}", **{f"thing_{each}": "500/month" for each in range(number)})
            for _ in range(number):
                use(fresh(acme), 2, feature="thing-0")
            with CaptureQueriesContext(connection) as seen:
                page = client.get(PATH).content.decode()
            assert page.count("<meter") == number
            return len(seen)

        assert queries(3) == queries(30)

    def test_it_brings_no_script(self, busy: Tenant, member_at: Callable[..., Client]) -> None:
        use(busy, 3)
        assert not re.search(r"<style|<script|\sstyle=|\son\w+=|https?://", member_at(busy).get(PATH).content.decode())


class TestSpans:
    def test_a_month_can_be_compared_with_the_one_before(self) -> None:
        this, last, month = spans_of(Recurrence(Unit.MONTH, 1, datetime(2026, 1, 5, tzinfo=UTC)), AT)
        assert (this.since, this.until) == (datetime(2026, 3, 5, tzinfo=UTC), datetime(2026, 4, 5, tzinfo=UTC))
        assert (last.since, last.until) == (datetime(2026, 2, 5, tzinfo=UTC), this.since)
        assert month.since == AT - timedelta(days=30)

    @pytest.mark.parametrize(
        ("unit", "keys"),
        [(Unit.NEVER, ["30d", "12m"]), (Unit.HOUR, ["24h", "30d"]), (Unit.DAY, ["this", "last", "30d"])],
    )
    def test_where_a_period_is_no_help_another_time_is_offered(self, unit: Unit, keys: list[str]) -> None:
        assert [each.key for each in spans_of(Recurrence(unit), AT)] == keys


class TestCharts:
    @given(some.integers(min_value=0, max_value=10**15))
    @settings(max_examples=200)
    def test_the_upper_edge_holds_everything_and_is_not_far(self, most: int) -> None:
        assert most <= nice_top(most) <= max(1, 2 * most)

    @given(some.lists(some.integers(min_value=-50, max_value=10**9), max_size=40))
    @settings(max_examples=100)
    def test_every_bar_lies_within_the_drawing(self, values: list[int]) -> None:
        days = [Bucket(AT.replace(hour=0, minute=0) + timedelta(days=place), each) for place, each in enumerate(values)]
        until = AT + timedelta(days=len(values) + 5)

        chart = chart_of(days, step=Unit.DAY, until=until, aggregate="sum")

        assert all(0 <= bar.y <= 100 and 0 <= bar.height <= 100 for bar in chart.bars)
        assert all(bar.height > 0 for bar in chart.past if bar.used and bar.used > 0)
        assert [bar.used for bar in chart.past] == values
        assert chart.total == sum(values)
        assert not values or chart.bars[-1].start < until <= chart.bars[-1].start + timedelta(days=1)
