"""Summaries of meter events. Contract: docs.stripe.com/api/billing/meter-event-summary.

Without a window there is one summary of the whole range; with one there is a summary for each hour or day (UTC) in
which something was reported, newest first.
"""

import hashlib
from decimal import Decimal
from itertools import groupby
from typing import Final

from apps.sandbox.contract import DAY, Body
from apps.sandbox.errors import ApiError
from apps.sandbox.shapes import complete
from apps.sandbox.store import Transaction
from apps.sandbox.usage import Reported, aggregate, counted

_WINDOWS: Final = {None: 60, "hour": 3600, "day": DAY}


def summaries(tx: Transaction, meter: Body, params: Body) -> list[Body]:
    """Return the summaries of the customer's usage from `start_time` until before `end_time`.

    Raises ApiError for a customer that is not there, and for bounds that are not those of whole minutes (or windows).
    """
    customer, start, end = params["customer"], params["start_time"], params["end_time"]
    window = params.get("value_grouping_window")
    tx.load("customer", customer, param="customer")
    _check_bounds(start, end, seconds=_WINDOWS[window], window=window)
    events = counted(tx, meter["id"], customer, start=start, end=end)
    if window is None:
        return [_summary(meter, customer, events, start=start, end=end)]
    length = _WINDOWS[window]
    windows = groupby(events, key=lambda each: each.at // length * length)
    found = [_summary(meter, customer, list(within), start=at, end=at + length) for at, within in windows]
    return found[::-1]


def _check_bounds(start: int, end: int, *, seconds: int, window: str | None) -> None:
    for name, moment in (("start_time", start), ("end_time", end)):
        if moment % seconds:
            raise ApiError(f"{name} must be aligned with {window or 'minute'} boundaries.", param=name)
    if start >= end:
        raise ApiError("start_time must be before end_time.", param="start_time")


def _summary(meter: Body, customer: str, events: list[Reported], *, start: int, end: int) -> Body:
    value = aggregate(events, formula=meter["default_aggregation"]["formula"])
    # The same question gets the same id, since pages are asked for by it.
    named = hashlib.sha256(f"{meter['id']} {customer} {start} {end}".encode()).hexdigest()
    return complete(
        {
            "id": f"mtrusg_test_{named[:32]}",
            "object": "billing.meter_event_summary",
            "aggregated_value": plain_number(value),
            "end_time": end,
            "livemode": False,
            "meter": meter["id"],
            "start_time": start,
        }
    )


def plain_number(value: Decimal) -> int | float:
    """Return the number as JSON has it: without a fraction where there is none."""
    return int(value) if value == value.to_integral_value() else float(value)
