"""The clock. Only views, commands and tasks read it; the domain takes `now`."""

from datetime import UTC, datetime

from django.utils import timezone


def now() -> datetime:
    """The present moment, in UTC."""
    return timezone.now()


def from_timestamp(seconds: int) -> datetime:
    """A moment as Stripe writes it: whole seconds since 1970, UTC."""
    return datetime.fromtimestamp(seconds, tz=UTC)
