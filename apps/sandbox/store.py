"""The stand-in's whole memory: one SQLite file.

One API request is one transaction. Writers take turns (one lock in this process, so that nobody waits in
SQLite's polling), readers see the last committed state beside them. The journal is a write-ahead log: a killed
process leaves the last committed state whole.
"""

import json
import sqlite3
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from apps.sandbox import errors
from apps.sandbox.contract import Body

_SCHEMA = """
CREATE TABLE IF NOT EXISTS object (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    kind TEXT NOT NULL,
    created INTEGER NOT NULL,
    body TEXT NOT NULL,
    deleted INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX IF NOT EXISTS object_kind ON object (kind, deleted, seq);
CREATE INDEX IF NOT EXISTS object_customer ON object (kind, json_extract(body, '$.customer'), seq);
CREATE INDEX IF NOT EXISTS object_subscription ON object (kind, json_extract(body, '$.subscription'), seq);
CREATE INDEX IF NOT EXISTS object_pending ON object (kind, json_extract(body, '$._subscription'), seq);
CREATE INDEX IF NOT EXISTS object_invoice ON object (kind, json_extract(body, '$.invoice'), seq);
CREATE INDEX IF NOT EXISTS object_lookup_key ON object (kind, json_extract(body, '$.lookup_key'));
CREATE INDEX IF NOT EXISTS object_parent
    ON object (kind, json_extract(body, '$.parent.subscription_details.subscription'), seq);
CREATE TABLE IF NOT EXISTS delivery (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    event TEXT NOT NULL,
    endpoint TEXT NOT NULL,
    state TEXT NOT NULL DEFAULT 'pending',
    attempts INTEGER NOT NULL DEFAULT 0,
    next_at REAL NOT NULL,
    last_status INTEGER,
    last_error TEXT,
    UNIQUE (event, endpoint)
);
CREATE INDEX IF NOT EXISTS delivery_due ON delivery (state, endpoint, next_at);
CREATE TABLE IF NOT EXISTS answer (
    key TEXT PRIMARY KEY,
    fingerprint TEXT NOT NULL,
    status INTEGER NOT NULL,
    body TEXT NOT NULL,
    request_id TEXT NOT NULL,
    created INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS usage (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    identifier TEXT NOT NULL,
    event_name TEXT NOT NULL,
    payload TEXT NOT NULL,
    at INTEGER NOT NULL,
    now INTEGER NOT NULL,
    received INTEGER NOT NULL,
    state TEXT NOT NULL DEFAULT 'pending',
    problem TEXT,
    meter TEXT,
    customer TEXT,
    value TEXT
);
CREATE INDEX IF NOT EXISTS usage_identifier ON usage (identifier, received);
CREATE INDEX IF NOT EXISTS usage_pending ON usage (id) WHERE state = 'pending';
CREATE INDEX IF NOT EXISTS usage_sum ON usage (meter, customer, at) WHERE state = 'counted';
CREATE TABLE IF NOT EXISTS setting (name TEXT PRIMARY KEY, value TEXT NOT NULL);
"""


class Transaction:
    """The store as one request sees it.

    `base` is the address under which a browser finds the stand-in's pages. `now` is the stand-in's time in Unix
    seconds, `began` the real one; `request_id` and `idempotency_key` are what
    the events of this request will name, None when nobody asked for the change through the API.
    """

    def __init__(self, connection: sqlite3.Connection, *, base: str) -> None:
        self.sql = connection
        self.base = base
        self.request_id: str | None = None
        self.idempotency_key: str | None = None
        self.began = time.time()
        set_to = self.setting("now")
        self.now: int = int(self.began) if set_to is None else set_to

    def setting(self, name: str) -> Any:
        row = self.sql.execute("SELECT value FROM setting WHERE name = ?", (name,)).fetchone()
        return json.loads(row[0]) if row else None

    def set(self, name: str, value: Any) -> None:
        self.sql.execute("INSERT OR REPLACE INTO setting VALUES (?, ?)", (name, json.dumps(value)))

    def insert(self, body: Body) -> Body:
        """Keep a new object under its `id`; raises ApiError when that id was ever used."""
        created = body.get("created")
        # The second version of the API writes moments as text.
        moment = created if isinstance(created, int) else self.now
        row = (body["id"], body["object"], moment, json.dumps(body))
        try:
            self.sql.execute("INSERT INTO object (id, kind, created, body) VALUES (?, ?, ?, ?)", row)
        except sqlite3.IntegrityError:
            raise errors.ApiError(
                f"{body['object'].capitalize()} already exists.", code="resource_already_exists", param="id"
            ) from None
        return body

    def save(self, body: Body) -> Body:
        self.sql.execute("UPDATE object SET body = ? WHERE id = ?", (json.dumps(body), body["id"]))
        return body

    def delete(self, body: Body) -> None:
        """Hide the object from lists and look-ups. Its row stays: a list's cursor may stand on it."""
        self.sql.execute("UPDATE object SET deleted = 1 WHERE id = ?", (body["id"],))

    def find(self, id: str, *, deleted: bool = False) -> Body | None:
        """Return the object of that id, of whichever kind; deleted ones only on request."""
        row = self.sql.execute("SELECT body FROM object WHERE id = ? AND deleted <= ?", (id, deleted)).fetchone()
        return None if row is None else json.loads(row[0])

    def load(self, kind: str, id: str, *, param: str | None = None) -> Body:
        """Return an object that must be there; raises Stripe's resource_missing for it."""
        body = self.find(id)
        if body is None or body["object"] != kind:
            raise errors.no_such(kind=kind, id=id, param=param)
        return body

    def is_deleted(self, id: str) -> bool:
        return self.sql.execute("SELECT 1 FROM object WHERE id = ? AND deleted = 1", (id,)).fetchone() is not None

    def all(self, kind: str, **equal: str | None) -> list[Body]:
        """Return the objects of a kind in the order of their making, those whose top-level fields equal the given."""
        where = "".join(f" AND json_extract(body, '$.{field}') IS ?" for field in equal)
        query = f"SELECT body FROM object WHERE kind = ? AND deleted = 0{where} ORDER BY seq"
        return [json.loads(row[0]) for row in self.sql.execute(query, (kind, *equal.values()))]

    def owe(self, *, event: str, endpoint: str) -> None:
        """Put the delivery of an event to an endpoint into the queue."""
        delay = (self.setting("delivery") or {}).get("delay", 0)
        query = "INSERT INTO delivery (event, endpoint, next_at) VALUES (?, ?, ?)"
        self.rows(query, (event, endpoint, self.began + delay))

    def rows(self, query: str, values: Sequence[object] = ()) -> Iterable[Any]:
        return self.sql.execute(query, values)


class Store:
    """The file and its connections.

    `path` is made, with its folder, when it is not there; `base` is the stand-in's own address.
    """

    def __init__(self, path: Path, *, base: str) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path
        self._base = base
        self._writer = threading.Lock()
        self._idle: list[sqlite3.Connection] = []
        connection = self._connect()
        connection.execute("PRAGMA journal_mode = WAL")
        connection.executescript(_SCHEMA)
        self._idle.append(connection)

    @contextmanager
    def reading(self) -> Iterator[Transaction]:
        """One state of the store, whatever is written meanwhile."""
        with self._transaction("BEGIN") as transaction:
            yield transaction

    @contextmanager
    def writing(self) -> Iterator[Transaction]:
        """All or nothing: committed at the end, undone when the block raises."""
        with self._writer, self._transaction("BEGIN IMMEDIATE") as transaction:
            yield transaction

    def reset(self, *, keep: Sequence[str] = ()) -> None:
        """Forget everything but the account and the objects of the kinds `keep`."""
        with self.writing() as transaction:
            for table in ("delivery", "answer", "usage"):
                transaction.rows(f"DELETE FROM {table}")
            transaction.rows("DELETE FROM setting WHERE name <> 'account'")
            kept = ", ".join("?" * len(keep))
            transaction.rows(f"DELETE FROM object WHERE kind NOT IN ({kept}) OR deleted = 1", keep)

    def close(self) -> None:
        while self._idle:
            self._idle.pop().close()

    @contextmanager
    def _transaction(self, begin: str) -> Iterator[Transaction]:
        connection = self._take()
        try:
            connection.execute(begin)
            with connection:
                yield Transaction(connection, base=self._base)
        finally:
            self._idle.append(connection)

    def _take(self) -> sqlite3.Connection:
        try:
            return self._idle.pop()
        except IndexError:
            return self._connect()

    def _connect(self) -> sqlite3.Connection:
        # A connection serves one transaction at a time, but not always in the same thread.
        connection = sqlite3.connect(self._path, timeout=30, isolation_level=None, check_same_thread=False)
        connection.execute("PRAGMA synchronous = NORMAL")
        return connection
