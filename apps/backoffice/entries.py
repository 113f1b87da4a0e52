"""Entries of the audit as they are shown: what changed, side by side, with times as times."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from apps.audit.models import Entry

# The audit keeps JSON, which has no times of its own.
MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")
LATEST = 25


@dataclass(frozen=True)
class Changed:
    """One value that an audit entry tells of."""

    field: str
    before: Any
    after: Any


@dataclass(frozen=True)
class ShownEntry:
    """An audit entry with its values side by side."""

    entry: Entry
    changed: tuple[Changed, ...]


def latest_about(subjects: Iterable[str]) -> tuple[ShownEntry, ...]:
    """The latest entries about any of these subjects."""
    return tuple(shown(entry) for entry in Entry.objects.filter(subject__in=list(subjects))[:LATEST])


def shown(entry: Entry) -> ShownEntry:
    """An entry with the values that it changed, before and after."""
    fields = dict.fromkeys([*entry.before, *entry.after])
    values = (
        Changed(name.replace("_", " "), readable(entry.before.get(name)), readable(entry.after.get(name)))
        for name in fields
    )
    return ShownEntry(entry, tuple(each for each in values if each.before != each.after))


def readable(value: Any) -> Any:
    """A value of the audit for people: moments as such, lists in a line, what is empty as None."""
    if isinstance(value, str) and MOMENT.fullmatch(value):
        return datetime.fromisoformat(value)
    if isinstance(value, list):
        return ", ".join(str(each) for each in value) or None
    return None if value in ("", {}) else value
