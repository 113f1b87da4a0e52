"""Asking whether a tenant may, without booking anything."""

from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from django.db import OperationalError, connection, transaction
from django.test.utils import CaptureQueriesContext

from apps.entitlements import asking, failing, snapshot
from apps.entitlements.decisions import Reason
from apps.entitlements.errors import InvalidRequest
from apps.entitlements.facade import check
from apps.plans.models import Allowance
from apps.plans.overriding import end_override, set_override
from apps.plans.resolution import Grant
from apps.plans.terms import Kind
from apps.tenants.models import Provisioning, State, Tenant
from tests.entitlements.granting import define, fresh, give_everybody
from tests.factories import NOW, SOMEBODY, give_plan_to, make_tenant


class TestSwitches:
    def test_on_in_the_plan(self, acme: Tenant) -> None:
        define("sso", Kind.SWITCH)
        give_everybody("team", sso="on")

        decision = check(tenant=fresh(acme), feature="sso", now=NOW)

        assert (decision.has_access, decision.reason, decision.plan) == (True, Reason.INCLUDED, "plan:team@1")
        assert decision.source == "plan:team@1"

    def test_not_in_the_plan(self, acme: Tenant) -> None:
        define("sso", Kind.SWITCH)
        define("backups", Kind.SWITCH)
        give_everybody(backups="on")

        decision = check(tenant=fresh(acme), feature="sso", now=NOW)

        assert (decision.has_access, decision.reason) == (False, Reason.NOT_IN_PLAN)
        assert decision.message == "Sso is not part of the plan."
        assert decision.upgrade_url == "/settings/"

    def test_without_any_plan(self, acme: Tenant) -> None:
        define("sso", Kind.SWITCH)
        assert check(tenant=acme, feature="sso", now=NOW).reason == Reason.NO_SUBSCRIPTION

    def test_taken_away_by_an_override(self, acme: Tenant) -> None:
        define("sso", Kind.SWITCH)
        give_everybody(sso="on")
        set_override(
            tenant=acme, feature="sso", grant=Grant(value=False), reason="abuse", until=None, actor=SOMEBODY, now=NOW
        )

        decision = check(tenant=acme, feature="sso", now=NOW)

        assert (decision.has_access, decision.reason) == (False, Reason.REVOKED)


class TestConfigurations:
    @pytest.mark.parametrize(
        ("value", "requested", "allowed"),
        [
            ('"eu"', "eu", True),
            ('"eu"', "us", False),
            ('["eu", "us"]', "us", True),
            ('["eu", "us"]', ["eu", "us"], True),
            ('["eu", "us"]', ["eu", "asia"], False),
            ("5", 1, True),
        ],
    )
    def test_values_are_compared(self, acme: Tenant, value: str, requested: Any, allowed: bool) -> None:
        define("region", Kind.CONFIG)
        give_everybody(region=value)

        decision = check(tenant=fresh(acme), feature="region", requested=requested, now=NOW)

        assert decision.has_access == allowed
        assert decision.reason == (Reason.INCLUDED if allowed else Reason.VALUE_MISMATCH)

    def test_the_value_is_told(self, acme: Tenant) -> None:
        define("retention", Kind.CONFIG)
        give_everybody(retention='{"days": 30}')
        assert check(tenant=fresh(acme), feature="retention", now=NOW).value == {"days": 30}


class TestNumbers:
    def test_nothing_used_yet(self, acme: Tenant) -> None:
        define("api-calls")
        give_everybody(api_calls="100/month")

        decision = check(tenant=fresh(acme), feature="api-calls", requested=100, now=NOW)

        assert (decision.has_access, decision.reason, decision.used, decision.limit) == (
            True,
            Reason.WITHIN_LIMIT,
            0,
            100,
        )
        assert decision.resets_at == NOW.replace(month=4)
        assert not check(tenant=fresh(acme), feature="api-calls", requested=101, now=NOW).has_access

    def test_unlimited(self, acme: Tenant) -> None:
        define("api-calls")
        give_everybody(api_calls="unlimited")
        assert check(tenant=fresh(acme), feature="api-calls", requested=10**9, now=NOW).reason == Reason.UNLIMITED

    def test_the_things_stacks_entities_are_unlimited_where_nothing_is_said(self, acme: Tenant) -> None:
        assert check(tenant=acme, feature="end-devices", now=NOW).reason == Reason.UNLIMITED

    @pytest.mark.parametrize("requested", [-1, 1.5, True, "2"])
    def test_what_is_no_quantity_is_refused_with_its_value(self, acme: Tenant, requested: Any) -> None:
        define("api-calls")
        give_everybody(api_calls="100/month")
        with pytest.raises(InvalidRequest, match=r"of api-calls was asked for"):
            check(tenant=fresh(acme), feature="api-calls", requested=requested, now=NOW)


class TestTenants:
    def test_none(self) -> None:
        assert check(tenant=None, feature="sso", now=NOW).reason == Reason.TENANT_NOT_FOUND

    @pytest.mark.parametrize("state", [State.SUSPENDED, State.REJECTED, State.REQUESTED])
    def test_one_that_is_not_open(self, acme: Tenant, state: str) -> None:
        define("sso", Kind.SWITCH)
        give_everybody(sso="on")
        Tenant.objects.update(state=state)
        assert check(tenant=fresh(acme), feature="sso", now=NOW).reason == Reason.TENANT_SUSPENDED

    def test_one_that_is_being_deleted(self, acme: Tenant) -> None:
        Tenant.objects.update(provisioning=Provisioning.DELETING)
        assert check(tenant=fresh(acme), feature="end-devices", now=NOW).reason == Reason.TENANT_NOT_FOUND


class TestFeatures:
    def test_there_is_none(self, acme: Tenant) -> None:
        decision = check(tenant=acme, feature="flying", now=NOW)
        assert (decision.reason, decision.message) == (Reason.FEATURE_NOT_FOUND, "There is no feature 'flying'.")

    def test_one_that_was_defined_after_the_tenant_was_asked_about(self, acme: Tenant) -> None:
        check(tenant=acme, feature="end-devices", now=NOW)
        define("sso", Kind.SWITCH)
        assert check(tenant=acme, feature="sso", now=NOW).reason == Reason.NO_SUBSCRIPTION


@pytest.mark.django_db(transaction=True)
class TestSnapshot:
    @pytest.fixture
    def acme(self) -> Tenant:
        """A tenant whose transactions are real ones."""
        snapshot.kept.clear()
        return make_tenant(ready=False)

    def test_switches_and_configurations_cost_no_query(self, acme: Tenant) -> None:
        define("sso", Kind.SWITCH)
        define("region", Kind.CONFIG)
        give_everybody(sso="on", region='"eu"')
        check(tenant=fresh(acme), feature="sso", now=NOW)
        tenant = fresh(acme)

        with CaptureQueriesContext(connection) as queries:
            assert check(tenant=tenant, feature="sso", now=NOW).has_access
            assert check(tenant=tenant, feature="region", requested="eu", now=NOW).has_access
        assert len(queries) == 0

    def test_an_override_counts_for_the_next_that_loads_the_tenant(self, acme: Tenant) -> None:
        define("sso", Kind.SWITCH)
        assert not check(tenant=acme, feature="sso", now=NOW).has_access
        set_override(
            tenant=fresh(acme), feature="sso", grant=Grant(value=True), reason="x", until=None, actor=SOMEBODY, now=NOW
        )
        assert check(tenant=fresh(acme), feature="sso", now=NOW).has_access
        end_override(tenant=fresh(acme), feature="sso", reason="y", actor=SOMEBODY, now=NOW)
        assert not check(tenant=fresh(acme), feature="sso", now=NOW).has_access

    def test_an_override_stops_to_the_second(self, acme: Tenant) -> None:
        define("sso", Kind.SWITCH)
        until = NOW + timedelta(days=1)
        grant = Grant(value=True)
        set_override(tenant=acme, feature="sso", grant=grant, reason="x", until=until, actor=SOMEBODY, now=NOW)
        tenant = fresh(acme)

        assert check(tenant=tenant, feature="sso", now=until - timedelta(microseconds=1)).has_access
        assert not check(tenant=tenant, feature="sso", now=until).has_access
        assert check(tenant=tenant, feature="sso", now=until - timedelta(microseconds=1)).has_access

    def test_what_is_rolled_back_was_never_kept(self, acme: Tenant) -> None:
        define("sso", Kind.SWITCH)
        with transaction.atomic():
            inside = fresh(acme)
            set_override(
                tenant=inside, feature="sso", grant=Grant(value=True), reason="x", until=None, actor=SOMEBODY, now=NOW
            )
            assert check(tenant=inside, feature="sso", now=NOW).has_access
            transaction.set_rollback(True)
        # A version of the same number, and another content.
        set_override(
            tenant=fresh(acme), feature="sso", grant=Grant(value=False), reason="y", until=None, actor=SOMEBODY, now=NOW
        )
        assert not check(tenant=fresh(acme), feature="sso", now=NOW).has_access

    def test_a_version_that_was_taken_back_stands_for_nothing(self, acme: Tenant) -> None:
        define("sso", Kind.SWITCH)
        allowed, refused = Grant(value=True), Grant(value=False)
        stale = fresh(acme)
        with transaction.atomic():
            with transaction.atomic():
                set_override(
                    tenant=stale, feature="sso", grant=allowed, reason="x", until=None, actor=SOMEBODY, now=NOW
                )
                transaction.set_rollback(True)
            # The caller's object still has the version that was never committed.
            assert not check(tenant=stale, feature="sso", now=NOW).has_access
        set_override(tenant=fresh(acme), feature="sso", grant=refused, reason="y", until=None, actor=SOMEBODY, now=NOW)
        assert check(tenant=fresh(acme), feature="sso", now=NOW).reason == Reason.REVOKED

    def test_a_new_version_of_the_default_plan_counts_at_once(self, acme: Tenant) -> None:
        define("sso", Kind.SWITCH)
        define("backups", Kind.SWITCH)
        give_everybody(backups="on")
        assert not check(tenant=fresh(acme), feature="sso", now=NOW).has_access
        give_everybody(backups="on", sso="on")
        assert check(tenant=fresh(acme), feature="sso", now=NOW).has_access

    def test_the_oldest_go_first(self) -> None:
        snapshots = snapshot.Snapshots(most=2)
        tenants = [make_tenant(each, ready=False) for each in ("one-1", "two-2", "three-3")]
        for each in tenants:
            snapshots.keep(each.pk, snapshot.compiled(each, now=NOW))
        assert [snapshots.get(each.pk) is not None for each in tenants] == [False, True, True]


class TestFailing:
    @pytest.fixture
    def broken(self, acme: Tenant, monkeypatch: pytest.MonkeyPatch) -> Tenant:
        """A tenant whose use cannot be read."""
        define("api-calls")
        give_everybody(api_calls="5/month")
        tenant = fresh(acme)
        snapshot.kept.keep(tenant.pk, snapshot.compiled(tenant, now=NOW))

        def fails(*args: Any, **kwargs: Any) -> Any:
            raise OperationalError("the database is away")

        monkeypatch.setattr(asking.measuring, "measure", fails)
        return tenant

    @pytest.fixture(autouse=True)
    def outside_of_a_transaction(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """The test itself runs in one."""
        monkeypatch.setattr(failing, "connection", SimpleNamespace(in_atomic_block=False))

    def test_closed_unless_the_plan_says_otherwise(self, broken: Tenant) -> None:
        before = failing.failures["api-calls"]
        decision = check(tenant=broken, feature="api-calls", now=NOW)
        assert (decision.has_access, decision.reason, decision.is_fallback) == (False, Reason.UNKNOWN, True)
        assert failing.failures["api-calls"] == before + 1

    def test_open_where_the_plan_says_so(self, broken: Tenant) -> None:
        Allowance.objects.update(on_error="open")
        snapshot.kept.keep(broken.pk, snapshot.compiled(broken, now=NOW))
        decision = check(tenant=broken, feature="api-calls", now=NOW)
        assert (decision.has_access, decision.is_fallback) == (True, True)


def test_a_plan_held_through_a_subscription_is_named(acme: Tenant) -> None:
    give_plan_to(acme, "pro", applications=5)
    decision = check(tenant=fresh(acme), feature="applications", now=NOW)
    assert (decision.plan, decision.limit) == ("plan:pro@3", 5)
