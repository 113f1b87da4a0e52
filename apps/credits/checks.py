"""Checks that the books can only be added to."""

from collections.abc import Sequence
from typing import Any

from django.core import checks
from django.core.checks import CheckMessage, Error, Tags, register
from django.db import connection

from apps.credits.models import LedgerEntry, Operation

APPEND_ONLY = (LedgerEntry._meta.db_table, Operation._meta.db_table)
# A table that is not there yet has no oid, and the answer is no row.
_CHANGEABLE = """
    SELECT name FROM unnest(%s::text[]) AS name
    WHERE to_regclass('public.' || name) IS NOT NULL
      AND (has_any_column_privilege(to_regclass('public.' || name), 'UPDATE')
           OR has_table_privilege(to_regclass('public.' || name), 'DELETE')
           OR has_table_privilege(to_regclass('public.' || name), 'TRUNCATE'))
"""


@register(Tags.database)
def books_are_append_only(
    app_configs: Sequence[Any] | None, databases: Sequence[str] | None = None, **kwargs: Any
) -> list[CheckMessage]:
    """Whoever may change the ledger could make any balance look right."""
    if not databases:
        return []
    if _is_superuser():
        return [_superuser()]
    return [
        Error(
            f"The database's role may change, delete or empty rows of {table}.",
            hint=f"REVOKE UPDATE, DELETE, TRUNCATE ON {table} FROM the role that Tenantry connects as, and PUBLIC.",
            id="credits.E001",
        )
        for table in _changeable()
    ]


def _superuser() -> CheckMessage:
    return checks.Warning(
        "Tenantry connects to the database as a superuser, who may change the ledger whatever its privileges say.",
        hint="Connect as a role of Tenantry's own that owns its database.",
        id="credits.W001",
    )


def _is_superuser() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT rolsuper FROM pg_roles WHERE rolname = current_user")
        return bool(cursor.fetchone()[0])


def _changeable() -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute(_CHANGEABLE, [list(APPEND_ONLY)])
        return [row[0] for row in cursor.fetchall()]
