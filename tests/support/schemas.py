"""Tenants' schemas at a third of their cost.

Most of what making a schema takes is Django computing, each time anew, what statements to send. The first time in a
process they are written down; from then on the same statements are sent without being computed.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import connection

from apps.tenants.schema import TenantMigrationExecutor

Target = tuple[str, str]
# What changes nothing, or belongs to the transaction or the connection that it was sent on.
NOT_KEPT = ("SELECT", "SHOW", "SAVEPOINT", "RELEASE", "SET search_path")
_statements: dict[tuple[Target, ...], str] = {}


def repeat_statements(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have an empty schema brought to a state by the statements that brought another one there before."""
    monkeypatch.setattr(TenantMigrationExecutor, "migrate", _repeating(TenantMigrationExecutor.migrate))


def _repeating(compute: Callable[..., Any]) -> Callable[..., None]:
    def migrate(self: TenantMigrationExecutor, targets: Iterable[Target]) -> None:
        asked = tuple(sorted(targets))
        if not _is_empty():
            compute(self, targets)
        elif asked in _statements:
            _send(_statements[asked])
        else:
            with _writing_down() as written:
                compute(self, targets)
            _statements[asked] = ";\n".join(written)

    return migrate


def _is_empty() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT NOT EXISTS (SELECT FROM pg_class WHERE relnamespace = current_schema()::regnamespace)")
        return bool(cursor.fetchone()[0])


def _send(statements: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statements)


@contextmanager
def _writing_down() -> Iterator[list[str]]:
    """Every statement that is sent in the block, with its values in it."""
    written: list[str] = []

    def send(execute: Callable[..., Any], sql: str, params: Any, many: bool, context: dict[str, Any]) -> Any:
        if not sql.lstrip().startswith(NOT_KEPT):
            written.append(context["cursor"].mogrify(sql, params).rstrip(";"))
        return execute(sql, params, many, context)

    with connection.execute_wrapper(send):
        yield written
