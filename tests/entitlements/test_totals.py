"""How many of each entity a tenant has."""

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.accounts.models import User
from apps.core.actors import Actor
from apps.entitlements import registry
from apps.entitlements.errors import EntityIsCounted, InvalidEntity, InvalidTotal
from apps.entitlements.selectors import limits_with_totals, registry_totals, registry_totals_of
from apps.entitlements.services import set_total, set_totals
from apps.entitlements.types import EntityTotal, Source
from apps.tenants import context
from apps.tenants.models import Tenant
from apps.usage.models import ReportedTotal
from tests.factories import NOW, SOMEBODY, give_plan_to, make_member, make_operator, make_tenant

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("only_users")]

THE_SEVEN = [
    "applications",
    "clients",
    "end-devices",
    "gateways",
    "organizations",
    "users",
    "activated-end-devices",
]


def totals_of(tenant: Tenant) -> dict[str, EntityTotal]:
    return {each.entity: each for each in registry_totals(tenant=tenant, now=NOW)}


def numbers_of(tenant: Tenant) -> dict[str, int]:
    return {entity: each.total for entity, each in totals_of(tenant).items() if each.total is not None}


def tell(tenant: Tenant, entity: str, total: Any, **given: Any) -> None:
    set_total(tenant=tenant, entity=entity, total=total, **{"actor": SOMEBODY, "now": NOW, **given})


class TestCounted:
    def test_active_users_of_this_tenant_alone(self) -> None:
        acme, other = make_tenant("acme"), make_tenant("other")
        make_operator()
        make_member(acme, "max")
        with context.enter(acme):
            User.objects.filter(username="max").update(is_active=False)
        make_member(acme, "eve")
        make_member(other, "bob")
        make_member(other, "kim")

        assert totals_of(acme)["users"] == EntityTotal("users", "Users", 2, Source.COUNTED, as_of=NOW)
        assert numbers_of(other) == {"users": 3}

    @pytest.mark.usefixtures("teams")
    def test_a_registered_model_by_its_filter(self) -> None:
        acme, other = make_tenant("acme"), make_tenant("other")
        with context.enter(acme):
            for name in ("red", "blue", "hidden one"):
                Group.objects.create(name=name)
        Group.objects.create(name="the operator's own")

        assert totals_of(acme)["teams"].total == 2
        assert totals_of(other)["teams"].total == 0

    @pytest.mark.usefixtures("teams")
    def test_any_number_of_entities_is_one_query(self) -> None:
        acme = make_tenant("acme")
        registry.register(entity="badges", model=Group)
        registry.register(entity="labels", model=Group)
        with CaptureQueriesContext(connection) as queries:
            assert numbers_of(acme) == {"users": 1, "teams": 0, "badges": 0, "labels": 0}

        assert len([each for each in queries if "COUNT(" in each["sql"]]) == 1

    def test_where_one_is_afterwards_is_where_one_was(self) -> None:
        acme, other = make_tenant("acme"), make_tenant("other")
        with context.enter(other):
            assert numbers_of(acme) == {"users": 1}
            assert connection.schema_name == other.schema_name  # type: ignore[attr-defined]
        assert connection.schema_name == "public"  # type: ignore[attr-defined]

    def test_a_tenant_that_is_not_ready_has_reported_totals_only(self) -> None:
        acme = make_tenant("acme", ready=False)
        make_operator()
        tell(acme, "gateways", 4)
        assert numbers_of(acme) == {"gateways": 4}

    def test_nor_has_one_whose_schema_is_missing_or_behind(self) -> None:
        acme, behind = make_tenant("acme"), make_tenant("behind")
        make_operator()
        acme.schema_name = "t_acme_lost"
        behind.schema_version = "older"
        assert numbers_of(acme) == numbers_of(behind) == {}


class TestReported:
    def test_the_last_report_with_when_and_by_whom(self) -> None:
        acme = make_tenant("acme", ready=False)
        tell(acme, "end-devices", 12)
        later = NOW + timedelta(hours=1)
        tell(acme, "end-devices", 9, actor=Actor.api_key(name="fleet"), now=later)

        assert totals_of(acme)["end-devices"] == EntityTotal(
            "end-devices", "End devices", 9, Source.REPORTED, as_of=later, told_by="fleet"
        )

    def test_an_older_report_never_overwrites_a_newer_one(self) -> None:
        acme = make_tenant("acme", ready=False)
        tell(acme, "gateways", 5)
        set_totals(
            tenant=acme, totals={"gateways": 1, "clients": 2}, actor=SOMEBODY, now=NOW - timedelta(microseconds=1)
        )
        assert numbers_of(acme) == {"gateways": 5, "clients": 2}

    def test_one_row_for_a_tenant_and_entity_each(self) -> None:
        acme, other = make_tenant("acme", ready=False), make_tenant("other", ready=False)
        for total in (1, 2, 3):
            tell(acme, "gateways", total)
            tell(other, "gateways", total * 10)
        assert sorted(ReportedTotal.objects.values_list("tenant_uuid", "total")) == sorted(
            [(acme.pk, 3), (other.pk, 30)]
        )

    def test_they_outlive_the_tenant(self) -> None:
        acme = make_tenant("acme", ready=False)
        tell(acme, "gateways", 5)
        key = acme.pk
        acme.delete()
        assert ReportedTotal.objects.get(tenant_uuid=key).total == 5

    def test_a_total_can_be_told_from_within_a_tenant(self) -> None:
        acme = make_tenant("acme")
        with context.enter(acme):
            tell(acme, "projects", 2)
        assert totals_of(acme)["projects"].total == 2

    @pytest.mark.parametrize("total", [0, 1, 2**63 - 1])
    def test_every_total_there_can_be(self, total: int) -> None:
        acme = make_tenant("acme", ready=False)
        tell(acme, "clients", total)
        assert numbers_of(acme) == {"clients": total}

    @pytest.mark.parametrize("total", [-1, 2**63, 1.0, "1", True, None])
    def test_what_is_no_total_is_refused_and_nothing_changes(self, total: Any) -> None:
        acme = make_tenant("acme", ready=False)
        with pytest.raises(InvalidTotal, match=r"The total of 'gateways' is .*0 to 9223372036854775807"):
            set_totals(tenant=acme, totals={"clients": 1, "gateways": total}, actor=SOMEBODY, now=NOW)
        assert not ReportedTotal.objects.exists()

    def test_a_counted_entity_is_not_told(self) -> None:
        acme = make_tenant("acme", ready=False)
        with pytest.raises(EntityIsCounted, match=r"'users' is counted from accounts\.User"):
            set_totals(tenant=acme, totals={"clients": 1, "users": 3}, actor=SOMEBODY, now=NOW)
        assert not ReportedTotal.objects.exists()

    def test_a_malformed_entity_is_refused(self) -> None:
        with pytest.raises(InvalidEntity, match="'end_devices'"):
            tell(make_tenant("acme", ready=False), "end_devices", 1)

    def test_what_was_reported_before_it_was_counted_no_longer_counts(self, only_users: None) -> None:
        acme, unready = make_tenant("acme"), make_tenant("unready", ready=False)
        for tenant in (acme, unready):
            tell(tenant, "teams", 7)
        registry.register(entity="teams", model=Group)
        assert totals_of(acme)["teams"].total == 0
        assert totals_of(unready)["teams"].total is None


def test_the_things_stacks_entities_come_first() -> None:
    acme = make_tenant("acme", ready=False)
    tell(acme, "projects", 1)
    tell(acme, "badges", 1)
    assert list(totals_of(acme)) == [*THE_SEVEN, "badges", "projects"]


def test_what_nobody_tells_is_none() -> None:
    assert totals_of(make_tenant("acme"))["gateways"] == EntityTotal("gateways", "Gateways")


def test_the_totals_of_many_tenants_that_are_not_counted_are_three_queries() -> None:
    tenants = [make_tenant(f"tenant-{number}", ready=False) for number in range(5)]
    for number, tenant in enumerate(tenants):
        tell(tenant, "clients", number)
    with CaptureQueriesContext(connection) as queries:
        found = registry_totals_of(tenants=tenants, now=NOW)
    assert len(queries) == 3
    assert [{each.entity: each.total for each in found[tenant.pk]}["clients"] for tenant in tenants] == [0, 1, 2, 3, 4]


class TestBesideLimits:
    def test_each_limit_says_how_many_there_are(self) -> None:
        acme = make_tenant("acme")
        give_plan_to(acme, "pro", gateways=3, clients=2, users=5, seats=1, organizations=0)
        set_totals(tenant=acme, totals={"gateways": 5, "clients": 2, "organizations": 0}, actor=SOMEBODY, now=NOW)

        found = {each.entity: each for each in limits_with_totals(tenant=acme, now=NOW)}

        assert {entity: (each.total, each.limit) for entity, each in found.items()} == {
            "applications": (None, None),
            "clients": (2, 2),
            "end-devices": (None, None),
            "gateways": (5, 3),
            "organizations": (0, 0),
            "users": (1, 5),
            "seats": (None, 1),
        }
        assert {entity: each.over for entity, each in found.items() if each.over} == {"gateways": 2}
        assert [entity for entity, each in found.items() if each.is_reached] == ["clients"]

    def test_what_is_not_limited_is_told_when_there_are_some(self) -> None:
        acme = make_tenant("acme", ready=False)
        tell(acme, "projects", 4)
        tell(acme, "activated-end-devices", 2)
        found = limits_with_totals(tenant=acme, now=NOW)
        assert [(each.entity, each.total, each.limit) for each in found[6:]] == [
            ("activated-end-devices", 2, None),
            ("projects", 4, None),
        ]
