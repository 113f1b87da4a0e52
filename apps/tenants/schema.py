"""Making a tenant's schema, and keeping the fleet's schemas up to date.

Django's own executor over a migration graph of the tenant apps alone: the whole
graph would re-render the state of every shared app's migrations for each tenant.
"""

import hashlib
import pkgutil
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from importlib import import_module

from django.apps import apps
from django.conf import settings
from django.db import connection, transaction
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.graph import MigrationGraph
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder
from django.db.models import Q
from django_tenants.utils import tenant_context

from apps.core.locks import lock_until_commit
from apps.tenants.context import schema_exists
from apps.tenants.errors import SchemaExists, TenantNotReady, UnknownMigration
from apps.tenants.models import Provisioning, Tenant


class TenantMigrationLoader(MigrationLoader):
    """Loads the migrations of the tenant apps and of no other."""

    @classmethod
    def migrations_module(cls, app_label: str) -> tuple[str | None, bool]:
        if app_label not in tenant_app_labels():
            return None, True
        return super().migrations_module(app_label)

    def build_graph(self) -> None:
        super().build_graph()
        # Django takes the other apps for such without migrations and would render all their models each time.
        self.unmigrated_apps.clear()


class TenantMigrationExecutor(MigrationExecutor):
    """Django's executor over the pruned graph."""

    def __init__(self) -> None:
        self.connection = connection
        self.loader = TenantMigrationLoader(connection)
        self.recorder = MigrationRecorder(connection)
        self.progress_callback = None


Hook = Callable[[Tenant], None]
_hooks: list[Hook] = []
_hooks_before: list[Hook] = []
_fingerprints: list[Callable[[], str]] = []


def before_migration(hook: Hook) -> Hook:
    """Call a function in each `migrate` that has migrations to do, before these, as `after_migration` does."""
    if hook not in _hooks_before:
        _hooks_before.append(hook)
    return hook


def after_migration(hook: Hook, *, fingerprint: Callable[[], str] = str) -> Hook:
    """Call a function at the end of each `migrate`, in its transaction, outside of the tenant's schema.

    Called by an app above in its `AppConfig.ready`. `fingerprint` tells what the function
    makes in the schema: as soon as it tells something else, every schema is behind.
    """
    if hook not in _hooks:
        _hooks.append(hook)
        _fingerprints.append(fingerprint)
        current_version.cache_clear()
    return hook


@cache
def tenant_app_labels() -> frozenset[str]:
    """The labels of the apps whose tables stand in every tenant's schema."""
    return frozenset(config.label for config in apps.get_app_configs() if config.name in settings.TENANT_APPS)


@cache
def current_version() -> str:
    """The version a schema has once every tenant app's migrations, and what is called after them, have run there."""
    leaves = sorted("/".join(leaf) for leaf in TenantMigrationLoader(None).graph.leaf_nodes())
    made = [fingerprint() for fingerprint in _fingerprints]
    return hashlib.sha256(" ".join([*leaves, *made]).encode()).hexdigest()[:16]


@cache
def expected_tables() -> frozenset[str]:
    """Every table that a complete tenant's schema holds, besides the migrations' own."""
    configs = [apps.get_app_config(label) for label in tenant_app_labels()]
    models = [model for config in configs for model in config.get_models(include_auto_created=True)]
    return frozenset(model._meta.db_table for model in models if model._meta.managed)


@transaction.atomic
def create(tenant: Tenant) -> None:
    """Make the schema with its tables and migration records: all of it, or nothing.

    Raises:
        SchemaExists: when there is one of that name. It is never adopted: it may
            hold somebody else's rows.
    """
    _make(tenant)
    migrate(tenant)


@transaction.atomic
def create_as_of(tenant: Tenant, *, applied: Iterable[tuple[str, str]]) -> None:
    """Make the schema as it was once exactly these migrations had been applied.

    Raises:
        SchemaExists: see `create`.
        UnknownMigration: when one of them is not among this version's.
    """
    _make(tenant)
    with tenant_context(tenant):
        executor = TenantMigrationExecutor()
        executor.migrate(_last_of(set(applied), executor.loader.graph))


def _make(tenant: Tenant) -> None:
    if schema_exists(tenant.schema_name):
        raise SchemaExists(f"The schema {tenant.schema_name!r} exists already and will not be adopted.")
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE SCHEMA {connection.ops.quote_name(tenant.schema_name)}")


def _last_of(applied: set[tuple[str, str]], graph: MigrationGraph) -> list[tuple[str, str]]:
    """Those of each app after which none of the same app was applied."""
    unknown = sorted(applied - graph.nodes.keys())
    if unknown:
        raise UnknownMigration(
            f"The migration {'.'.join(unknown[0])} is not among those of this version. "
            "Restore with the version of Tenantry that the export was made with, or a later one that still has it."
        )
    return sorted(
        key
        for key in applied
        if not any(child.key[0] == key[0] and child.key in applied for child in graph.node_map[key].children)
    )


@transaction.atomic
def migrate(tenant: Tenant) -> None:
    """Bring the tenant's schema to the current version, in one transaction.

    One at a time per tenant: of two that start together the second finds nothing left to do.
    A tenant that was deleted while its schema was waited for has nothing to be migrated.

    Raises:
        TenantNotReady: when the schema does not exist.
    """
    lock_until_commit(f"schema:{tenant.schema_name}")
    if not Tenant.objects.filter(pk=tenant.pk).exclude(provisioning=Provisioning.DELETING).exists():
        return
    if not schema_exists(tenant.schema_name):
        raise TenantNotReady(f"Tenant {tenant.tenant_id!r} has no schema {tenant.schema_name!r} in this database.")
    _run_migrations(tenant)
    for hook in _hooks:
        hook(tenant)
    # Last: the hooks take what is to be locked before the tenant's row.
    tenant.schema_version = current_version()
    tenant.save(update_fields=["schema_version"])


def _run_migrations(tenant: Tenant) -> None:
    with tenant_context(tenant):
        executor = TenantMigrationExecutor()
        executor.loader.check_consistent_history(connection)
        leaves = executor.loader.graph.leaf_nodes()
        to_do = executor.migration_plan(leaves)
    for hook in _hooks_before if to_do else ():
        hook(tenant)
    with tenant_context(tenant):
        executor.migrate(leaves)


def outdated() -> Iterator[Tenant]:
    """The tenants whose schema is behind; one query, also when there are none.

    Those whose provisioning has stopped after the schema are among them: it goes on
    from there, and must not open a schema of an older version.
    """
    with_schema = Tenant.objects.filter(Q(provisioning=Provisioning.READY) | ~Q(schema_version=""))
    yield from with_schema.exclude(schema_version=current_version()).iterator()


def missing_tables() -> dict[str, list[str]]:
    """The ready tenants, by id, whose schema lacks tables, with their names; one query.

    Those that `migrate` has yet to bring to the current version are not judged.
    """
    with connection.cursor() as cursor:
        cursor.execute(_MISSING_TABLES, [sorted(expected_tables()), Provisioning.READY, current_version()])
        return dict(cursor.fetchall())


_MISSING_TABLES = """
    SELECT tenant.tenant_id, array_agg(expected.name ORDER BY expected.name)
    FROM public.tenants_tenant AS tenant
    CROSS JOIN unnest(%s::text[]) AS expected(name)
    LEFT JOIN pg_namespace AS schema ON schema.nspname = tenant.schema_name
    LEFT JOIN pg_class AS relation ON relation.relnamespace = schema.oid AND relation.relname = expected.name
    WHERE tenant.provisioning = %s AND tenant.schema_version = %s AND relation.oid IS NULL
    GROUP BY tenant.tenant_id
"""


def foreign_dependencies() -> list[str]:
    """Dependencies of tenant apps' migrations on apps that no tenant's schema has.

    Each is named as `app.migration -> app.migration`; there must be none.
    """
    found = []
    for module, name, dependencies in _tenant_migrations():
        found += [
            f"{module}.{name} -> {'.'.join(dependency)}"
            for dependency in dependencies
            if dependency[0] not in tenant_app_labels() | {"__setting__"}
        ]
    return found


def _tenant_migrations() -> Iterator[tuple[str, str, list[tuple[str, str]]]]:
    for label in sorted(tenant_app_labels()):
        package, _ = MigrationLoader.migrations_module(label)
        for name in _migration_names(package):
            migration = import_module(f"{package}.{name}").Migration
            yield label, name, list(migration.dependencies)


def _migration_names(package: str | None) -> list[str]:
    if package is None:
        return []
    return [
        module.name for module in pkgutil.iter_modules(import_module(package).__path__) if module.name[0] not in "_~"
    ]
