"""Writing the audit, raising and clearing alerts."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any

import structlog
from django.db import transaction

from apps.audit.models import Alert, Entry
from apps.core.actors import Actor

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Cause:
    """Why an alert is open: `code` is stable, `message` tells a person what to do."""

    code: str
    message: str
    details: Mapping[str, Any] = field(default_factory=dict)


def record(
    *,
    actor: Actor,
    action: str,
    subject: str,
    now: datetime,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
    reason: str = "",
) -> Entry:
    """Write one change into the audit, in the caller's transaction."""
    return Entry.objects.create(
        at=now,
        actor_kind=actor.kind,
        actor_label=actor.label[:200],
        action=action,
        subject=subject,
        before=dict(before or {}),
        after=dict(after or {}),
        reason=reason,
    )


@transaction.atomic
def set_alerts(*, subject: str, codes: Iterable[str], causes: Iterable[Cause], now: datetime) -> None:
    """Make the open alerts of a subject exactly these, within a family of codes.

    `codes` is the whole family the caller is able to judge: an open alert of the
    family that is not among `causes` is cleared, since its cause is gone.
    """
    present = {cause.code: cause for cause in causes}
    Alert.objects.open().filter(subject=subject, code__in=set(codes) - present.keys()).update(cleared_at=now)
    for cause in present.values():
        _raise(subject=subject, cause=cause, now=now)


def clear_alerts(*, subject: str, now: datetime) -> None:
    """Clear every alert about something that is no more."""
    Alert.objects.open().filter(subject=subject).update(cleared_at=now)


def _raise(*, subject: str, cause: Cause, now: datetime) -> None:
    values = {"message": cause.message, "details": dict(cause.details), "last_seen_at": now}
    _, created = Alert.objects.update_or_create(
        code=cause.code,
        subject=subject,
        cleared_at=None,
        defaults=values,
        create_defaults={**values, "raised_at": now},
    )
    if created:
        told = {"code": cause.code, "subject": subject, "message": cause.message}
        # What is rolled back has never been raised.
        transaction.on_commit(partial(log.warning, "alert raised", **told))
