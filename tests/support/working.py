"""A worker that stops when nothing is left to do."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection
from procrastinate import PsycopgConnector
from procrastinate.contrib.django import app
from procrastinate.contrib.django.utils import connector_params


def drain_jobs() -> None:
    """Do every job that is enqueued, and those which they enqueue."""
    while _jobs("todo"):
        with app.replace_connector(_connector()) as worker_app, _no_schedule():
            worker_app.run_worker(wait=False, concurrency=2, listen_notify=False, install_signal_handlers=False)


def _connector() -> PsycopgConnector:
    """A worker's own opens four connections before its first job, and a test starts many workers."""
    return PsycopgConnector(kwargs=connector_params("default"), min_size=1, max_size=4)


@contextmanager
def _no_schedule() -> Iterator[None]:
    """A starting worker does what was due within the last ten minutes: a test would depend on the time of day."""
    registry = app.periodic_registry
    scheduled, registry.periodic_tasks = registry.periodic_tasks, {}
    try:
        yield
    finally:
        registry.periodic_tasks = scheduled


def failed_jobs() -> list[str]:
    """The names of jobs that raised."""
    return _jobs("failed")


def _jobs(status: str) -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT task_name FROM public.procrastinate_jobs WHERE status::text = %s", [status])
        return [row[0] for row in cursor.fetchall()]
