"""The deliveries that are owed, one for each event and endpoint, and what became of them."""

import time
from collections.abc import Sequence
from typing import Final, NamedTuple

from apps.sandbox.contract import Body
from apps.sandbox.render import render
from apps.sandbox.sending import Outcome
from apps.sandbox.store import Store, Transaction

TRIES: Final = 12
_LONGEST_WAIT: Final = 300.0


class Delivery(NamedTuple):
    """A row of the queue; `attempts` counts those made before."""

    id: int
    event: str
    endpoint: str
    attempts: int


_COLUMNS = "id, event, endpoint, attempts"


def due(store: Store, *, endpoint: str, limit: int = 100) -> list[Delivery]:
    """Return what is to be sent to the endpoint now, oldest event first."""
    query = f"""
        SELECT {_COLUMNS} FROM delivery
        WHERE state = 'pending' AND endpoint = ? AND next_at <= ? ORDER BY id LIMIT {limit}
    """
    with store.reading() as tx:
        return [Delivery(*row) for row in tx.rows(query, (endpoint, time.time()))]


def next_moments(store: Store) -> dict[str, float]:
    """Return, for each endpoint that is owed something, when it is due first (real Unix seconds)."""
    query = "SELECT endpoint, min(next_at) FROM delivery WHERE state = 'pending' GROUP BY endpoint"
    with store.reading() as tx:
        return dict(tx.rows(query))


def chosen(store: Store, *, events: Sequence[str] | None) -> list[Delivery]:
    """Return the deliveries of the named events in that order, repeats included; without names, all pending ones.

    Raises ApiError for an event that does not exist.
    """
    with store.reading() as tx:
        if events is None:
            rows = tx.rows(f"SELECT {_COLUMNS} FROM delivery WHERE state = 'pending' ORDER BY id")
            return [Delivery(*row) for row in rows]
        return [delivery for event in events for delivery in _of_event(tx, event)]


def _of_event(tx: Transaction, event: str) -> list[Delivery]:
    tx.load("event", event)
    rows = tx.rows(f"SELECT {_COLUMNS} FROM delivery WHERE event = ? ORDER BY id", (event,))
    return [Delivery(*row) for row in rows]


def contents(store: Store, delivery: Delivery) -> tuple[Body, Body] | None:
    """Return the event as it is sent and its endpoint; None when the endpoint is gone or disabled."""
    with store.reading() as tx:
        event, endpoint = tx.find(delivery.event), tx.find(delivery.endpoint)
        if event is None or endpoint is None or endpoint["status"] != "enabled":
            return None
        return render(tx, event), endpoint


def settle(store: Store, delivery: Delivery, outcome: Outcome) -> None:
    """Write down an attempt. What was delivered once stays so, also when a repeat of it fails."""
    query = """
        UPDATE delivery SET
            attempts = attempts + 1, last_status = ?, last_error = ?, next_at = ?,
            state = CASE WHEN state = 'delivered' OR ? THEN 'delivered'
                         WHEN attempts + 1 >= ? THEN 'failed' ELSE 'pending' END
        WHERE id = ?
    """
    error = None if outcome.accepted else outcome.text
    next_at = time.time() + min(2.0**delivery.attempts, _LONGEST_WAIT)
    with store.writing() as tx:
        tx.rows(query, (outcome.status, error, next_at, outcome.accepted, TRIES, delivery.id))


def give_up(store: Store, delivery: Delivery, *, state: str) -> None:
    """Send it no more: `dropped` is lost on the way, `failed` has no endpoint any more."""
    with store.writing() as tx:
        tx.rows("UPDATE delivery SET state = ? WHERE id = ? AND state = 'pending'", (state, delivery.id))


def drop(store: Store, *, events: Sequence[str] | None) -> int:
    """Lose the deliveries of the named events, or all, that are still pending; returns how many."""
    lost = chosen(store, events=events)
    with store.writing() as tx:
        query = "UPDATE delivery SET state = 'dropped' WHERE id = ? AND state = 'pending' RETURNING id"
        return sum(len(list(tx.rows(query, (each.id,)))) for each in lost)


def listed(store: Store, *, limit: int | None = None) -> list[Body]:
    """Return every delivery, oldest first, for the control API; or the `limit` latest ones, newest first."""
    order = "ASC" if limit is None else f"DESC LIMIT {limit}"
    query = f"""
        SELECT delivery.event, json_extract(object.body, '$.type'), endpoint, state, attempts, last_status, last_error
        FROM delivery JOIN object ON object.id = delivery.event ORDER BY delivery.id {order}
    """
    names = ("event", "type", "endpoint", "state", "attempts", "last_status", "last_error")
    with store.reading() as tx:
        return [dict(zip(names, row, strict=True)) for row in tx.rows(query)]
