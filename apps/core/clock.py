"""The clock. Only views, commands and tasks read it; the domain takes `now`."""

from collections.abc import Callable
from datetime import UTC, datetime

from django.utils import timezone

# For flows that wait for a lock or for the network, and must not decide by the time before that.
Clock = Callable[[], datetime]


def now() -> datetime:
    """The present moment, in UTC."""
    return timezone.now()


def from_timestamp(seconds: int) -> datetime:
    """A moment as Stripe writes it: whole seconds since 1970, UTC."""
    return datetime.fromtimestamp(seconds, tz=UTC)
