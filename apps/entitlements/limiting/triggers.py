"""The last wall: triggers on each counted table of each tenant, also against what no model is asked about."""

import hashlib
from collections.abc import Iterable, Iterator
from typing import Any, LiteralString, cast

from django.core.exceptions import FullResultSet
from django.db import connection
from django.db.models.sql import Query
from psycopg import sql

from apps.entitlements.registry import CountedEntity, counted_entities
from apps.tenants import schema
from apps.tenants.models import Provisioning, Tenant

PREFIX = "entitlements_limit_"
# Goes up whenever what is installed changes.
SHAPE = 1

# The tables and the name of each trigger with what makes it.
Wanted = dict[tuple[str, str], sql.Composed]


def install(tenant: Tenant) -> None:
    """Let the tenant's schema have exactly the triggers that what is counted now asks for.

    Rows that are there already are not looked at. Citus has no triggers: there the models
    alone refuse.
    """
    with connection.cursor() as cursor:
        if _has_none(cursor):
            return
        wanted = _wanted(tenant)
        _drop(cursor, tenant, _installed(cursor, tenant) - wanted.keys())
        for statement in wanted.values():
            cursor.execute(statement)


def remove(tenant: Tenant) -> None:
    """Take the triggers off the tenant's tables before migrations change these: they name columns as they were.

    Nor is what a migration adds refused to a tenant above its limit. `install` brings them
    back, in the same transaction.
    """
    with connection.cursor() as cursor:
        _drop(cursor, tenant, _installed(cursor, tenant))


def _drop(cursor: Any, tenant: Tenant, installed: Iterable[tuple[str, str]]) -> None:
    for table, name in sorted(installed):
        drop = sql.SQL("DROP TRIGGER {} ON {}")
        cursor.execute(drop.format(sql.Identifier(name), sql.Identifier(tenant.schema_name, table)))


def _has_none(cursor: Any) -> bool:
    cursor.execute("SELECT EXISTS (SELECT FROM pg_extension WHERE extname = 'citus')")
    return bool(cursor.fetchone()[0])


def _installed(cursor: Any, tenant: Tenant) -> set[tuple[str, str]]:
    cursor.execute(_INSTALLED, [tenant.schema_name, PREFIX])
    return set(cursor.fetchall())


_INSTALLED = """
    SELECT relation.relname::text, trigger.tgname::text
    FROM pg_trigger AS trigger
    JOIN pg_class AS relation ON relation.oid = trigger.tgrelid
    JOIN pg_namespace AS schema ON schema.oid = relation.relnamespace
    WHERE schema.nspname = %s AND starts_with(trigger.tgname::text, %s)
"""


def _wanted(tenant: Tenant) -> Wanted:
    return {
        (table, f"{PREFIX}{event}"): _statement(tenant, table, counted, template)
        for table, event, counted, template in _each_wanted()
    }


def _each_wanted() -> Iterator[tuple[str, str, list[CountedEntity], LiteralString]]:
    for table, counted in _by_table().items():
        yield table, "insert", counted, _INSERT
        filtered = [each for each in counted if each.filter]
        # Where all rows count, changing one adds none.
        if filtered:
            yield table, "update", filtered, _UPDATE


_INSERT = """
    CREATE OR REPLACE TRIGGER entitlements_limit_insert AFTER INSERT ON {table}
    REFERENCING NEW TABLE AS added
    FOR EACH STATEMENT EXECUTE FUNCTION public.entitlements_keep_limits({arguments})
"""
_UPDATE = """
    CREATE OR REPLACE TRIGGER entitlements_limit_update AFTER UPDATE ON {table}
    REFERENCING NEW TABLE AS added OLD TABLE AS former
    FOR EACH STATEMENT EXECUTE FUNCTION public.entitlements_keep_limits({arguments})
"""


def _by_table() -> dict[str, list[CountedEntity]]:
    """What is counted, by table, in the order in which limits are locked."""
    found: dict[str, list[CountedEntity]] = {}
    for _, counted in sorted(counted_entities().items()):
        found.setdefault(counted.model._meta.db_table, []).append(counted)
    return found


def _statement(tenant: Tenant, table: str, counted: list[CountedEntity], template: LiteralString) -> sql.Composed:
    arguments = [str(tenant.pk)]
    for each in counted:
        arguments += [each.entity, _written(each)]
    return sql.SQL(template).format(
        table=sql.Identifier(tenant.schema_name, table),
        arguments=sql.SQL(", ").join(sql.Literal(each) for each in arguments),
    )


def _written(counted: CountedEntity) -> str:
    """Which rows count, as SQL, with its values in it."""
    condition, values = _condition(counted)
    return str(cast("Any", connection.ops).compose_sql(condition, values))


def _condition(counted: CountedEntity) -> tuple[str, list[Any]]:
    query = Query(counted.model, alias_cols=False)
    where: Any = query.build_where(counted.filter)
    try:
        condition, values = where.as_sql(query.get_compiler(connection=connection), connection)
    except FullResultSet:
        return "true", []
    return condition, list(values)


def fingerprint() -> str:
    """Another one as soon as the schemas of tenants need other triggers."""
    counted = [(each.entity, table, _condition(each)) for table, several in _by_table().items() for each in several]
    return hashlib.sha256(repr((SHAPE, counted)).encode()).hexdigest()


def missing() -> dict[str, list[str]]:
    """The ready tenants of the current version, by id, whose tables lack triggers, each as `table.trigger`; one query.

    One that is disabled is missing.
    """
    wanted = [(table, f"{PREFIX}{event}") for table, event, _, _ in _each_wanted()]
    tables, names = [table for table, _ in wanted], [name for _, name in wanted]
    with connection.cursor() as cursor:
        if _has_none(cursor):
            return {}
        cursor.execute(_MISSING, [tables, names, Provisioning.READY, schema.current_version()])
        return dict(cursor.fetchall())


_MISSING = """
    SELECT tenant.tenant_id, array_agg(wanted.relation || '.' || wanted.name ORDER BY wanted.relation, wanted.name)
    FROM public.tenants_tenant AS tenant
    CROSS JOIN unnest(%s::text[], %s::text[]) AS wanted(relation, name)
    WHERE tenant.provisioning = %s AND tenant.schema_version = %s AND NOT EXISTS (
        SELECT
        FROM pg_namespace AS schema
        JOIN pg_class AS relation ON relation.relnamespace = schema.oid
        JOIN pg_trigger AS trigger ON trigger.tgrelid = relation.oid
        WHERE schema.nspname = tenant.schema_name
            AND relation.relname = wanted.relation
            AND trigger.tgname = wanted.name
            AND trigger.tgenabled IN ('O', 'A')
    )
    GROUP BY tenant.tenant_id
"""
