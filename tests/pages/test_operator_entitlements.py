"""What the operator sees of one tenant's entitlements, and what is answered to «May it?»."""

import re
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from apps.core import clock
from apps.core.actors import Actor
from apps.entitlements import facade, wallets
from apps.tenants.models import State, Tenant
from apps.usage.models import UsageEvent
from tests.entitlements.granting import define, fresh, give_everybody
from tests.factories import SOMEBODY
from tests.pages.reading import path_of, text

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("only_users")]
APP = Actor.api_key(name="fleet")


def page_of(staff: Client, tenant: Tenant, **asked: str) -> str:
    return text(staff.get(path_of("tenants_tenant_change", tenant.pk), asked))


def row_of(staff: Client, tenant: Tenant, feature: str) -> str:
    """What is read about one feature in the second table."""
    page = staff.get(path_of("tenants_tenant_change", tenant.pk)).content.decode()
    table = page.partition("Where that comes from")[2].partition("</table>")[0]
    rows = (" ".join(re.sub(r"<[^>]+>", " ", row).split()) for row in table.split("<tr>")[1:])
    return next(row for row in rows if f" {feature} " in row)


def use(tenant: Tenant, feature: str, amount: int) -> None:
    now = clock.now()
    facade.consume(tenant=fresh(tenant), feature=feature, amount=amount, actor=APP, now=now)


class TestMeters:
    @pytest.fixture(autouse=True)
    def _plan(self, acme: Tenant) -> None:
        define("calls", name="API calls", unit="call", units="calls")
        give_everybody(calls="1000/month;calendar;soft;warn=50+80+100")

    @pytest.mark.parametrize(
        ("used", "said"),
        [
            (1, "1 of 1,000 calls · 0 %"),
            (850, "850 of 1,000 calls · 85 % near the limit"),
            (1000, "1,000 of 1,000 calls · 100 % limit reached"),
            (1500, "1,500 of 1,000 calls · 150 % 500 over the limit"),
        ],
    )
    def test_what_is_used_stands_beside_its_limit_in_words(
        self, staff: Client, acme: Tenant, used: int, said: str
    ) -> None:
        use(acme, "calls", used)
        row = row_of(staff, acme, "calls")
        assert said in row
        assert "resets 1 " in row
        assert "every month · with the calendar · soft · warned at 50, 80, 100 %" in row
        assert "plan:free@1: 1,000 counts" in row

    def test_thresholds_crossed_in_this_period_are_told_and_only_those(self, staff: Client, acme: Tenant) -> None:
        before = clock.now() - timedelta(days=34)
        facade.consume(tenant=fresh(acme), feature="calls", amount=999, actor=APP, at=before, now=clock.now())
        assert "Crossed" not in row_of(staff, acme, "calls")
        use(acme, "calls", 900)
        assert re.search(r"Crossed 50 % .+ 80 % ", row_of(staff, acme, "calls"))

    def test_a_low_balance_is_told_too(self, staff: Client, acme: Tenant) -> None:
        define("credits", kind="credits")
        give_everybody(credits="10/month", calls="5/month")
        tenant, now = fresh(acme), clock.now()
        facade.spend(tenant=tenant, credit_type="credit-project-creation", times=4, actor=APP, now=now)
        row = row_of(staff, acme, "credits")
        assert "8 of 10 used" in row
        assert "Crossed 80 % " in row

    def test_a_switch_and_a_configuration_say_what_they_are(self, staff: Client, acme: Tenant) -> None:
        define("sso", kind="switch")
        define("regions", kind="config")
        give_everybody(sso="on", regions='["eu", "us"]')
        assert "Included" in row_of(staff, acme, "sso")
        assert "eu, us" in row_of(staff, acme, "regions")
        # Not granted any more, but used before.
        use(acme, "calls", 1)
        assert "not granted" not in row_of(staff, acme, "sso")

    def test_what_is_booked_of_a_count_stands_among_the_limits(self, staff: Client, acme: Tenant) -> None:
        define("seats", kind="count")
        give_everybody(seats="10")
        use(acme, "seats", 8)
        page = page_of(staff, acme)
        assert "Seats seats 8 of 10 ⚠&#xFE0E; 80 %, near the limit Crossed 80 %" in page
        assert "booked by the app" in page


def test_more_features_cost_no_more_queries(staff: Client, acme: Tenant) -> None:
    def cost(features: int) -> int:
        names = [f"thing{number}" for number in range(features)]
        for name in names:
            define(name)
        give_everybody(**dict.fromkeys(names, "100/month"))
        for name in names:
            use(acme, name, 90)
        with CaptureQueriesContext(connection) as queries:
            assert page_of(staff, acme).count("near the limit") == features
        return len(queries)

    cost(1)
    assert cost(3) == cost(12)


class TestMayIt:
    @pytest.fixture(autouse=True)
    def _plan(self, acme: Tenant) -> None:
        define("calls", name="API calls")
        define("regions", kind="config")
        define("sso", kind="switch")
        give_everybody(calls="100/month;calendar", regions='["eu", "us"]')

    def test_it_is_answered_with_every_number_and_nothing_is_booked(self, staff: Client, acme: Tenant) -> None:
        use(acme, "calls", 95)
        page = page_of(staff, acme, feature="calls", requested="10")
        assert "It may not" in page
        for said in (
            "Reason limit_exceeded",
            "Feature calls metered",
            "Requested 10",
            "Used 95",
            "Limit 100",
            "Remaining 5",
            "Plan plan:free@1",
            "Comes from plan:free@1",
        ):
            assert said in page
        assert "Reason within_limit" in page_of(staff, acme, feature="calls", requested="5")
        assert UsageEvent.objects.count() == 1

    @pytest.mark.parametrize(
        ("feature", "requested", "reason"),
        [
            ("regions", "", "included"),
            ("regions", "eu", "included"),
            ("regions", '["eu", "us"]', "included"),
            ("regions", '"asia"', "value_mismatch"),
            ("sso", "", "not_in_plan"),
            ("calls", "", "within_limit"),
            ("calls", "1,000", "limit_exceeded"),
            ("gateways", "5", "unlimited"),
        ],
    )
    def test_every_kind_can_be_asked_for(
        self, staff: Client, acme: Tenant, feature: str, requested: str, reason: str
    ) -> None:
        assert f"Reason {reason} " in page_of(staff, acme, feature=feature, requested=requested)

    @pytest.mark.parametrize("requested", ["-1", "much", "1.5", "9" * 30, "१२"])
    def test_what_is_no_number_is_told_on_the_form(self, staff: Client, acme: Tenant, requested: str) -> None:
        page = page_of(staff, acme, feature="calls", requested=requested)
        assert "must be a whole number" in page
        assert "Reason" not in page

    def test_another_feature_than_there_is(self, staff: Client, acme: Tenant) -> None:
        assert "Select a valid choice" in page_of(staff, acme, feature="callz", requested="1")

    def test_a_closed_tenant_may_nothing(self, staff: Client, acme: Tenant) -> None:
        Tenant.objects.filter(pk=acme.pk).update(state=State.SUSPENDED)
        assert "Reason tenant_suspended" in page_of(staff, acme, feature="calls", requested="1")

    def test_what_was_asked_is_never_markup(self, staff: Client, acme: Tenant) -> None:
        answer = staff.get(
            path_of("tenants_tenant_change", acme.pk), {"feature": "regions", "requested": "<script>x"}
        ).content.decode()
        assert "<script>x" not in answer
        assert "&lt;script&gt;x" in answer


def test_the_pages_keep_to_the_policy_of_contents(staff: Client, acme: Tenant) -> None:
    define("calls")
    define("credits", kind="credits")
    give_everybody(calls="5/month", credits="5/month")
    use(acme, "calls", 5)
    wallets.grant(
        tenant=fresh(acme), feature="credits", amount=5, priority=50, effective_at=None, expires_at=None,
        reason="x", actor=SOMEBODY, now=clock.now(),
    )  # fmt: skip
    for name in ("tenants_tenant_change", "tenant_credits", "tenant_usage"):
        page = staff.get(path_of(name, acme.pk)).content.decode()
        own = page.partition('<div class="op-page">')[2].partition("Times are in UTC")[0]
        assert own
        assert not re.search(r"\sstyle=|<script|<style|\son[a-z]+=", own)


def test_only_operators_see_the_tabs(acme: Tenant, visitor: Client, member_at: Callable[..., Client]) -> None:
    for name in ("tenant_credits", "tenant_usage"):
        assert visitor.get(path_of(name, acme.pk)).status_code == 302
        assert member_at(acme, username=f"max-{name}").get(path_of(name, acme.pk)).status_code == 404
