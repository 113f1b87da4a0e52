"""The commands about one person, and what they leave in the audit."""

import io
import json
from typing import Any

from django.core.management import call_command

from apps.accounts.models import User
from apps.audit.models import Entry

ERASE = ("user_erase", "--yes")


def run(*words: str) -> str:
    """What a command prints."""
    out = io.StringIO()
    call_command(*words, stdout=out)
    return out.getvalue()


def export(*words: str) -> Any:
    """The document that `user_export` prints."""
    return json.loads(run("user_export", *words))


def data_of(document: Any, section: str) -> Any:
    """What one section of a document holds."""
    return {**document["sections"], **document["provider_sections"]}[section]["data"]


def entries(action: str) -> list[tuple[str, str, Any, str, Any]]:
    """What the audit has of an action: by whom, about what, with which values, why, and the values before."""
    found = Entry.objects.filter(action=action)
    return list(found.values_list("actor_label", "subject", "after", "reason", "before"))


def fail(user: User) -> None:
    """A part of a vendor's app that cannot do it."""
    raise RuntimeError("disk full")
