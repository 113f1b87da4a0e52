"""Rows that come in past every model."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.core.management import call_command
from django.db import DatabaseError, connection, transaction
from django.db.models import Q
from django.test.utils import CaptureQueriesContext

from apps.core import clock
from apps.entitlements import registry
from apps.entitlements.errors import LimitReached
from apps.entitlements.limiting import translated, triggers
from apps.entitlements.models import Ceiling
from apps.plans import catalogue
from apps.plans.models import Override
from apps.plans.resolution import Grant, Terms
from apps.plans.terms import Enforcement
from apps.showcase.models import Project
from apps.tenants import context, schema
from apps.tenants.models import Tenant
from tests.entitlements.limits import (
    acme,
    allow,
    committed,
    count,
    define_projects,
    fill,
    insert,
    inside,
    make_limited,
    project,
    without_triggers,
)
from tests.factories import NOW, SOMEBODY, make_tenant
from tests.tenants.probes import execute

__all__ = ["acme", "committed", "inside"]


class TestRawStatements:
    def test_up_to_the_limit(self, acme: Tenant) -> None:
        insert(acme, 3)
        assert count(acme) == 3

    def test_beyond_it_the_statement_fails_alone_in_its_savepoint(self, inside: Tenant) -> None:
        insert(inside, 2)
        with transaction.atomic():
            with pytest.raises(LimitReached) as refused, transaction.atomic():
                insert(inside, 2)
            project().save()
        decision = refused.value.decision
        assert (decision.feature, decision.requested, decision.used, decision.limit) == ("projects", 2, 2, 3)
        assert decision.source == "override by somebody"
        assert Project.objects.count() == 3

    def test_the_databases_own_error_is_its_cause(self, acme: Tenant) -> None:
        with pytest.raises(LimitReached) as refused, transaction.atomic():
            insert(acme, 4)
        assert isinstance(refused.value.__cause__, DatabaseError)
        assert "The limit of 3 projects is reached." in str(refused.value.__cause__)

    def test_any_other_error_stays_what_it_is(self, inside: Tenant) -> None:
        fill(1)
        with pytest.raises(DatabaseError, match="duplicate key"), transaction.atomic():
            execute("INSERT INTO showcase_project SELECT * FROM showcase_project")

    def test_from_outside_of_the_tenant_too(self, acme: Tenant) -> None:
        assert connection.schema_name == "public"  # type: ignore[attr-defined]
        with pytest.raises(LimitReached), transaction.atomic():
            insert(acme, 4)

    def test_many_statements_in_one_call(self, inside: Tenant) -> None:
        row = "INSERT INTO showcase_project VALUES (gen_random_uuid(), %s, '', '', now())"
        with pytest.raises(LimitReached), transaction.atomic(), connection.cursor() as cursor:
            cursor.executemany(row, [["One"], ["Two"], ["Three"], ["Four"]])

    def test_copying(self, inside: Tenant) -> None:
        statement = "COPY showcase_project (id, name, description, created_by, created_at) FROM STDIN"
        rows = "".join(f"00000000-0000-4000-8000-00000000000{number}\tCopied\t\t\t2026-01-01\n" for number in range(4))
        refused = pytest.raises(LimitReached)
        with refused, transaction.atomic(), translated(), connection.cursor() as cursor, cursor.copy(statement) as copy:
            copy.write(rows)
        assert Project.objects.count() == 0

    def test_what_adds_nothing_is_not_refused_above_the_limit(self, inside: Tenant) -> None:
        fill(3)
        allow(inside, 1)
        execute("UPDATE showcase_project SET name = 'Renamed'")
        execute("INSERT INTO showcase_project SELECT * FROM showcase_project ON CONFLICT DO NOTHING")
        execute("DELETE FROM showcase_project WHERE name = 'nobody'")

    def test_a_soft_limit_lets_pass(self, inside: Tenant) -> None:
        Ceiling.objects.filter(tenant_uuid=inside.pk, feature="projects").update(soft=True)
        insert(inside, 5)
        fill(1)
        assert Project.objects.count() == 6

    def test_another_tenants_rows_do_not_count(self, acme: Tenant) -> None:
        beta = make_limited("beta", projects=1)
        insert(acme, 3)
        insert(beta, 1)
        for tenant in (acme, beta):
            with pytest.raises(LimitReached), transaction.atomic():
                insert(tenant)
        allow(acme, 9)
        insert(acme, 3)
        with pytest.raises(LimitReached), transaction.atomic():
            insert(beta)
        assert (count(acme), count(beta)) == (6, 1)


class TestTime:
    """An override ends by itself: by the database's clock, without a job."""

    def test_raised_is_allowed_at_once(self, inside: Tenant) -> None:
        fill(3)
        allow(inside, 5, until=clock.now() + timedelta(hours=1))
        fill(1)
        insert(inside)
        with pytest.raises(LimitReached), transaction.atomic():
            insert(inside)

    def test_run_out_is_refused_at_once(self, inside: Tenant) -> None:
        """The default plan grants two beneath the override."""
        publish_default(projects=2)
        allow(inside, 5, until=clock.now() + timedelta(hours=1))
        fill(3)
        run_out(inside, at=clock.now())
        with pytest.raises(LimitReached) as refused, transaction.atomic():
            insert(inside)
        assert (refused.value.decision.limit, refused.value.decision.source) == (2, "plan:free@1")
        with pytest.raises(LimitReached) as refused:
            project().save()
        assert (refused.value.decision.limit, refused.value.decision.plan) == (2, "plan:free@1")

    def test_run_out_to_unlimited(self, inside: Tenant) -> None:
        publish_default(projects=None)
        allow(inside, 0, until=clock.now() + timedelta(hours=1))
        run_out(inside, at=clock.now())
        insert(inside, 5)
        fill(1)


def run_out(tenant: Tenant, *, at: datetime) -> None:
    """As if the time of its override had come."""
    Ceiling.objects.filter(tenant_uuid=tenant.pk).exclude(until=None).update(until=at)


def publish_default(projects: int | None, enforcement: str = Enforcement.HARD.value) -> None:
    grants = {"projects": Grant(limit=projects, terms=Terms(enforcement=enforcement))}
    catalogue.publish_plan(key="free", grants=grants, actor=SOMEBODY, now=NOW)
    catalogue.set_default_plan(key="free", actor=SOMEBODY, now=NOW)


def ceiling(tenant: Tenant, feature: str = "projects") -> tuple[Any, ...]:
    row = Ceiling.objects.get(tenant_uuid=tenant.pk, feature=feature)
    return row.limit, row.source, row.until, row.limit_after, row.source_after


class TestCeilings:
    """What the database enforces is what the entitlements say, from the moment at which they say it."""

    def test_a_new_version_of_the_default_plan_reaches_all_tenants(self, db: None) -> None:
        define_projects()
        tenants = [make_tenant(each, ready=False) for each in ("gamma", "delta")]
        publish_default(projects=2)
        assert {ceiling(tenant)[:2] for tenant in tenants} == {(2, "plan:free@1")}
        publish_default(projects=7)
        assert {ceiling(tenant)[:2] for tenant in tenants} == {(7, "plan:free@2")}
        catalogue.set_default_plan(key=None, actor=SOMEBODY, now=NOW)
        assert {ceiling(tenant)[:2] for tenant in tenants} == {(0, "")}

    def test_of_a_new_tenant_they_are_there_with_its_tables(self, db: None) -> None:
        define_projects()
        publish_default(projects=2)
        tenant = make_tenant("gamma")
        assert ceiling(tenant)[:2] == (2, "plan:free@1")
        assert ceiling(tenant, "users")[0] is None

    def test_an_override_with_an_end_knows_what_comes_after(self, acme: Tenant) -> None:
        publish_default(projects=2)
        until = clock.now() + timedelta(days=1)
        allow(acme, 5, until=until)
        assert ceiling(acme) == (5, "override by somebody", until, 2, "plan:free@1")

    def test_one_that_is_over_is_over_when_they_are_worked_out_anew(self, inside: Tenant) -> None:
        publish_default(projects=2)
        allow(inside, 5, until=clock.now() + timedelta(days=1))
        Override.objects.present().update(valid_from=NOW, until=NOW + timedelta(days=1))
        allow(inside, 4, "users")
        assert ceiling(inside)[2:4] == (NOW + timedelta(days=1), 2)
        with pytest.raises(LimitReached), transaction.atomic():
            insert(inside, 3)

    def test_soft_as_the_plan_says(self, acme: Tenant) -> None:
        publish_default(projects=2, enforcement=Enforcement.SOFT.value)
        assert Ceiling.objects.get(tenant_uuid=acme.pk, feature="projects").soft
        insert(acme, 9)

    def test_many_tenants_cost_as_many_queries_as_few(self, acme: Tenant) -> None:
        allow(acme, 5, until=clock.now() + timedelta(days=1))
        publish_default(projects=1)
        costs = []
        for round_ in range(2):
            for number in range(1 + 8 * round_):
                other = make_tenant(f"tenant-{round_}-{number}", ready=False)
                allow(other, 5, until=clock.now() + timedelta(days=1 + number))
            with CaptureQueriesContext(connection) as log:
                publish_default(projects=2 + round_)
            costs.append(len(log))
        assert costs[0] == costs[1]

    def test_go_with_the_tenant(self, acme: Tenant) -> None:
        Tenant.objects.filter(pk=acme.pk).delete()
        assert not Ceiling.objects.filter(tenant_uuid=acme.pk).exists()


def installed(tenant: Tenant) -> set[tuple[str, str]]:
    with connection.cursor() as cursor:
        return triggers._installed(cursor, tenant)


EVERY = {
    ("accounts_user", "entitlements_limit_insert"),
    ("accounts_user", "entitlements_limit_update"),
    ("showcase_project", "entitlements_limit_insert"),
}


class TestInstalling:
    @pytest.fixture
    def teams(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
        """The next release counts another model's rows."""
        monkeypatch.setattr(registry, "_counted", dict(registry.counted_entities()))
        registry.register(entity="teams", model=Group, filter=~Q(name__startswith="100% hidden"))
        schema.current_version.cache_clear()
        yield
        monkeypatch.undo()
        schema.current_version.cache_clear()

    def test_a_new_tenant_has_them(self, acme: Tenant) -> None:
        assert installed(acme) == EVERY

    def test_an_existing_one_gets_them_by_migrating(self, acme: Tenant) -> None:
        for table, name in EVERY:
            execute(f'DROP TRIGGER {name} ON "{acme.schema_name}".{table}')
        Ceiling.objects.all().delete()
        Tenant.objects.update(schema_version="before there were limits")
        call_command("migrate", interactive=False, stdout=StringIO())
        assert installed(acme) == EVERY
        with pytest.raises(LimitReached), transaction.atomic():
            insert(acme, 4)

    def test_what_else_is_counted_makes_a_schema_outdated(self, acme: Tenant, teams: None) -> None:
        assert acme in list(schema.outdated())
        schema.migrate(acme)
        added = {("auth_group", f"entitlements_limit_{what}") for what in ("insert", "update")}
        assert installed(acme) == EVERY | added

    def test_the_rows_that_count_are_those_of_the_filter(self, acme: Tenant, teams: None) -> None:
        schema.migrate(acme)
        catalogue.define_feature(key="teams", kind="count", actor=SOMEBODY, now=NOW)
        allow(acme, 1, "teams")
        with context.enter(acme):
            execute("INSERT INTO auth_group (name) VALUES ('100% hidden'), ('100% hidden too'), ('seen')")
            with pytest.raises(LimitReached), transaction.atomic():
                execute("INSERT INTO auth_group (name) VALUES ('100 seen')")
            with pytest.raises(LimitReached), transaction.atomic():
                execute("UPDATE auth_group SET name = 'seen too' WHERE name = '100% hidden'")
            Group(name="100% hidden again").save()
            with pytest.raises(LimitReached):
                Group(name="again").save()

    def test_what_is_no_longer_counted_is_no_longer_limited(self, acme: Tenant, only_users: None) -> None:
        schema.migrate(acme)
        assert installed(acme) == {each for each in EVERY if each[0] == "accounts_user"}
        insert(acme, 9)

    def test_installing_them_again_changes_nothing(self, acme: Tenant) -> None:
        schema.migrate(acme)
        assert installed(acme) == EVERY


@pytest.mark.django_db(transaction=True)
class TestRestoring:
    def test_above_the_limit_passes_and_new_rows_are_refused(self, settings: Any, tmp_path: Path) -> None:
        settings.TENANTRY_EXPORT_DIR = tmp_path
        leaving = make_limited("leaving")
        without_triggers(leaving)
        insert(leaving, 5)
        call_command("tenant_delete", "leaving", "--reason", "They left", "--yes", stdout=StringIO())
        (export,) = tmp_path.iterdir()
        call_command("tenant_restore", str(export), stdout=StringIO())
        restored = Tenant.objects.get(tenant_id="leaving")
        assert count(restored) == 5
        assert installed(restored) == EVERY
        with pytest.raises(LimitReached) as refused:
            insert(restored)
        assert (refused.value.decision.used, refused.value.decision.limit) == (5, 3)
        with context.enter(restored):
            with pytest.raises(LimitReached):
                project().save()
            Project.objects.update(description="As it was")
