"""A tenant's schema: made whole or not at all, and brought up to date with the fleet."""

import re
from collections.abc import Iterator
from importlib import import_module
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import DataError, connection, transaction
from django.db.migrations.recorder import MigrationRecorder
from django.test.utils import CaptureQueriesContext

from apps.accounts.models import User
from apps.lifecycle import provisioning
from apps.tenants import checks, schema
from apps.tenants.context import enter, schema_exists
from apps.tenants.errors import SchemaExists, TenantNotReady
from apps.tenants.models import Tenant
from tests.factories import make_tenant
from tests.support import schemas
from tests.tenants.house import House
from tests.tenants.probes import dump, execute, search_path, tables_of, tenant_schemas


@pytest.fixture(autouse=True)
def schemas_made_quickly() -> None:
    """Not here, where it is told how schemas are made."""


@pytest.mark.django_db
class TestCreating:
    def test_makes_exactly_the_tables_of_the_tenant_apps(self) -> None:
        tenant = make_tenant("gamma", ready=False)
        schema.create(tenant)
        assert tables_of(tenant.schema_name) == schema.expected_tables() | {"django_migrations"}
        assert {"accounts_user", "django_session", "account_emailaddress"} <= schema.expected_tables()
        assert not {name for name in schema.expected_tables() if name.startswith(("tenants_", "djstripe_", "audit_"))}

    def test_makes_the_tables_that_both_sides_have_as_they_are_in_public(self) -> None:
        tenant = make_tenant("gamma", ready=False)
        schema.create(tenant)
        made, public = columns(tenant.schema_name), columns("public")
        assert {name: made[name] for name in made.keys() & public.keys()} == {
            name: public[name] for name in made.keys() & public.keys()
        }
        assert made.keys() - public.keys() == {"showcase_project", "showcase_task"}

    def test_records_its_migrations_inside_and_nowhere_else(self) -> None:
        before = execute("SELECT app, name FROM public.django_migrations ORDER BY id")
        tenant = make_tenant("gamma", ready=False)
        schema.create(tenant)
        recorded = set(execute(f'SELECT app, name FROM "{tenant.schema_name}".django_migrations'))
        assert {app for app, _ in recorded} == set(schema.tenant_app_labels())
        assert recorded <= set(before)
        assert execute("SELECT app, name FROM public.django_migrations ORDER BY id") == before

    def test_writes_nothing_into_public_but_its_version_and_its_limits(self) -> None:
        tenant = make_tenant("gamma", ready=False)
        before = dump("public")
        schema.create(tenant)
        after = dump("public")
        assert {table for table in before if before[table] != after[table]} == {
            "tenants_tenant",
            "entitlements_ceiling",
        }

    def test_notes_the_version(self) -> None:
        tenant = make_tenant("gamma", ready=False)
        schema.create(tenant)
        assert Tenant.objects.get(tenant_id="gamma").schema_version == schema.current_version() != ""

    def test_adopts_nothing_that_is_there(self) -> None:
        tenant = make_tenant("gamma", ready=False)
        execute(f'CREATE SCHEMA "{tenant.schema_name}"')
        with pytest.raises(SchemaExists, match="will not be adopted"):
            schema.create(tenant)
        assert tables_of(tenant.schema_name) == set()
        assert Tenant.objects.get(tenant_id="gamma").schema_version == ""

    def test_that_breaks_midway_leaves_nothing(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """The last but one migration is done when it breaks."""
        tenant = make_tenant("gamma", ready=False)
        record = MigrationRecorder.record_applied
        done: list[str] = []

        def break_at_the_last(self: MigrationRecorder, app: str, name: str) -> None:
            if len(done) == 20:
                assert len(tables_of(tenant.schema_name)) > 5
                raise RuntimeError("no more space")
            done.append(name)
            record(self, app, name)

        monkeypatch.setattr(MigrationRecorder, "record_applied", break_at_the_last)
        with pytest.raises(RuntimeError):
            schema.create(tenant)
        assert not schema_exists(tenant.schema_name)
        assert Tenant.objects.get(tenant_id="gamma").schema_version == ""
        monkeypatch.undo()
        schema.create(tenant)
        assert tables_of(tenant.schema_name) > schema.expected_tables()

    def test_a_schema_that_is_not_there_is_not_migrated(self) -> None:
        tenant = make_tenant("gamma", ready=False)
        with pytest.raises(TenantNotReady):
            schema.migrate(tenant)
        assert not schema_exists(tenant.schema_name)


@pytest.mark.django_db
def test_the_schemas_that_tests_of_other_things_make_quickly_are_no_different(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = make_tenant("asked", ready=False)
    schema.create(asked)
    schemas.repeat_statements(monkeypatch)
    for tenant_id in ("written", "repeated"):
        tenant = make_tenant(tenant_id, ready=False)
        schema.create(tenant)
        assert columns(tenant.schema_name) == columns(asked.schema_name)
        assert definitions(tenant) == definitions(asked)
        assert is_current(tenant)


def definitions(tenant: Tenant) -> set[tuple[Any, ...]]:
    """Of constraints, indexes, triggers and functions, and which migrations there are records of."""
    found = execute(
        """
        SELECT conrelid::regclass::text, pg_get_constraintdef(oid) FROM pg_constraint
            WHERE connamespace = %s::regnamespace
        UNION ALL SELECT tablename, indexdef FROM pg_indexes WHERE schemaname = %s
        UNION ALL SELECT tgrelid::regclass::text, pg_get_triggerdef(pg_trigger.oid) FROM pg_trigger
            JOIN pg_class ON pg_class.oid = tgrelid
            WHERE relnamespace = %s::regnamespace AND NOT tgisinternal
        UNION ALL SELECT proname, pg_get_functiondef(oid) FROM pg_proc WHERE pronamespace = %s::regnamespace
        """,
        *[tenant.schema_name] * 4,
    )
    recorded = execute(f'SELECT app, name FROM "{tenant.schema_name}".django_migrations')
    own = re.compile(f"{tenant.schema_name}|{tenant.pk}")
    return {tuple(own.sub("its own", value) for value in row) for row in [*found, *recorded]}


def columns(schema_name: str) -> dict[str, list[tuple[Any, ...]]]:
    found: dict[str, list[tuple[Any, ...]]] = {}
    sql = """
        SELECT table_name, column_name, data_type, character_maximum_length, is_nullable, is_identity
        FROM information_schema.columns WHERE table_schema = %s ORDER BY table_name, column_name
    """
    for table, *rest in execute(sql, schema_name):
        found.setdefault(table, []).append(tuple(rest))
    return found


def fall_behind(tenant: Tenant) -> None:
    """As if the migration that makes the sessions had come with a later release."""
    execute(
        f'DROP TABLE "{tenant.schema_name}".django_session; '
        f"DELETE FROM \"{tenant.schema_name}\".django_migrations WHERE app = 'sessions'"
    )
    Tenant.objects.filter(pk=tenant.pk).update(schema_version="an older one")


def cannot_migrate(tenant: Tenant) -> None:
    """The migration is to be done, but its table is there."""
    execute(f"DELETE FROM \"{tenant.schema_name}\".django_migrations WHERE app = 'sessions'")
    Tenant.objects.filter(pk=tenant.pk).update(schema_version="an older one")


def migrate(**options: Any) -> str:
    out = StringIO()
    call_command("migrate", interactive=False, stdout=out, **options)
    return out.getvalue()


def is_current(tenant: Tenant) -> bool:
    fresh = Tenant.objects.get(pk=tenant.pk)
    return fresh.schema_version == schema.current_version() and "django_session" in tables_of(fresh.schema_name)


@pytest.mark.django_db
class TestMigratingTheFleet:
    def test_brings_up_to_date_those_that_are_behind(self, house: House) -> None:
        fall_behind(house.acme)
        before = dump(house.beta.schema_name)
        assert [each.tenant_id for each in schema.outdated()] == ["acme"]
        assert f"Tenant acme: {schema.current_version()}" in migrate()
        assert is_current(house.acme)
        assert dump(house.beta.schema_name) == before
        assert list(schema.outdated()) == []

    def test_keeps_what_is_in_the_schema(self, house: House) -> None:
        fall_behind(house.acme)
        migrate()
        with enter(house.acme):
            assert set(User.objects.values_list("username", flat=True)) == {"ann", "twin", "max"}

    @pytest.mark.parametrize("trouble", ["its own", "no schema", "no migrations table"])
    def test_one_that_fails_is_named_and_stops_no_other(self, house: House, trouble: str) -> None:
        fall_behind(house.beta)
        cannot_migrate(house.acme)
        if trouble == "no schema":
            execute(f'DROP SCHEMA "{house.acme.schema_name}" CASCADE')
        if trouble == "no migrations table":
            execute(f'DROP TABLE "{house.acme.schema_name}".django_migrations')
        before = dump(house.acme.schema_name) if trouble == "its own" else {}
        with pytest.raises(CommandError, match="acme") as raised:
            migrate()
        assert "beta" not in str(raised.value)
        assert raised.value.returncode == 1
        assert is_current(house.beta)
        assert Tenant.objects.get(pk=house.acme.pk).schema_version == "an older one"
        if before:
            assert dump(house.acme.schema_name) == before

    def test_one_whose_schema_is_broken_keeps_no_other_behind(self, house: House) -> None:
        execute(f'DROP TABLE "{house.acme.schema_name}".django_session')
        fall_behind(house.beta)
        assert checks.schemas_are_complete(None, databases=["default"])
        migrate(skip_checks=False)
        assert is_current(house.beta)

    def test_one_whose_provisioning_stopped_after_the_schema_is_not_left_behind(self) -> None:
        tenant = make_tenant("gamma", ready=False)
        schema.create(tenant)
        fall_behind(tenant)
        Tenant.objects.filter(pk=tenant.pk).update(provisioning="failed", provisioning_steps={"schema": "2026-01-01"})
        migrate()
        assert is_current(tenant)

    def test_one_without_a_schema_yet_is_left_alone(self) -> None:
        before = tenant_schemas()
        make_tenant("gamma", ready=False)
        assert list(schema.outdated()) == []
        migrate()
        assert tenant_schemas() == before

    def test_with_nothing_to_do_costs_one_query_however_many_there_are(self, house: House) -> None:
        for number in range(5):
            Tenant.objects.bulk_create([ready_row(f"tenant-{number}")])
        with CaptureQueriesContext(connection) as log:
            assert list(schema.outdated()) == []
        assert len(log) == 1

    @pytest.mark.parametrize("options", [{"plan": True}, {"check_unapplied": True}, {"app_label": "accounts"}])
    def test_looking_or_naming_an_app_leaves_tenants_alone(self, house: House, options: dict[str, Any]) -> None:
        fall_behind(house.acme)
        migrate(**options)
        assert not is_current(house.acme)

    def test_says_nothing_when_asked_to(self, house: House) -> None:
        fall_behind(house.acme)
        assert migrate(verbosity=0) == ""
        assert is_current(house.acme)


def ready_row(tenant_id: str) -> Tenant:
    return Tenant(
        tenant_id=tenant_id,
        schema_name=f"t_{tenant_id}",
        provisioning="ready",
        schema_version=schema.current_version(),
        created_at="2026-01-01T00:00Z",
    )


@pytest.mark.django_db
class TestAfterMigrating:
    @pytest.fixture
    def hooks(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
        """What an app above does at the end; each element is a version of it."""
        told: list[str] = ["first"]
        monkeypatch.setattr(schema, "_hooks", list(schema._hooks))
        monkeypatch.setattr(schema, "_hooks_before", list(schema._hooks_before))
        monkeypatch.setattr(schema, "_fingerprints", list(schema._fingerprints))
        schema.after_migration(lambda tenant: told.append(tenant.tenant_id), fingerprint=lambda: told[0])
        yield told
        monkeypatch.undo()
        schema.current_version.cache_clear()

    def test_it_is_called_in_the_same_transaction_outside_of_the_tenant(self, hooks: list[str]) -> None:
        seen = []
        schema.after_migration(lambda tenant: seen.append((search_path(), schema_exists(tenant.schema_name))))
        make_tenant("gamma")
        assert hooks[1:] == ["gamma"]
        assert seen == [(["public"], True)]

    def test_one_before_is_called_once_and_only_when_there_is_something_to_migrate(self, hooks: list[str]) -> None:
        seen: list[tuple[bool, list[str]]] = []

        def look(tenant: Tenant) -> None:
            seen.append(("django_session" in tables_of(tenant.schema_name), search_path()))

        assert schema.before_migration(look) is schema.before_migration(look)
        tenant = make_tenant("gamma")
        schema.migrate(tenant)
        assert seen == [(False, ["public"])]
        fall_behind(tenant)
        schema.migrate(tenant)
        assert seen == [(False, ["public"])] * 2

    def test_the_tenants_row_is_written_last(self, hooks: list[str]) -> None:
        """What a hook locks is locked before it."""
        tenant = make_tenant("gamma")
        Tenant.objects.filter(pk=tenant.pk).update(schema_version="an older one")
        seen = []
        schema.after_migration(lambda each: seen.append(Tenant.objects.get(pk=each.pk).schema_version))
        schema.migrate(tenant)
        assert (seen, is_current(tenant)) == (["an older one"], True)

    def test_one_that_fails_leaves_nothing(self, hooks: list[str]) -> None:
        tenant = make_tenant("gamma", ready=False)
        schema.after_migration(lambda tenant: execute("SELECT 1 / 0"))
        with pytest.raises(DataError), transaction.atomic():
            schema.create(tenant)
        assert not schema_exists(tenant.schema_name)
        assert Tenant.objects.get(tenant_id="gamma").schema_version == ""

    def test_another_fingerprint_makes_every_schema_outdated(self, hooks: list[str]) -> None:
        tenant = make_tenant("gamma")
        assert tenant not in list(schema.outdated())
        hooks[0] = "second"
        schema.current_version.cache_clear()
        assert tenant in list(schema.outdated())
        migrate()
        assert is_current(tenant)

    def test_registered_twice_it_is_called_once(self, hooks: list[str]) -> None:
        once: list[Tenant] = []
        assert schema.after_migration(once.append) == schema.after_migration(once.append)
        make_tenant("gamma")
        assert len(once) == 1


@pytest.mark.django_db
class TestChecks:
    def check(self) -> list[str]:
        return [message.msg for message in checks.schemas_are_complete(None, databases=["default"])]

    def test_a_complete_house_is_in_order(self, house: House) -> None:
        assert self.check() == []

    def test_a_table_that_was_dropped_is_found(self, house: House) -> None:
        execute(f'DROP TABLE "{house.acme.schema_name}".accounts_user CASCADE')
        assert self.check() == ["The schema of tenant 'acme' lacks accounts_user."]
        out = StringIO()
        with pytest.raises(Exception, match=r"tenants\.E003"):
            call_command("check", databases=["default"], stdout=out, stderr=out)

    def test_every_table_of_a_schema_that_was_dropped_is_named(self, house: House) -> None:
        execute(f'DROP SCHEMA "{house.acme.schema_name}" CASCADE')
        assert schema.missing_tables() == {"acme": sorted(schema.expected_tables())}

    def test_a_table_of_the_same_name_elsewhere_does_not_count(self, house: House) -> None:
        """`django_session` is in public and in beta; acme's is missing all the same."""
        execute(f'DROP TABLE "{house.acme.schema_name}".django_session')
        assert schema.missing_tables() == {"acme": ["django_session"]}

    def test_what_is_not_ready_or_behind_is_not_judged(self, house: House) -> None:
        make_tenant("gamma", ready=False)
        fall_behind(house.acme)
        assert self.check() == []

    def test_costs_one_query_however_many_tenants_there_are(self, house: House) -> None:
        execute("SELECT 1")
        with CaptureQueriesContext(connection) as log:
            schema.missing_tables()
        assert len(log) == 1

    def test_a_migration_that_depends_on_a_shared_app_is_found(self, monkeypatch: pytest.MonkeyPatch) -> None:
        assert checks.tenant_migrations_stay_inside(None) == []
        migration = import_module("apps.accounts.migrations.0001_initial").Migration
        monkeypatch.setattr(migration, "dependencies", [*migration.dependencies, ("plans", "0001_initial")])
        (error,) = checks.tenant_migrations_stay_inside(None)
        assert error.id == "tenants.E001"
        assert "accounts.0001_initial -> plans.0001_initial" in error.msg

    @pytest.mark.parametrize("kept", [[checks.SESSIONS, checks.BEFORE_SESSIONS], [checks.SESSIONS], []])
    def test_middleware_in_another_order_is_found(self, settings: Any, kept: list[str]) -> None:
        assert checks.tenants_are_found_before_sessions(None) == []
        settings.MIDDLEWARE = kept
        assert [each.id for each in checks.tenants_are_found_before_sessions(None)] == ["tenants.E002"]

    def test_another_isolation_level_is_found(self) -> None:
        assert checks.isolation_is_read_committed(None, databases=["default"]) == []
        execute("SET LOCAL default_transaction_isolation = 'repeatable read'")
        (error,) = checks.isolation_is_read_committed(None, databases=["default"])
        assert error.id == "tenants.E004"

    def test_without_a_database_to_look_at_nothing_is_said(self) -> None:
        assert checks.schemas_are_complete(None) == checks.isolation_is_read_committed(None) == []


def test_provisioning_uses_the_one_way_of_making_schemas() -> None:
    assert provisioning.STEPS["schema"] is schema.create
