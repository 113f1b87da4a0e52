"""The facts of Stripe's contract that more than one module needs."""

from typing import Any, Final

Body = dict[str, Any]
"""One Stripe object, or an answer, as JSON has it."""

API_VERSION: Final = "2026-08-26.dahlia"
API_FAMILY: Final = "dahlia"
STATUSES: Final = (
    "incomplete",
    "incomplete_expired",
    "trialing",
    "active",
    "past_due",
    "canceled",
    "unpaid",
    "paused",
)
TERMINAL_STATUSES: Final = frozenset({"canceled", "incomplete_expired"})
DAY: Final = 86_400
"""Seconds."""
LATEST: Final = 9_999_999_999
"""The latest moment that the stand-in takes, in Unix seconds: the year 2286."""
