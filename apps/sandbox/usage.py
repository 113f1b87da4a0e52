"""Usage that was reported: one row for each meter event, and what the counted ones add up to.

Contract: docs.stripe.com/api/billing/meter-event. An event is pending until it is looked at, then counted for a meter
and a customer, or refused; a counted one can be canceled.
"""

from decimal import Decimal
from typing import Final, NamedTuple

from apps.sandbox.contract import Body
from apps.sandbox.store import Transaction

METER: Final = "billing.meter"


class Reported(NamedTuple):
    """A counted event: when it happened (Unix seconds), and how much it was."""

    at: int
    value: Decimal


def counted(tx: Transaction, meter: str, customer: str, *, start: int, end: int) -> list[Reported]:
    """Return the counted events from `start` until before `end`, in the order of time, then of arrival."""
    query = """
        SELECT at, value FROM usage
        WHERE meter = ? AND customer = ? AND state = 'counted' AND at >= ? AND at < ? ORDER BY at, id
    """
    return [Reported(at, Decimal(value)) for at, value in tx.rows(query, (meter, customer, start, end))]


def aggregate(events: list[Reported], *, formula: str) -> Decimal:
    """Return what the events make by the meter's formula: `sum`, `count` or `last`; nothing makes zero."""
    if formula == "count":
        return Decimal(len(events))
    if formula == "last":
        return events[-1].value if events else Decimal(0)
    return sum((each.value for each in events), Decimal(0))


def total(tx: Transaction, meter: Body, customer: str, *, start: int, end: int) -> Decimal:
    """Return the customer's usage of the meter from `start` until before `end` (Unix seconds)."""
    events = counted(tx, meter["id"], customer, start=start, end=end)
    return aggregate(events, formula=meter["default_aggregation"]["formula"])


def active_meter(tx: Transaction, event_name: str) -> Body | None:
    """Return the active meter of that event name, of which there is one at most."""
    found = tx.all(METER, event_name=event_name, status="active")
    return found[0] if found else None
