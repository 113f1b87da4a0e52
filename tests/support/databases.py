"""The test run's own database: made, cleaned between tests, dropped."""

import os
from typing import Any

import psutil
from django.conf import settings
from django.db import connection

from config import fresh_database

PREFIX = "test_tenantry_"
KEPT = ("django_migrations", "django_content_type", "auth_permission")
_names: dict[str, str] = {}


def create() -> None:
    """Make and fill a database that no other run uses, and connect to it."""
    _names["before"] = settings.DATABASES["default"]["NAME"]
    name = f"{PREFIX}{os.getpid()}"
    with connection._nodb_cursor() as cursor:
        for leftover in _leftovers(cursor):
            cursor.execute(f'DROP DATABASE IF EXISTS "{leftover}"')
        cursor.execute(f'CREATE DATABASE "{name}"')
        # What a crash loses of a test database nobody misses.
        cursor.execute(f'ALTER DATABASE "{name}" SET synchronous_commit = off')
    _connect_to(name)
    fresh_database.install()
    _allow_emptying()


def _allow_emptying() -> None:
    """Let `clean` empty the books between tests, which the application may not."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT quote_ident(relname) FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'"
            " AND NOT has_table_privilege(oid, 'TRUNCATE')"
        )
        for (table,) in cursor.fetchall():
            cursor.execute(f"GRANT TRUNCATE ON {table} TO CURRENT_USER")


def drop() -> None:
    """Drop the database and connect to the one before."""
    name = settings.DATABASES["default"]["NAME"]
    _connect_to(_names["before"])
    with connection._nodb_cursor() as cursor:
        _end_connections_to(cursor, name)
        cursor.execute(f'DROP DATABASE "{name}"')


def _end_connections_to(cursor: Any, name: str) -> None:
    """End our role's own; `WITH (FORCE)` would want to end autovacuum's too, which it may not."""
    cursor.execute(
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = %s AND usename = current_user",
        [name],
    )


def _leftovers(cursor: Any) -> list[str]:
    """Databases of runs that were killed."""
    cursor.execute("SELECT datname FROM pg_database WHERE datname LIKE %s", [f"{PREFIX}%"])
    names = [row[0] for row in cursor.fetchall()]
    return [name for name in names if not _is_alive(name.removeprefix(PREFIX))]


def _is_alive(pid: str) -> bool:
    return pid.isdigit() and psutil.pid_exists(int(pid))


def _connect_to(name: str) -> None:
    connection.close()
    settings.DATABASES["default"]["NAME"] = name
    connection.settings_dict["NAME"] = name


def url() -> str:
    """The address of the test database, for a process of its own."""
    own = connection.settings_dict
    host = str(own["HOST"]).replace("/", "%2F")
    secret = f":{own['PASSWORD']}" if own.get("PASSWORD") else ""
    port = f":{own['PORT']}" if own.get("PORT") else ""
    return f"postgresql://{own['USER']}{secret}@{host}{port}/{own['NAME']}"


def clean() -> None:
    """Empty every public table that has rows, and drop every tenant's schema."""
    connection.set_schema_to_public()
    with connection.cursor() as cursor:
        cursor.execute("SELECT nspname FROM pg_namespace WHERE nspname LIKE %s", [r"t\_%"])
        for (schema,) in cursor.fetchall():
            cursor.execute(f'DROP SCHEMA "{schema}" CASCADE')
        cursor.execute(_USED, [list(KEPT)])
        used = cursor.fetchall()
        _truncate(cursor, [table for table, may_delete in used if not may_delete])
        _delete_from(cursor, [table for table, may_delete in used if may_delete])


# A table that never had a row has no page. Tables whose rows may not be deleted are the books.
_USED = """
    SELECT format('%%I', relname), has_table_privilege(oid, 'DELETE')
       AND NOT EXISTS (SELECT FROM pg_trigger WHERE tgrelid = pg_class.oid AND NOT tgisinternal AND tgtype & 8 <> 0)
    FROM pg_class
    WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace AND relname <> ALL (%s) AND pg_relation_size(oid) > 0
"""


def _truncate(cursor: Any, tables: list[str]) -> None:
    if tables:
        cursor.execute(f"TRUNCATE {', '.join(tables)} CASCADE")


def _delete_from(cursor: Any, tables: list[str]) -> None:
    """All in one statement, at whose end no row refers to another; new files for all their indexes would cost more."""
    if tables:
        each = [f"d{number} AS (DELETE FROM {table})" for number, table in enumerate(tables)]
        cursor.execute(f"WITH {', '.join(each)} SELECT")
