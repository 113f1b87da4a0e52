"""Billing periods: half-open, UTC, counted from an anchor.

Contract: docs.stripe.com/billing/subscriptions/billing-cycle. A month or year keeps the anchor's day, and ends on
the month's last day where there is no such day; the next one returns to the anchor's day.
"""

import calendar
from datetime import UTC, datetime

from apps.sandbox.contract import DAY

_SECONDS = {"day": DAY, "week": 7 * DAY}
_MONTHS = {"month": 1, "year": 12}


def boundary(anchor: int, *, interval: str, count: int) -> int:
    """Return the moment `count` intervals (day, week, month, year; may be negative) from `anchor`, Unix seconds."""
    if interval in _SECONDS:
        return anchor + count * _SECONDS[interval]
    return _add_months(anchor, months=count * _MONTHS[interval])


def containing(moment: int, *, anchor: int, interval: str, interval_count: int) -> tuple[int, int]:
    """Return start and end of the period that `moment` lies in: start <= moment < end, all in Unix seconds."""
    number = _guess(moment - anchor, interval=interval) // interval_count
    while boundary(anchor, interval=interval, count=number * interval_count) > moment:
        number -= 1
    while boundary(anchor, interval=interval, count=(number + 1) * interval_count) <= moment:
        number += 1
    start, end = (boundary(anchor, interval=interval, count=each * interval_count) for each in (number, number + 1))
    return start, end


def _guess(seconds: int, *, interval: str) -> int:
    """Return about how many intervals `seconds` make; at most one too many."""
    longest = {"day": 1, "week": 7, "month": 31, "year": 366}[interval]
    return seconds // (longest * DAY)


def _add_months(moment: int, *, months: int) -> int:
    start = datetime.fromtimestamp(moment, UTC)
    year, month = divmod(start.year * 12 + start.month - 1 + months, 12)
    day = min(start.day, calendar.monthrange(year, month + 1)[1])
    return int(start.replace(year=year, month=month + 1, day=day).timestamp())
