"""Locks that PostgreSQL keeps, so that they end with the process that held them."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection


@contextmanager
def advisory_lock(name: str) -> Iterator[None]:
    """Hold the lock of this name, across as many transactions as the block needs.

    It belongs to the database session: when the process is killed, PostgreSQL
    releases it with the connection. Connect directly or through session pooling;
    a transaction pooler would hand the session to somebody else.
    """
    key = _key(name)
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(%s)", [key])
    try:
        yield
    finally:
        _release(key)


@contextmanager
def free_advisory_lock(name: str) -> Iterator[bool]:
    """As `advisory_lock`, without waiting: tells whether the lock was free, and is held."""
    key = _key(name)
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s)", [key])
        held = bool(cursor.fetchone()[0])
    try:
        yield held
    finally:
        if held:
            _release(key)


def lock_until_commit(name: str, *, shared: bool = False) -> None:
    """Hold the lock of this name until the caller's transaction ends; `shared`: together with others who share it."""
    function = "pg_advisory_xact_lock_shared" if shared else "pg_advisory_xact_lock"
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {function}(%s)", [_key(name)])


def _key(name: str) -> int:
    digest = hashlib.blake2b(name.encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big", signed=True)


def _release(key: int) -> None:
    # A lost connection has released the lock already.
    if connection.connection is not None and not connection.connection.closed:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_unlock(%s)", [key])
