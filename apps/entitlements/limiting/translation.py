"""The last wall's refusal, in our own words, whichever statement ran into it."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from django.db import DatabaseError
from django.db.backends.base.base import BaseDatabaseWrapper

from apps.entitlements.errors import LimitReached
from apps.entitlements.limiting.ceilings import Held
from apps.entitlements.limiting.decisions import decision_for

# As the function `entitlements_keep_limits` raises it.
SQLSTATE = "TN409"


@contextmanager
def translated() -> Iterator[None]:
    """Tell of a refusal by `LimitReached` also where Django has no say, such as in psycopg's `copy`.

    Raises:
        LimitReached: when the database refused rows beyond a limit. As after any error of
            the database, the transaction, or its innermost savepoint, is to be rolled back.
    """
    try:
        yield
    except (DatabaseError, psycopg.DatabaseError) as error:
        refusal = _refusal_in(error)
        if refusal is None:
            raise
        raise refusal from error


def _translate(execute: Callable[..., Any], sql: Any, params: Any, many: bool, context: Any) -> Any:
    with translated():
        return execute(sql, params, many, context)


def watch(connection: BaseDatabaseWrapper, **signal: Any) -> None:
    """Translate whatever runs on a connection that was opened."""
    if _translate not in connection.execute_wrappers:
        # In front: whoever wraps a block removes the last one when it ends.
        connection.execute_wrappers.insert(0, _translate)


def _refusal_in(error: Exception) -> LimitReached | None:
    cause = error if isinstance(error, psycopg.Error) else error.__cause__
    if not isinstance(cause, psycopg.Error) or cause.diag.sqlstate != SQLSTATE:
        return None
    told = json.loads(cause.diag.message_detail or "{}")
    ceiling = Held(
        told["feature"], told["limit"], told["source"], told["reason"] or "", told["plan"] or "", told["name"] or ""
    )
    return LimitReached(decision_for(ceiling, requested=told["requested"], used=told["used"]))
