"""A worker that stops when nothing is left to do."""

from django.db import connection
from procrastinate.contrib.django import app


def drain_jobs() -> None:
    """Do every job that is enqueued, and those which they enqueue."""
    while _jobs("todo"):
        with app.replace_connector(app.connector.get_worker_connector()) as worker_app:
            worker_app.run_worker(wait=False, concurrency=2, listen_notify=False, install_signal_handlers=False)


def failed_jobs() -> list[str]:
    """The names of jobs that raised."""
    return _jobs("failed")


def _jobs(status: str) -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT task_name FROM public.procrastinate_jobs WHERE status::text = %s", [status])
        return [row[0] for row in cursor.fetchall()]
