"""Checks that the books cannot be edited."""

from collections.abc import Sequence
from typing import Any

from django.core.checks import CheckMessage, Tags, register

from apps.core import append_only
from apps.usage.models import UsageEvent


@register(Tags.database)
def events_are_append_only(
    app_configs: Sequence[Any] | None, databases: Sequence[str] | None = None, **kwargs: Any
) -> list[CheckMessage]:
    """The application's role must not be able to change or delete what was booked."""
    return append_only.problems([UsageEvent._meta.db_table], app="usage") if databases else []
