"""Keys to the HTTP API: made, recognised, revoked.

A key reads `tnk_<prefix>_<secret>`. The prefix finds its row and may be shown; of the
secret, 256 random bits, only the SHA-256 is kept. No slow hash is needed: nobody can
guess such a secret.
"""

import hashlib
import re
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Q

from apps.api.errors import InvalidKeyName, KeyNotFound
from apps.api.models import NAME_MAX_LENGTH, ApiKey
from apps.audit import services as audit
from apps.core.actors import Actor

GRAMMAR = re.compile(r"tnk_([0-9a-f]{12})_([A-Za-z0-9_-]{43})")
USE_IS_NOTED_EVERY = timedelta(hours=1)


@dataclass(frozen=True)
class NewKey:
    """A key just made. `secret` is the whole key, to be shown this once."""

    key: ApiKey
    secret: str


@transaction.atomic
def create_key(*, name: str, actor: Actor, now: datetime) -> NewKey:
    """Make a key.

    Raises:
        InvalidKeyName: when the name is blank or too long.
    """
    if not name.strip() or len(name) > NAME_MAX_LENGTH:
        raise InvalidKeyName(f"{name!r} cannot name a key: use 1 to {NAME_MAX_LENGTH} characters.")
    prefix, secret = secrets.token_hex(6), secrets.token_urlsafe(32)
    key = ApiKey.objects.create(
        name=name, prefix=prefix, secret_sha256=_hash(secret), created_at=now, created_by=actor.label[:200]
    )
    audit.record(actor=actor, action="api_key.created", subject=key.subject, now=now, after={"name": name})
    return NewKey(key, f"tnk_{prefix}_{secret}")


@transaction.atomic
def revoke_key(*, prefix: str, actor: Actor, now: datetime) -> ApiKey:
    """Make a key worth nothing from now on. One that is revoked already stays as it is.

    Raises:
        KeyNotFound: when no key has this prefix.
    """
    key = ApiKey.objects.select_for_update().filter(prefix=prefix).first()
    if key is None:
        raise KeyNotFound(f"There is no API key {prefix!r}. `manage.py api_key_list` shows those there are.")
    if key.revoked_at is None:
        key.revoked_at = now
        key.save(update_fields=["revoked_at"])
        audit.record(actor=actor, action="api_key.revoked", subject=key.subject, now=now, before={"name": key.name})
    return key


def recognise(*, secret: str, now: datetime) -> ApiKey | None:
    """The key whose whole text this is, with its use noted; None for any other text and for a revoked key."""
    parts = GRAMMAR.fullmatch(secret)
    if parts is None:
        return None
    key = ApiKey.objects.filter(prefix=parts[1], revoked_at=None).first()
    if key is None or not secrets.compare_digest(key.secret_sha256, _hash(parts[2])):
        return None
    _note_use(key, now)
    return key


def _note_use(key: ApiKey, now: datetime) -> None:
    stale = now - USE_IS_NOTED_EVERY
    if key.last_used_at is None or key.last_used_at <= stale:
        not_noted = Q(last_used_at=None) | Q(last_used_at__lte=stale)
        ApiKey.objects.filter(not_noted, pk=key.pk).update(last_used_at=now)


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
