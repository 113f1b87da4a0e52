"""The last wall while releases change what stands behind it, and telling when it does not stand."""

from collections.abc import Callable
from datetime import timedelta
from importlib import import_module

import pytest
from django.db import DatabaseError, connection, transaction
from django.db.migrations import RunSQL
from django.db.migrations.recorder import MigrationRecorder
from django.test.utils import CaptureQueriesContext

from apps.core import clock
from apps.entitlements.errors import LimitReached
from apps.entitlements.limiting import ceilings, checks, triggers
from apps.entitlements.models import Ceiling
from apps.lifecycle import tasks
from apps.plans import catalogue, services
from apps.plans.errors import UnusableFeature
from apps.plans.models import Feature
from apps.plans.resolution import Grant
from apps.tenants import context, schema
from apps.tenants.models import Tenant
from tests.entitlements.limits import (
    acme,
    allow,
    committed,
    count,
    define_projects,
    insert,
    make_limited,
    project,
    without_triggers,
)
from tests.factories import NOW, SOMEBODY, make_tenant
from tests.tenants.probes import execute

__all__ = ["acme", "committed"]


def installed(tenant: Tenant) -> set[tuple[str, str]]:
    with connection.cursor() as cursor:
        return triggers._installed(cursor, tenant)


class TestMigrating:
    """As a release does whose migrations change the tables that are limited."""

    @pytest.fixture
    def release(self, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
        """Put a statement into the migration that makes the sample app's tables, as if it had just been written."""

        def write(statement: str) -> None:
            migrate = schema.TenantMigrationExecutor.migrate
            Tenant.objects.update(schema_version="an older one")
            with connection.cursor() as cursor:
                (tenant,) = Tenant.objects.all()
                cursor.execute(f"DELETE FROM \"{tenant.schema_name}\".django_migrations WHERE app = 'showcase'")

            def run(self: schema.TenantMigrationExecutor, targets: object) -> None:
                execute(statement)
                MigrationRecorder(connection).record_applied("showcase", "0001_initial")
                migrate(self, [])

            monkeypatch.setattr(schema.TenantMigrationExecutor, "migrate", run)

        return write

    def test_a_column_that_the_filter_names_can_be_renamed(self, acme: Tenant, release: Callable[[str], None]) -> None:
        release(
            "ALTER TABLE accounts_user RENAME COLUMN is_active TO enabled;"
            "UPDATE accounts_user SET full_name = 'Migrated';"
            "ALTER TABLE accounts_user RENAME COLUMN enabled TO is_active"
        )
        before = installed(acme)
        schema.migrate(acme)
        assert installed(acme) == before

    def test_a_row_can_be_added_to_a_tenant_above_its_limit(self, acme: Tenant, release: Callable[[str], None]) -> None:
        insert(acme, 3)
        allow(acme, 1)
        release("INSERT INTO showcase_project VALUES (gen_random_uuid(), 'Default', '', '', now())")
        schema.migrate(acme)
        assert count(acme) == 4
        with pytest.raises(LimitReached):
            insert(acme)

    def test_with_nothing_to_migrate_no_trigger_goes(self, acme: Tenant) -> None:
        with CaptureQueriesContext(connection) as log:
            schema.migrate(acme)
        assert not [each["sql"] for each in log if each["sql"].startswith("DROP")]

    def test_taking_the_limits_back_leaves_every_schema_behind(self, acme: Tenant) -> None:
        pending = make_tenant("pending", ready=False)
        migration = import_module("apps.entitlements.migrations.0001_ceilings").Migration
        for operation in reversed(migration.operations):
            if isinstance(operation, RunSQL) and operation.reverse_sql:
                execute(operation.reverse_sql)
        assert installed(acme) == set()
        assert acme in list(schema.outdated())
        assert pending not in list(schema.outdated())


class TestIsolation:
    @pytest.mark.django_db(transaction=True)
    @pytest.mark.parametrize("level", ["repeatable read", "serializable"])
    def test_who_would_not_see_the_rows_of_others_is_refused(self, level: str) -> None:
        tenant = make_limited("isolated")

        @transaction.atomic
        def isolated(write: Callable[[], None]) -> None:
            execute(f"SET TRANSACTION ISOLATION LEVEL {level}")
            write()

        with pytest.raises(DatabaseError, match=f"in a transaction that is {level}"):
            isolated(lambda: insert(tenant))
        with context.enter(tenant), pytest.raises(DatabaseError, match="only in one that is read committed"):
            isolated(project().save)


class TestChecks:
    def told(self) -> list[str]:
        return [str(each.msg) for each in checks.the_last_wall_stands(None, databases=["default"])]

    def test_a_wall_that_stands_is_in_order(self, acme: Tenant) -> None:
        assert self.told() == []
        assert checks.the_last_wall_stands(None) == checks.what_is_counted_is_a_count(None) == []

    def test_a_trigger_that_is_disabled_or_gone_is_found(self, acme: Tenant) -> None:
        execute(f'ALTER TABLE "{acme.schema_name}".accounts_user DISABLE TRIGGER entitlements_limit_update')
        execute(f'DROP TRIGGER entitlements_limit_insert ON "{acme.schema_name}".showcase_project')
        (told,) = self.told()
        assert told == (
            "The schema of tenant 'acme' lacks accounts_user.entitlements_limit_update, "
            "showcase_project.entitlements_limit_insert, or they are disabled."
        )

    def test_what_is_behind_is_not_judged(self, acme: Tenant) -> None:
        without_triggers(acme)
        Tenant.objects.update(schema_version="an older one")
        assert self.told() == []

    def test_a_feature_of_another_kind_is_found(self, acme: Tenant) -> None:
        assert checks.what_is_counted_is_a_count(None, databases=["default"]) == []
        execute("DELETE FROM plans_override")
        Feature.objects.filter(key="projects").update(kind="metered")
        (error,) = checks.what_is_counted_is_a_count(None, databases=["default"])
        assert error.id == "entitlements.E002"
        assert "showcase.Project are limited by the feature 'projects', which is of the kind metered" in error.msg

    @pytest.mark.parametrize("kind", ["metered", "switch", "credits", "config"])
    def test_and_is_not_defined(self, db: None, kind: str) -> None:
        with pytest.raises(UnusableFeature, match=f"projects is counted from a model.*not {kind}"):
            catalogue.define_feature(key="projects", kind=kind, actor=SOMEBODY, now=NOW)


def test_tenants_that_are_not_alike_are_told_apart(db: None) -> None:
    """Worked out at once, those that hold the same are worked out once."""
    define_projects()
    tenants = [make_tenant(f"tenant-{number}", ready=False) for number in range(8)]
    grants = {"projects": Grant(limit=5)}
    more = catalogue.publish_plan(key="more", grants=grants, add_on=True, actor=SOMEBODY, now=NOW)
    catalogue.publish_plan(key="free", grants=grants, actor=SOMEBODY, now=NOW)
    catalogue.set_default_plan(key="free", actor=SOMEBODY, now=NOW)
    for tenant, quantity in zip(tenants[1:3], (2, 3), strict=True):
        services.assign_plans(
            tenant=tenant, assigned=[services.Assigned("sub", tenant.tenant_id, more, quantity)], now=NOW
        )
    days = [clock.now() + timedelta(days=each) for each in (1, 2)]
    for tenant, limit, until in zip(tenants[3:], (6, 7, 7, 7, None), (None, None, *days, None), strict=True):
        allow(tenant, limit, until=until)
    Ceiling.objects.all().delete()
    ceilings.keep(None, NOW)
    kept = {row.tenant_uuid: row for row in Ceiling.objects.filter(feature="projects")}
    found = [(kept[each.pk].limit, kept[each.pk].until, kept[each.pk].limit_after) for each in tenants]
    assert [limit for limit, *_ in found] == [5, 15, 20, 6, 7, 7, 7, None]
    assert [until for _, until, _ in found] == [None] * 5 + days + [None]
    assert [after for *_, after in found] == [None] * 5 + [5, 5, None]


class TestEveryNight:
    def test_ceilings_that_are_wrong_or_absent_are_right_again(self, acme: Tenant) -> None:
        other = make_tenant("beta", ready=False)
        Ceiling.objects.filter(tenant_uuid=other.pk).delete()
        Ceiling.objects.filter(tenant_uuid=acme.pk, feature="projects").update(limit=99)
        ceilings.keep_all(now=clock.now())
        assert Ceiling.objects.get(tenant_uuid=acme.pk, feature="projects").limit == 3
        assert Ceiling.objects.get(tenant_uuid=other.pk, feature="projects").limit == 0

    def test_the_nightly_job_does_it(self, acme: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(tasks.sweeping, "nightly", lambda **asked: None)
        Ceiling.objects.filter(tenant_uuid=acme.pk, feature="projects").update(limit=99)
        tasks.every_night_job()
        assert Ceiling.objects.get(tenant_uuid=acme.pk, feature="projects").limit == 3
