"""Who did it, as the tenant's members may read it."""

import re
from collections.abc import Iterable, Mapping
from uuid import UUID

from apps.accounts.models import User
from apps.core.actors import CLOCK

# As `Actor.member` writes it.
MEMBER = re.compile(r"member ([0-9a-f-]{36}) of \S+")
NOBODY = "Automatic"
FORMER = "A former member"


def names_of(labels: Iterable[str]) -> Mapping[str, str]:
    """A name for each actor's label, by label, in one query; the tenant's schema must have been entered."""
    keys = {label: _member_key(label) for label in labels}
    members = [key for key in keys.values() if key]
    users = {user.pk: str(user) for user in User.objects.filter(pk__in=members)} if members else {}
    return {label: _name(label, key, users) for label, key in keys.items()}


def _name(label: str, key: UUID | None, users: Mapping[UUID, str]) -> str:
    if key:
        return users.get(key, FORMER)
    return NOBODY if label == CLOCK.label else label


def _member_key(label: str) -> UUID | None:
    found = MEMBER.fullmatch(label)
    try:
        return UUID(found[1]) if found else None
    except ValueError:
        return None
