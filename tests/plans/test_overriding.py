"""Exceptions for one tenant, the history of what was held, and the version that tells of every change."""

import ast
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from apps.audit.models import Entry
from apps.entitlements.selectors import explain
from apps.plans import selectors, services
from apps.plans.catalogue import define_feature, publish_plan, set_default_plan
from apps.plans.errors import NoOverride, UnknownFeature, UnusableGrant, UnusableOverride
from apps.plans.models import Override, PlanAssignment, PlanVersion
from apps.plans.overriding import end_override, set_override
from apps.plans.pricing.reading import read
from apps.plans.pushing import publish
from apps.plans.resolution import Grant, Origin, Terms
from apps.plans.services import Assigned, assign_plans
from apps.tenants.models import Tenant
from tests.factories import NOW, SOMEBODY, give_plan_to, make_tenant

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)


@pytest.fixture
def acme(db: None) -> Tenant:
    return make_tenant("acme", ready=False)


def override(tenant: Tenant, feature: str = "gateways", limit: int | None = 99, **given: Any) -> Override:
    given = {"reason": "A pilot.", "until": None, "actor": SOMEBODY, "now": NOW, **given}
    return set_override(tenant=tenant, feature=feature, grant=given.pop("grant", Grant(limit=limit)), **given)


def end(tenant: Tenant, feature: str = "gateways", now: datetime = NOW + HOUR) -> None:
    end_override(tenant=tenant, feature=feature, reason="It is over.", actor=SOMEBODY, now=now)


def limit_at(tenant: Tenant, moment: datetime, feature: str = "gateways") -> int | None:
    return selectors.entitlements_at(tenant, moment=moment)[feature].most


def limit_now(tenant: Tenant, now: datetime = NOW) -> int | None:
    return {each.entity: each.limit for each in selectors.limits(tenant, now=now)}["gateways"]


class TestSetting:
    @pytest.mark.parametrize("value", ["\0", "\ud800", [float("inf")], {1, 2}])
    def test_what_cannot_be_kept_is_refused(self, acme: Tenant, value: Any) -> None:
        define_feature(key="theme", kind="config", actor=SOMEBODY, now=NOW)
        with pytest.raises(UnusableGrant, match="cannot be kept"):
            override(acme, "theme", grant=Grant(value=value))

    def test_a_limit_that_is_no_number_is_refused_by_the_command_too(self, acme: Tenant) -> None:
        with pytest.raises(CommandError, match="'5' is not a whole number"):
            call_command("override_set", "acme", "gateways", limit="5", reason="A pilot.")

    def test_it_wins_over_the_plan_and_the_audit_tells_why(self, acme: Tenant) -> None:
        give_plan_to(acme, "pro", gateways=5)
        override(acme, until=NOW + HOUR)

        assert limit_now(acme) == 99
        entry = Entry.objects.get(action="tenant.override_set")
        assert (entry.subject, entry.actor_label, entry.reason) == ("tenant:acme", "somebody", "A pilot.")
        assert entry.after == {"gateways": "99", "gateways_until": "2026-03-01T13:00:00+00:00"}

    def test_it_ends_by_itself_at_the_second(self, acme: Tenant) -> None:
        give_plan_to(acme, "pro", gateways=5)
        override(acme, until=NOW + HOUR)
        assert limit_now(acme, NOW + HOUR - timedelta(seconds=1)) == 99
        assert limit_now(acme, NOW + HOUR) == 5

    def test_an_entity_that_no_price_ever_named(self, acme: Tenant) -> None:
        override(acme, "gateways", 0)
        (found,) = explain(tenant=acme, feature="gateways", now=NOW)
        assert (found.most, found.origin, found.source) == (0, Origin.OVERRIDE, "override by somebody")

    def test_a_second_one_replaces_the_first_and_both_are_kept(self, acme: Tenant) -> None:
        override(acme, limit=1)
        override(acme, limit=2, now=NOW + HOUR)
        end(acme, now=NOW + 2 * HOUR)

        at = [limit_at(acme, NOW + hours * HOUR) for hours in (-1, 0, 1, 2)]
        assert at == [None, 1, 2, None]
        assert [each.ended_because for each in Override.objects.order_by("valid_from")] == [
            "Replaced: A pilot.",
            "It is over.",
        ]

    @pytest.mark.parametrize(
        ("given", "error"),
        [
            ({"reason": " "}, UnusableOverride),
            ({"until": NOW}, UnusableOverride),
            ({"feature": "gatewayz"}, UnknownFeature),
            ({"grant": Grant(limit=-1)}, UnusableGrant),
            ({"grant": Grant(value=True)}, UnusableGrant),
            ({"feature": "calls", "grant": Grant(limit=1, terms=Terms(reset_period="day"))}, UnusableGrant),
        ],
    )
    def test_what_is_unusable_changes_nothing(
        self, acme: Tenant, given: dict[str, Any], error: type[Exception]
    ) -> None:
        define_feature(key="calls", kind="metered", actor=SOMEBODY, now=NOW)
        with pytest.raises(error):
            override(acme, **given)
        assert not Override.objects.exists()

    def test_it_concerns_one_tenant_alone(self, acme: Tenant) -> None:
        other = make_tenant("other", ready=False)
        override(acme)
        assert limit_now(other) is None


class TestEnding:
    def test_the_plans_decide_again(self, acme: Tenant) -> None:
        give_plan_to(acme, "pro", gateways=5)
        override(acme)
        end(acme)
        assert limit_now(acme) == 5
        assert Entry.objects.get(action="tenant.override_ended").after == {"gateways": "as the plans have it"}

    def test_there_must_be_one_that_is_not_over(self, acme: Tenant) -> None:
        with pytest.raises(NoOverride, match="gateways of tenant 'acme'"):
            end(acme)
        override(acme, until=NOW + HOUR)
        with pytest.raises(NoOverride):
            end(acme, now=NOW + HOUR)


class TestHistory:
    def test_what_was_held_when_is_kept(self, acme: Tenant) -> None:
        small = give_plan_to(make_tenant("aside", ready=False), "small", gateways=1)
        large = give_plan_to(make_tenant("astray", ready=False), "large", gateways=10)
        for hours, version in ((0, small), (1, large), (2, large)):
            assign_plans(tenant=acme, assigned=[_item(version)], now=NOW + hours * HOUR)

        assert [limit_at(acme, NOW + hours * HOUR) for hours in (0, 1, 2, 3)] == [1, 10, 10, 10]
        assert limit_at(acme, NOW - HOUR) is None
        held = PlanAssignment.objects.filter(tenant=acme).order_by("valid_from")
        assert [(each.version, each.valid_from, each.valid_to) for each in held] == [
            (small, NOW, NOW + HOUR),
            (large, NOW + HOUR, None),
        ]

    def test_a_clock_that_is_behind_ends_nothing_before_it_began(self, acme: Tenant) -> None:
        version = give_plan_to(make_tenant("aside", ready=False), "small", gateways=1)
        assign_plans(tenant=acme, assigned=[_item(version)], now=NOW)
        assign_plans(tenant=acme, assigned=[], now=NOW - HOUR)
        assert PlanAssignment.objects.get(tenant=acme).valid_to == NOW


def _item(version: PlanVersion) -> Assigned:
    return Assigned(subscription_id="sub_9", item_id="si_9", version=version, quantity=1)


PUSHED = read('{"plans": {"plan:free@2": {"features": {"feature:sso": {}}}}}')


class TestVersionOfEntitlements:
    """Whoever holds what was worked out compares this version: every change of a source makes it a newer one."""

    @pytest.mark.parametrize(
        "change",
        [
            lambda acme, version: override(acme, "users"),
            lambda acme, version: end(acme),
            lambda acme, version: assign_plans(tenant=acme, assigned=[_item(version)], now=NOW),
            lambda acme, version: services.release_subscriptions(tenant=acme, now=NOW),
            lambda acme, version: set_default_plan(key=None, actor=SOMEBODY, now=NOW),
            lambda acme, version: publish_plan(key="free", grants={}, actor=SOMEBODY, now=NOW),
            lambda acme, version: publish(document=PUSHED, price_ids=lambda *_: "", actor=SOMEBODY, now=NOW),
        ],
    )
    def test_it_grows_with_every_change(self, acme: Tenant, change: Callable[[Tenant, PlanVersion], object]) -> None:
        publish_plan(key="free", grants={"clients": Grant(limit=1)}, actor=SOMEBODY, now=NOW)
        set_default_plan(key="free", actor=SOMEBODY, now=NOW)
        version = give_plan_to(acme, "pro", gateways=5)
        override(acme)
        before = Tenant.objects.get(pk=acme.pk).entitlements_version
        change(acme, version)
        assert Tenant.objects.get(pk=acme.pk).entitlements_version > before

    def test_no_other_module_writes_a_source(self) -> None:
        """The list above is of every service that does: whoever adds a writer is reminded here."""
        sources = {"PlanAssignment", "Override", "DefaultPlan", "Allowance", "PlanVersion", "Plan", "Feature"}
        writers = {
            str(path)
            for path in Path("apps").rglob("*.py")
            if "migrations" not in path.parts and _writes(ast.parse(path.read_text()), sources)
        }
        modules = ("services", "overriding", "catalogue", "pushing")
        assert writers == {f"apps/plans/{module}.py" for module in modules}


WRITES = {"create", "bulk_create", "update", "delete", "get_or_create", "update_or_create", "save", "bulk_update"}


def _writes(tree: ast.AST, models: set[str]) -> bool:
    """Whether a statement both names one of these models and writes."""
    calls = (node for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute))
    written = (call.func for call in calls if call.func.attr in WRITES)  # type: ignore[attr-defined]
    return any({each.id for each in ast.walk(func) if isinstance(each, ast.Name)} & models for func in written)
