"""Events, and the deliveries that they cause, written in the transaction of the change they tell about."""

from collections.abc import Callable
from typing import Any

from apps.sandbox.contract import API_VERSION, Body
from apps.sandbox.ids import new_id
from apps.sandbox.render import render
from apps.sandbox.shapes import complete
from apps.sandbox.store import Transaction


def record(tx: Transaction, type: str, subject: Body, *, previous: Body | None = None) -> Body:
    """Write an event about `subject` as it is now; `previous` holds what its changed fields were before."""
    data: Body = {"object": render(tx, subject)}
    if previous is not None:
        data["previous_attributes"] = previous
    event = tx.insert(
        complete(
            {
                "id": new_id("evt"),
                "object": "event",
                "api_version": API_VERSION,
                "created": tx.now,
                "data": data,
                "livemode": False,
                "request": {"id": tx.request_id, "idempotency_key": tx.idempotency_key},
                "type": type,
            }
        )
    )
    _queue(tx, event)
    for follower in _followers.get(type, ()):
        follower(tx, subject)
    return event


_followers: dict[str, list[Callable[[Transaction, Body], None]]] = {}


def follow(type: str, follower: Callable[[Transaction, Body], None]) -> None:
    """Let `follower` be called with the subject after each event of that type, in its transaction."""
    _followers.setdefault(type, []).append(follower)


def save_and_record(tx: Transaction, type: str, changed: Body, *, before: Body) -> Body:
    """Save `changed` and write an event, unless it shows nothing else than `before`, its rendered former state."""
    tx.save(changed)
    previous = difference(before=before, after=render(tx, changed))
    if previous:
        record(tx, type, changed, previous=previous)
    return changed


def difference(*, before: Body, after: Body) -> Body:
    """Return the former values of what differs: of the keys of an object that changed, and of lists as a whole.

    A key that was not there is null, as in Stripe's `previous_attributes`.
    """
    changed = [name for name in {**before, **after} if before.get(name) != after.get(name)]
    return {name: _former(before.get(name), after.get(name)) for name in changed}


def _former(before: Any, after: Any) -> Any:
    if isinstance(before, dict) and isinstance(after, dict) and before.get("object") != "list":
        return difference(before=before, after=after)
    return before


def _queue(tx: Transaction, event: Body) -> None:
    for endpoint in tx.all("webhook_endpoint", status="enabled"):
        if "*" in endpoint["enabled_events"] or event["type"] in endpoint["enabled_events"]:
            tx.owe(event=event["id"], endpoint=endpoint["id"])
