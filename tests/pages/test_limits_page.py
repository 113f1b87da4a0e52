"""What a member reads of everything that their plan allows."""

import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from apps.core import clock
from apps.entitlements import facade, snapshot
from apps.plans import overriding, renewing
from apps.plans.resolution import Grant
from apps.plans.terms import Kind
from apps.portal import words
from apps.tenants.models import Tenant
from tests.entitlements.granting import define, fresh, give_everybody
from tests.factories import NOW, SOMEBODY
from tests.pages.reading import text

pytestmark = pytest.mark.django_db
PATH = "/settings/limits/"


@pytest.fixture(autouse=True)
def in_march() -> Iterator[None]:
    """It is nine days after everything began."""
    snapshot.kept.clear()
    with time_machine.travel(NOW + timedelta(days=9, hours=3), tick=False):
        yield


@pytest.fixture
def everything(acme: Tenant) -> Tenant:
    """A tenant with a feature of each kind."""
    define("calls", name="API calls", unit="call", units="calls")
    define("storage", aggregate="max", unit="GB", units="GB")
    define("credits", Kind.CREDITS)
    define("rooms", Kind.COUNT)
    define("sso", Kind.SWITCH, name="Single sign-on")
    define("audit-log", Kind.SWITCH, name="Audit log")
    define("regions", Kind.CONFIG, name="Regions")
    give_everybody(
        calls="1000/day;soft", storage="100/month", credits="50/month", rooms="4", sso="true", regions='["eu","us"]'
    )
    return fresh(acme)


def use(tenant: Tenant, feature: str, amount: int) -> None:
    facade.consume(tenant=tenant, feature=feature, amount=amount, actor=SOMEBODY, now=clock.now())


def row(page: str, feature: str) -> str:
    """What is read of one entitlement."""
    found = re.search(rf'<li id="{feature}">(.*?)</li>', page, re.DOTALL)
    assert found
    return " ".join(re.sub(r"<[^>]+>", " ", found[1]).split())


def test_each_kind_is_told_in_its_own_way(everything: Tenant, member_at: Callable[..., Client]) -> None:
    use(everything, "calls", 850)

    page = member_at(everything).get(PATH).content.decode()

    calls = row(page, "calls")
    assert calls.startswith("API calls The plan for everybody plan:free@1 Goes on beyond the limit 850 of 1,000 calls")
    assert "85 % near the limit resets" in calls
    assert re.search(r"\(in \d+ (hours?|minutes?)\)", calls)
    assert "the highest of the period counts" in row(page, "storage")
    assert "0 of 50 used · 0 % 50 left granted anew" in row(page, "credits")
    assert row(page, "rooms").endswith("0 of 4 · 0 % nothing used yet")
    assert row(page, "sso").endswith("Included")
    assert row(page, "regions").endswith("eu, us")
    assert row(page, "organizations").endswith("– unknown · unlimited")
    assert 'id="audit-log"' not in page


@pytest.mark.parametrize(
    ("used", "said"), [(3, "near the limit"), (4, "limit reached"), (7, "3 over the limit")], ids=str
)
def test_near_reached_and_over_are_words(
    everything: Tenant, member_at: Callable[..., Client], used: int, said: str
) -> None:
    define("seats", Kind.COUNT)
    give_everybody("more", seats="9")
    everything = fresh(everything)
    use(everything, "seats", used)
    give_everybody("less", seats="4")
    everything = fresh(everything)

    page = member_at(everything).get(PATH).content.decode()

    assert row(page, "seats").endswith(said if used != 3 else "3 of 4 · 75 %")
    assert ("For more," in page) == (used != 3)


def test_an_exception_tells_until_when_and_not_why(everything: Tenant, member_at: Callable[..., Client]) -> None:
    now = clock.now()
    overriding.set_override(
        tenant=everything,
        feature="rooms",
        grant=Grant(limit=40),
        reason="They threatened to leave",
        until=now + timedelta(days=10, hours=1),
        actor=SOMEBODY,
        now=now,
    )
    renewing.renew(everything, now=now)

    page = member_at(everything).get(PATH).content.decode()

    assert re.match(
        r"Rooms An agreement with you, until .*? \(in 10 days\) Stops at the limit 0 of 40", row(page, "rooms")
    )
    assert "threatened" not in page


def test_without_any_plan_there_is_something_to_read(acme: Tenant, member_at: Callable[..., Client]) -> None:
    page = member_at(acme).get(PATH).content.decode()

    assert row(page, "applications").endswith("– unknown · unlimited")
    assert "For more," not in page


def test_more_features_cost_no_more_queries(acme: Tenant, member_at: Callable[..., Client]) -> None:
    client = member_at(acme)

    def queries(number: int) -> int:
        for each in range(number):
            define(f"thing-{each}", Kind.METERED if each % 2 else Kind.COUNT)
        give_everybody(f"plan{number}", **{f"thing_{each}": "5/month" if each % 2 else "5" for each in range(number)})
        with CaptureQueriesContext(connection) as seen:
            page = client.get(PATH).content.decode()
        assert page.count("<meter") == number
        return len(seen)

    assert queries(3) == queries(30)


def test_it_is_for_members_alone_and_brings_no_script(
    everything: Tenant, at: Callable[[Tenant], Client], member_at: Callable[..., Client]
) -> None:
    assert at(everything).get(PATH)["Location"] == f"/accounts/login/?next={PATH}"
    answer = member_at(everything).get(PATH)
    assert not re.search(r"<style|<script|\sstyle=|\son\w+=|https?://", answer.content.decode())
    assert "Limits" in text(answer)
    assert "As of 10 March 2026, 15:00 UTC." in text(answer)


@pytest.mark.parametrize(
    ("distance", "said"),
    [
        (timedelta(days=11, hours=5), "in 11 days"),
        (timedelta(days=1), "in 1 day"),
        (timedelta(hours=-3), "3 hours ago"),
        (timedelta(seconds=-59), "now"),
        (timedelta(days=4000), "in 10 years"),
    ],
    ids=str,
)
def test_how_far_away_a_moment_is(distance: timedelta, said: str) -> None:
    assert words.relative(NOW + distance, NOW) == said


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (["eu", "us"], "eu, us"),
        ({"days": 90, "soft": True}, "days: 90, soft: yes"),
        (12000, "12,000"),
        (False, "no"),
        (0, "0"),
        ([], "–"),
        (None, "–"),
        (1.5, "1.5"),
    ],
    ids=str,
)
def test_how_a_value_is_written(value: Any, said: str) -> None:
    assert words.value_in_words(value) == said
