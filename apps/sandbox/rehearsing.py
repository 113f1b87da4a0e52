"""Doing something to see what comes of it, and undoing it."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from apps.sandbox.contract import Body
from apps.sandbox.invoicing import subscription_of
from apps.sandbox.store import Transaction


@contextmanager
def undone(tx: Transaction) -> Iterator[None]:
    """Undo whatever the block does, also to the time."""
    now = tx.now
    tx.rows("SAVEPOINT rehearsal")
    try:
        yield
    finally:
        tx.rows("ROLLBACK TO rehearsal")
        tx.rows("RELEASE rehearsal")
        tx.now = now


def watch(tx: Transaction) -> Callable[[Body], Body | None]:
    """Return what tells the first invoice that a subscription gets from now on, as it is when it is issued."""
    begin = next(iter(tx.rows("SELECT coalesce(max(seq), 0) FROM object")))[0]
    query = """
        SELECT body FROM object WHERE kind = 'event' AND seq > ?
        AND json_extract(body, '$.type') = 'invoice.created' ORDER BY seq
    """

    def issued(subscription: Body) -> Body | None:
        invoices = (json.loads(row[0])["data"]["object"] for row in tx.rows(query, (begin,)))
        return next((each for each in invoices if subscription_of(each) == subscription["id"]), None)

    return issued
