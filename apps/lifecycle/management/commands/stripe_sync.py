"""`stripe_sync`: mirrors the account and reconciles every tenant."""

from typing import Any

from apps.core import clock
from apps.core.commands import TenantryCommand
from apps.lifecycle import sweeping
from apps.lifecycle.reporting import report_sweep


class Command(TenantryCommand):
    help = "Mirrors every product, price and customer with a subscription, and makes the tenants what they should be."

    def run(self, **options: Any) -> None:
        with self.console.status("Reading the Stripe account …") as status:
            sweep = sweeping.mirror_account(clock=clock.now, progress=lambda each: status.update(f"Reading {each} …"))
        report_sweep(self, sweep)
