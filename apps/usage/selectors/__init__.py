"""Reads of the books."""

from apps.usage.models import ReportedTotal
from apps.usage.selectors.crossed import crossings
from apps.usage.selectors.history import history
from apps.usage.selectors.listing import event, events
from apps.usage.selectors.totals import reported_totals
from apps.usage.selectors.using import used_in, used_of, uses_of
from apps.usage.selectors.verifying import verify

__all__ = [
    "ReportedTotal",
    "crossings",
    "event",
    "events",
    "history",
    "reported_totals",
    "used_in",
    "used_of",
    "uses_of",
    "verify",
]
