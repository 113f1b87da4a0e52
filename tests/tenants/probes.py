"""What the tests of the border look at the database with."""

import threading
from collections.abc import Callable
from time import monotonic
from typing import Any

from django.db import connection

from tests.support.databases import KEPT

PATIENCE = 10.0


def dump(schema: str) -> dict[str, list[str]]:
    """Every row of every table of a schema, as text."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT tablename FROM pg_tables WHERE schemaname = %s", [schema])
        tables = [row[0] for row in cursor.fetchall() if row[0] not in KEPT]
        each = [f'SELECT \'{table}\' AS name, line::text FROM "{schema}"."{table}" AS line' for table in tables]
        cursor.execute(f"{' UNION ALL '.join(each)} ORDER BY 1, 2")
        rows: dict[str, list[str]] = {table: [] for table in tables}
        for table, line in cursor.fetchall():
            rows[table].append(line)
    return rows


def dump_all(*, but: str = "") -> dict[str, dict[str, list[str]]]:
    """Every row of the public schema and of every tenant's, but of one."""
    return {schema: dump(schema) for schema in ["public", *tenant_schemas()] if schema != but}


def tenant_schemas() -> list[str]:
    """The schemas of tenants that there are."""
    with connection.cursor() as cursor:
        cursor.execute(r"SELECT nspname FROM pg_namespace WHERE nspname LIKE 't\_%%' ORDER BY 1", [])
        return [row[0] for row in cursor.fetchall()]


def tables_of(schema: str) -> set[str]:
    """The tables of a schema."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT tablename FROM pg_tables WHERE schemaname = %s", [schema])
        return {row[0] for row in cursor.fetchall()}


def execute(sql: str, *values: Any) -> list[tuple[Any, ...]]:
    """One statement on this thread's connection."""
    with connection.cursor() as cursor:
        cursor.execute(sql, list(values) or None)
        return cursor.fetchall() if cursor.description else []


def search_path() -> list[str]:
    """Where PostgreSQL looks for tables now."""
    ((path,),) = execute("SELECT current_schemas(false)::text[]")
    return list(path)


def wait_for_waiter() -> None:
    """Return once another connection waits for a lock."""
    here = "SELECT pid FROM pg_locks JOIN pg_database ON oid = database WHERE datname = current_database()"
    sql = f"SELECT count(*) FROM pg_locks WHERE NOT granted AND pid IN ({here})"
    deadline = monotonic() + PATIENCE
    while monotonic() < deadline:
        if execute(sql)[0][0]:
            return
    raise AssertionError("nobody came to wait for a lock")


def at_once(*works: Callable[[], Any]) -> list[Any]:
    """Run each in a thread with a connection of its own; returns what each returned or raised."""
    outcomes: list[Any] = [None] * len(works)

    def run(number: int, work: Callable[[], Any]) -> None:
        try:
            outcomes[number] = work()
        except BaseException as error:  # noqa: BLE001
            outcomes[number] = error
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=each) for each in enumerate(works)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
        assert not thread.is_alive(), "a thread hangs"
    return outcomes
