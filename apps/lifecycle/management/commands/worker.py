"""`worker`: does the background work until it is told to stop."""

from typing import Any

from django.core.management.base import CommandParser
from procrastinate.contrib.django import app

from apps.billing import services as billing
from apps.billing.errors import StripeUnavailable
from apps.core import clock, jobs
from apps.core.commands import TenantryCommand


class Command(TenantryCommand):
    help = "Does the background work: Stripe's events, provisioning, and what time brings. Stops on Ctrl-C or SIGTERM."

    def add_own_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--concurrency", type=int, default=4, help="jobs done at the same time (default: 4)")
        parser.add_argument("--until-idle", action="store_true", help="stop once nothing is left to do")

    def run(self, *, concurrency: int, until_idle: bool, **options: Any) -> None:
        self._verify_account()
        retried = jobs.retry_stalled()
        if retried:
            self.say(f"Took over {retried} jobs of workers that had died.")
        self.say("Working. Press Ctrl-C to stop.")
        with app.replace_connector(app.connector.get_worker_connector()) as worker_app:
            worker_app.run_worker(
                concurrency=concurrency,
                wait=not until_idle,
                delete_jobs="successful",
                # A job that waited for another's lock is not announced; this is how long it may wait besides.
                fetch_job_polling_interval=0.5,
            )

    def _verify_account(self) -> None:
        """A key of another account stops the start; Stripe being away does not: work waits for it."""
        try:
            billing.verify_account(now=clock.now())
        except StripeUnavailable as error:
            self.stderr.write(f"{error} Going on; what needs Stripe waits.")
