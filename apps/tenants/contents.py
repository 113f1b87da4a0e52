"""What a tenant's schema holds, as streams of rows in PostgreSQL's own text format.

Each function is told the schema by name and never looks through the search path.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from django.db import OperationalError, connection
from psycopg import errors, sql

from apps.tenants.errors import TenantBusy

# Made by migrating, and of no use once everybody has been signed out.
NOT_CARRIED = frozenset({"django_migrations", "django_session"})
LOCK_PATIENCE = "10s"


def columns_of(schema_name: str) -> dict[str, tuple[str, ...]]:
    """The columns of every table whose rows are carried, by table, both in a fixed order."""
    with connection.cursor() as cursor:
        cursor.execute(_COLUMNS, [schema_name])
        return {table: tuple(columns) for table, columns in cursor.fetchall() if table not in NOT_CARRIED}


# What PostgreSQL computes by itself cannot be written.
_COLUMNS = """
    SELECT relation.relname::text, array_agg(attribute.attname::text ORDER BY attribute.attnum)
    FROM pg_class AS relation
    JOIN pg_namespace AS schema ON schema.oid = relation.relnamespace
    JOIN pg_attribute AS attribute ON attribute.attrelid = relation.oid
    WHERE schema.nspname = %s AND relation.relkind IN ('r', 'p') AND NOT relation.relispartition
      AND attribute.attnum > 0 AND NOT attribute.attisdropped AND attribute.attgenerated = ''
    GROUP BY relation.relname
    ORDER BY relation.relname
"""


def applied_migrations(schema_name: str) -> list[tuple[str, str]]:
    """The migrations that the schema has had, in their order."""
    table = sql.Identifier(schema_name, "django_migrations")
    with connection.cursor() as cursor:
        cursor.execute(sql.SQL("SELECT app, name FROM {} ORDER BY id").format(table))
        return [(app, name) for app, name in cursor.fetchall()]


def copy_out(*, schema_name: str, table: str, columns: Iterable[str]) -> Iterator[bytes]:
    """Read every row of a table, those of its partitions too."""
    rows = sql.SQL("SELECT {} FROM {}").format(_list(columns), sql.Identifier(schema_name, table))
    statement = sql.SQL("COPY ({}) TO STDOUT").format(rows)
    with connection.cursor() as cursor, _copying(cursor, statement) as copy:
        for chunk in copy:
            yield bytes(chunk)


def copy_in(*, schema_name: str, table: str, columns: Iterable[str], chunks: Iterable[bytes]) -> None:
    """Write rows into a table."""
    statement = sql.SQL("COPY {} ({}) FROM STDIN").format(sql.Identifier(schema_name, table), _list(columns))
    with connection.cursor() as cursor, _copying(cursor, statement) as copy:
        for chunk in chunks:
            copy.write(chunk)


def _copying(cursor: Any, statement: sql.Composed) -> Any:
    return cursor.copy(statement)


def _list(names: Iterable[str]) -> sql.Composed:
    return sql.SQL(", ").join(sql.Identifier(name) for name in names)


def lock(schema_name: str) -> None:
    """Keep everybody else out of every table until the caller's transaction ends.

    Raises:
        TenantBusy: when somebody else does not come to an end.
    """
    tables = every_table(schema_name)
    if tables:
        with _patience(schema_name) as cursor:
            cursor.execute(sql.SQL("LOCK TABLE {} IN ACCESS EXCLUSIVE MODE").format(_qualified(schema_name, tables)))


def keep_as_they_are(schema_name: str, *, tables: Iterable[str]) -> None:
    """Let nobody empty or remake these tables until the caller's transaction ends; rows may change.

    In a transaction of one snapshot it must come before the first read: what is emptied
    or remade between the two would be seen as empty.
    """
    names = list(tables)
    if names:
        with connection.cursor() as cursor:
            cursor.execute(sql.SQL("LOCK TABLE {} IN ACCESS SHARE MODE").format(_qualified(schema_name, names)))


@contextmanager
def _patience(schema_name: str) -> Iterator[Any]:
    """A cursor that does not wait for ever for who is inside a schema."""
    with connection.cursor() as cursor:
        cursor.execute(f"SET LOCAL lock_timeout = '{LOCK_PATIENCE}'")
        try:
            yield cursor
        except OperationalError as error:
            if isinstance(error.__cause__, errors.LockNotAvailable | errors.DeadlockDetected):
                raise TenantBusy(
                    f"The schema {schema_name!r} is in use and was not left within {LOCK_PATIENCE}. Try again."
                ) from error
            raise
        cursor.execute("SET LOCAL lock_timeout = DEFAULT")


def empty(schema_name: str, *, but: Iterable[str] = ()) -> None:
    """Delete every row of every table but those named."""
    tables = sorted(set(every_table(schema_name)) - set(but))
    if tables:
        with connection.cursor() as cursor:
            cursor.execute(sql.SQL("TRUNCATE {}").format(_qualified(schema_name, tables)))


def drop(schema_name: str) -> None:
    """Drop a schema with all that is in it; one that is not there is dropped already.

    Raises:
        TenantBusy: when somebody inside, such as a backup, does not come to an end.
    """
    with _patience(schema_name) as cursor:
        cursor.execute(sql.SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(sql.Identifier(schema_name)))


def settle(schema_name: str) -> None:
    """After rows were written: check what was deferred, and let each sequence go on from the highest number."""
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("SET CONSTRAINTS ALL DEFERRED")
        cursor.execute(_SEQUENCES, [schema_name])
        for sequence, table, column in cursor.fetchall():
            highest = sql.SQL("SELECT setval(%s, max({}), true) FROM {} HAVING max({}) IS NOT NULL")
            name = sql.Identifier(column)
            cursor.execute(highest.format(name, sql.Identifier(schema_name, table), name), [sequence])


_SEQUENCES = """
    SELECT sequence, relname, attname
    FROM (
        SELECT relation.relname::text, attribute.attname::text,
            pg_get_serial_sequence(format('%%I.%%I', schema.nspname, relation.relname), attribute.attname) AS sequence
        FROM pg_class AS relation
        JOIN pg_namespace AS schema ON schema.oid = relation.relnamespace
        JOIN pg_attribute AS attribute ON attribute.attrelid = relation.oid
        WHERE schema.nspname = %s AND relation.relkind IN ('r', 'p')
          AND attribute.attnum > 0 AND NOT attribute.attisdropped
    ) AS numbered
    WHERE sequence IS NOT NULL
"""


def every_table(schema_name: str) -> list[str]:
    """The name of every table of a schema."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT tablename FROM pg_tables WHERE schemaname = %s ORDER BY tablename", [schema_name])
        return [row[0] for row in cursor.fetchall()]


def _qualified(schema_name: str, tables: Iterable[str]) -> sql.Composed:
    return sql.SQL(", ").join(sql.Identifier(schema_name, table) for table in tables)
