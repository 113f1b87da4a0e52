"""Thin events: what is sent names the event and its subject, and the receiver fetches the rest.

Contract: docs.stripe.com/api/v2/core/events and docs.stripe.com/event-destinations. They go to event destinations
alone, never to webhook endpoints.
"""

from datetime import UTC, datetime
from typing import Final

from apps.sandbox.contract import Body
from apps.sandbox.ids import new_id
from apps.sandbox.store import Transaction

EVENT: Final = "v2.core.event"
DESTINATION: Final = "v2.core.event_destination"


def moment(seconds: float) -> str:
    """Return a time as the second version of the API writes it."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def record_thin(tx: Transaction, type: str, data: Body, *, subject: Body | None = None, to: Body | None = None) -> Body:
    """Write a thin event about `subject`, or about nothing in particular.

    It goes to the destination `to`, or else to all that asked for its type.
    """
    event: Body = {
        "id": new_id("evt_test", length=44),
        "object": EVENT,
        "context": None,
        "created": moment(tx.now),
        "data": data,
        "livemode": False,
        "reason": None,
        "type": type,
        **({} if subject is None else {"related_object": subject}),
    }
    tx.insert(event)
    for destination in [to] if to else _interested(tx, type):
        tx.owe(event=event["id"], endpoint=destination["id"])
    return event


def _interested(tx: Transaction, type: str) -> list[Body]:
    enabled = tx.all(DESTINATION, status="enabled")
    return [each for each in enabled if type in each["enabled_events"] or "*" in each["enabled_events"]]
