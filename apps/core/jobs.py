"""Background work: jobs in PostgreSQL, enqueued in the caller's transaction.

A lower floor sets a higher one going by enqueuing a job by its name. Job
arguments are readable in the database: never put a secret into one.
"""

from collections.abc import Callable
from functools import wraps
from typing import Any

import structlog
from asgiref.sync import async_to_sync
from django.db import connection
from procrastinate.contrib.django import app
from procrastinate.contrib.django.django_connector import DjangoConnector
from procrastinate.manager import JobManager
from procrastinate.tasks import configure_task

from apps.core import schemas
from apps.core.locks import advisory_lock

# A living worker sends a heartbeat every ten seconds.
SILENCE_OF_THE_DEAD = 30
# Jobs with a higher priority are done first; 0 is that of most.
BEFORE_OTHERS = 10
AFTER_OTHERS = -10


def job(*, name: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Register a function as the job of this name.

    It starts in the public schema, whatever the thread did before.
    """

    def register(function: Callable[..., None]) -> Callable[..., None]:
        @wraps(function)
        def run(**arguments: Any) -> None:
            schemas.look_into_public()
            with structlog.contextvars.bound_contextvars(job=name, **arguments):
                function(**arguments)

        app.task(name=name)(run)
        return run

    return register


def every_minute(*, name: str) -> Callable[[Callable[[], None]], Callable[[], None]]:
    """Register a function to run once a minute, by one worker."""
    return _on_schedule(name=name, cron="* * * * *")


def every_night(*, name: str) -> Callable[[Callable[[], None]], Callable[[], None]]:
    """Register a function to run at 03:17 UTC, by one worker."""
    return _on_schedule(name=name, cron="17 3 * * *")


def _on_schedule(*, name: str, cron: str) -> Callable[[Callable[[], None]], Callable[[], None]]:
    def register(function: Callable[[], None]) -> Callable[[], None]:
        @wraps(function)
        def run(timestamp: int) -> None:
            schemas.look_into_public()
            with structlog.contextvars.bound_contextvars(job=name):
                function()

        # One lock per schedule: a slow run is never overtaken by the next.
        task = app.task(name=name, lock=name, priority=BEFORE_OTHERS, pass_context=False)(run)
        app.periodic(cron=cron)(task)
        return function

    return register


def retry_stalled() -> int:
    """Have the jobs of workers that were killed done by others; tells how many there were.

    A job of a dead worker would otherwise stay «doing» and keep its lock for ever.
    """
    # Two workers that start together would take over the same jobs.
    with advisory_lock("jobs.retry_stalled"):
        return async_to_sync(_retry_stalled)()


async def _retry_stalled() -> int:
    jobs = _in_transaction()
    stalled = list(await jobs.get_stalled_jobs(seconds_since_heartbeat=SILENCE_OF_THE_DEAD))
    for each in stalled:
        await jobs.retry_job(each)
    return len(stalled)


def purge() -> None:
    """Forget jobs that ended more than three days ago, failed ones included."""
    async_to_sync(_in_transaction().delete_old_jobs)(nb_hours=72, include_failed=True, include_aborted=True)


def absorb_twins(name: str, *, lock: str) -> None:
    """Take back the enqueued jobs of this name and lock: the running one does their work.

    Call it before reading what there is to do: whatever a job taken back was enqueued
    for was committed with it, and is seen by that reading.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "DELETE FROM procrastinate_jobs WHERE status = 'todo' AND task_name = %s AND lock = %s", [name, lock]
        )


def hold_back(name: str, *, lock: str) -> bool:
    """Have an enqueued job of this name and lock not begin before the caller's transaction ends, if there is one.

    Such a job sees what that transaction writes; where there is none, or it is about to
    begin, the caller enqueues another.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT 1 FROM procrastinate_jobs WHERE status = 'todo' AND task_name = %s AND lock = %s"
            # Workers take a job FOR UPDATE SKIP LOCKED; several callers may hold one back.
            " LIMIT 1 FOR SHARE SKIP LOCKED",
            [name, lock],
        )
        return cursor.fetchone() is not None


def is_waiting(name: str, *, lock: str) -> bool:
    """Whether a job of this name and lock is enqueued and has not begun."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT EXISTS (SELECT 1 FROM procrastinate_jobs WHERE status = 'todo' AND task_name = %s AND lock = %s)",
            [name, lock],
        )
        return bool(cursor.fetchone()[0])


def enqueue(name: str, *, lock: str | None = None, priority: int = 0, **arguments: Any) -> None:
    """Enqueue a job, to run once the caller's transaction has committed.

    Jobs with the same lock run one after another, those of one priority in the order of their coming.
    """
    configure_task(name=name, job_manager=_in_transaction(), lock=lock, priority=priority).defer(**arguments)


def _in_transaction() -> JobManager:
    """Procrastinate on Django's own connection.

    Inside a worker the app has a connection pool of its own, on which a job would be
    enqueued at once, whatever becomes of the transaction that asked for it.
    """
    return JobManager(DjangoConnector())
