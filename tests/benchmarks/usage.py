"""Booking usage against the bare database: `python -m tests.benchmarks.usage`.

Both sides run by turns, on the same tables of a database made for it, so that only their
ratio means anything.
"""

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing import get_context
from statistics import median
from typing import Any
from uuid import UUID, uuid4

import psycopg
from django.conf import settings
from django.db import connection

from apps.core.periods import ALWAYS
from apps.tenants.models import Tenant
from apps.usage import services
from apps.usage.types import Ceiling, NewEvent, Slot
from config import embedded_postgres
from tests.factories import NOW, SOMEBODY
from tests.support import databases

SECONDS = 1.0
ROUNDS = 5
CEILING = Ceiling(limit=10**12, thresholds=(80, 100), version=1)
TENANT = uuid4()
Work = Callable[[int], Iterator[int]]

# The same statement, without anything around it.
BARE_CONSUME = (
    "SELECT * FROM usage_consume(%s, %s, %s, %s, 'sum', 'add', 1, NULL, %s, %s, false, '{80,100}', 1,"
    " %s, 'somebody', '{}', %s)"
)
RAW_INGEST = """
    WITH told AS (
        SELECT gen_random_uuid() AS id, t.* FROM unnest(%s::bigint[], %s::timestamptz[], %s::text[], %s::text[])
             AS t (amount, at, key, properties)
    ), booked AS (
        INSERT INTO usage_usageevent (
            tenant_uuid, id, feature, period_start, period_end, kind, amount, at, actor, properties, idempotency_key,
            "limit", soft
        )
        SELECT %s, id, %s, %s, %s, 'add', amount, at, 'somebody', properties::jsonb, key, 1000000000000, false
        FROM told ON CONFLICT DO NOTHING RETURNING id, amount
    ), counted AS (
        UPDATE usage_counter SET used = used + (SELECT sum(amount) FROM booked)
        WHERE tenant_uuid = %s AND feature = %s AND period_start = %s AND period_end = %s
    )
    SELECT id FROM booked
"""


def features(counters: int, seed: int) -> Iterator[str]:
    """The features of one counter or of many, in no order."""
    number = seed
    while True:
        number = (number * 1103515245 + 12345) % 2**31
        yield f"feature-{number % counters}"


def consuming(counters: int) -> Work:
    """Through the services."""

    def work(seed: int) -> Iterator[int]:
        tenant = Tenant(pk=TENANT)
        for feature in features(counters, seed):
            services.consume(
                tenant=tenant,
                slot=Slot(feature, "sum", ALWAYS),
                amount=1,
                ceiling=CEILING,
                key=str(uuid4()),
                actor=SOMEBODY,
                at=NOW,
                now=NOW,
            )
            yield 1

    return work


def consuming_bare(counters: int) -> Work:
    """As a loop over psycopg would do it."""

    def work(seed: int) -> Iterator[int]:
        with psycopg.connect(databases.url(), autocommit=True) as bare:
            for feature in features(counters, seed):
                values = (TENANT, feature, ALWAYS.start, ALWAYS.end, NOW, CEILING.limit, str(uuid4()), NOW)
                bare.execute(BARE_CONSUME, values).fetchone()
                yield 1

    return work


def ingesting(size: int) -> Work:
    """Through the services."""

    def work(seed: int) -> Iterator[int]:
        tenant, slot = Tenant(pk=TENANT), Slot(f"feature-{seed}", "sum", ALWAYS)
        while True:
            events = [NewEvent(slot, CEILING, 1, NOW, str(uuid4()), {"route": "/"}) for _ in range(size)]
            services.ingest(tenant=tenant, events=events, actor=SOMEBODY, now=NOW)
            yield size

    return work


def ingesting_raw(size: int) -> Work:
    """As one statement that is sent as it is."""

    def work(seed: int) -> Iterator[int]:
        place = (TENANT, f"feature-{seed}", ALWAYS.start, ALWAYS.end)
        with psycopg.connect(databases.url(), autocommit=True) as raw:
            while True:
                told = ([1] * size, [NOW] * size, [str(uuid4()) for _ in range(size)], ['{"route": "/"}'] * size)
                raw.execute(RAW_INGEST, (*told, *place, *place)).fetchall()
                yield size

    return work


def measure(work: Work, clients: int) -> float:
    """How many a second so many processes do together."""
    connection.close()
    queue = get_context("fork").SimpleQueue()
    together = get_context("fork").Barrier(clients)
    processes = [
        get_context("fork").Process(target=_client, args=(work, each, together, queue)) for each in range(clients)
    ]
    for process in processes:
        process.start()
    done = sum(queue.get() for _ in processes)
    for process in processes:
        process.join()
    return done


def _client(work: Work, seed: int, together: Any, queue: Any) -> None:
    steps = work(seed)
    next(steps)
    together.wait()
    began, done = time.perf_counter(), 0
    while time.perf_counter() - began < SECONDS:
        done += next(steps)
    queue.put(done / (time.perf_counter() - began))
    os._exit(0)


def compare(name: str, ours: Work, theirs: Work, *, clients: int, goal: int) -> None:
    """Both by turns, and the median of their ratios."""
    pairs = [(measure(ours, clients), measure(theirs, clients)) for _ in range(ROUNDS)]
    our_speed, their_speed = (median(each) for each in zip(*pairs, strict=True))
    ratio = median(mine / bare for mine, bare in pairs)
    sys.stdout.write(f"{name:<44} {our_speed:>9,.0f}/s {their_speed:>9,.0f}/s {ratio:>6.0%}  (to reach: {goal} %)\n")
    sys.stdout.flush()


@contextmanager
def database() -> Iterator[None]:
    """One of its own, durable as in earnest."""
    if settings.TENANTRY_EMBEDDED_POSTGRES:
        embedded_postgres.ensure_running(settings.TENANTRY_HOME)
    databases.create()
    with connection.cursor() as cursor:
        cursor.execute(f'ALTER DATABASE "{connection.settings_dict["NAME"]}" RESET synchronous_commit')
    try:
        yield
    finally:
        databases.drop()


def open_counters(tenant_key: UUID, counters: int) -> None:
    """So that both sides find them."""
    events = [NewEvent(Slot(f"feature-{each}", "sum", ALWAYS), CEILING, 1, NOW) for each in range(counters)]
    services.ingest(tenant=Tenant(pk=tenant_key), events=events, actor=SOMEBODY, now=NOW)


def main() -> None:
    """Print each ratio."""
    with database():
        open_counters(TENANT, 1000)
        for clients in (1, 8):
            for counters, goal in ((1, 90), (1000, 80)):
                name = f"consume, {clients} clients, {counters:,} counters"
                compare(name, consuming(counters), consuming_bare(counters), clients=clients, goal=goal)
        for size in (100, 1000):
            compare(f"ingest, batches of {size:,}", ingesting(size), ingesting_raw(size), clients=1, goal=60)


if __name__ == "__main__":
    main()
