"""`stripe_catch_up`: for after an outage, or whenever an event may have been lost."""

from typing import Any

from apps.core import clock
from apps.core.commands import TenantryCommand
from apps.lifecycle import sweeping
from apps.lifecycle.reporting import report_sweep


class Command(TenantryCommand):
    help = "Reads the account's events since the last time, then looks at every subscription again."

    def run(self, **options: Any) -> None:
        with self.console.status("Reading the Stripe account …") as status:
            sweep = sweeping.catch_up(clock=clock.now, progress=lambda each: status.update(f"Reading {each} …"))
        report_sweep(self, sweep)
