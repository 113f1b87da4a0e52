"""Checks that the books cannot be edited."""

from collections.abc import Sequence
from typing import Any

from django.core.checks import CheckMessage, Error, Tags, Warning, register
from django.db import connection

from apps.usage.models import UsageEvent


@register(Tags.database)
def events_are_append_only(
    app_configs: Sequence[Any] | None, databases: Sequence[str] | None = None, **kwargs: Any
) -> list[CheckMessage]:
    """The application's role must not be able to change or delete what was booked."""
    table = UsageEvent._meta.db_table
    if not databases or table not in connection.introspection.table_names():
        return []
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT rolsuper, has_table_privilege(%s, 'UPDATE') OR has_any_column_privilege(%s, 'UPDATE')"
            " OR has_table_privilege(%s, 'DELETE') OR has_table_privilege(%s, 'TRUNCATE')"
            " FROM pg_roles WHERE rolname = current_user",
            [table, table, table, table],
        )
        is_superuser, may_edit = cursor.fetchone()
    if is_superuser:
        return [_superuser(table)]
    return [_editable(table)] if may_edit else []


def _superuser(table: str) -> CheckMessage:
    return Warning(
        f"The database role is a superuser, whom nothing keeps from editing {table}.",
        hint="Connect as a role without superuser's powers.",
        id="usage.W001",
    )


def _editable(table: str) -> CheckMessage:
    return Error(
        f"The database role can change or delete rows of {table}.",
        hint=f"REVOKE UPDATE, DELETE, TRUNCATE ON {table} FROM the role and from PUBLIC.",
        id="usage.E001",
    )
