"""Tables that are only added to: looking whether the database holds the application to that.

Their migrations take UPDATE, DELETE and TRUNCATE from every role, the owner included.
"""

from collections.abc import Sequence

from django.core import checks
from django.core.checks import CheckMessage, Error
from django.db import connection

# A table that is not there yet has no oid, and the answer is no row.
_CHANGEABLE = """
    SELECT name FROM unnest(%s::text[]) AS name
    WHERE to_regclass('public.' || name) IS NOT NULL
      AND (has_any_column_privilege(to_regclass('public.' || name), 'UPDATE')
           OR has_table_privilege(to_regclass('public.' || name), 'DELETE')
           OR has_table_privilege(to_regclass('public.' || name), 'TRUNCATE'))
"""


def problems(tables: Sequence[str], *, app: str) -> list[CheckMessage]:
    """An error `<app>.E001` for each of these tables whose rows the database's role may change or delete.

    Of a superuser, whom no privilege holds, a warning `<app>.W001`.
    """
    if _is_superuser():
        return [superuser(tables, app=app)]
    return [
        Error(
            f"The database's role may change, delete or empty rows of {table}.",
            hint=f"REVOKE UPDATE, DELETE, TRUNCATE ON {table} FROM the role that Tenantry connects as, and PUBLIC.",
            id=f"{app}.E001",
        )
        for table in _changeable(tables)
    ]


def superuser(tables: Sequence[str], *, app: str) -> CheckMessage:
    """The warning about a superuser."""
    return checks.Warning(
        f"Tenantry connects to the database as a superuser, who may change {', '.join(tables)} whatever is revoked.",
        hint="Connect as a role of Tenantry's own that owns its database.",
        id=f"{app}.W001",
    )


def _is_superuser() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT rolsuper FROM pg_roles WHERE rolname = current_user")
        return bool(cursor.fetchone()[0])


def _changeable(tables: Sequence[str]) -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute(_CHANGEABLE, [list(tables)])
        return [row[0] for row in cursor.fetchall()]
