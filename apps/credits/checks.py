"""Checks that the books can only be added to."""

from collections.abc import Sequence
from typing import Any

from django.core.checks import CheckMessage, Tags, register

from apps.core import append_only
from apps.credits.models import LedgerEntry, Operation

APPEND_ONLY = (LedgerEntry._meta.db_table, Operation._meta.db_table)


@register(Tags.database)
def books_are_append_only(
    app_configs: Sequence[Any] | None, databases: Sequence[str] | None = None, **kwargs: Any
) -> list[CheckMessage]:
    """Whoever may change the ledger could make any balance look right."""
    return append_only.problems(APPEND_ONLY, app="credits") if databases else []
