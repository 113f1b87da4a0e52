"""Waiting for what another thread or process does, by looking at what PostgreSQL says."""

from django.db import connection


def wait_until_somebody_waits_for_a_lock() -> None:
    """Return once a session waits for an advisory lock that another one holds."""
    with connection.cursor() as cursor:
        for _ in range(10_000):
            cursor.execute("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted")
            if cursor.fetchone()[0]:
                return
    raise AssertionError("nobody waited for an advisory lock")
