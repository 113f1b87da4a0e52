"""`stripe_drift`: shows where this installation is not what Stripe says."""

from typing import Any

from django.core.management.base import CommandParser

from apps.core import clock
from apps.core.commands import TenantryCommand
from apps.lifecycle import drift
from apps.lifecycle.drift import Drift, Progress
from apps.lifecycle.reporting import report_drift
from apps.tenants import selectors as tenants


class Command(TenantryCommand):
    help = (
        "Compares the mirror, the plans and the tenants with Stripe, field by field, and changes nothing. "
        "Exits with 1 when anything is different or could not be looked at, and tells what mends it."
    )

    def add_own_arguments(self, parser: CommandParser) -> None:
        which = parser.add_mutually_exclusive_group()
        which.add_argument("--customer", metavar="ID", help="one customer, such as cus_123 (default: everything)")
        which.add_argument("--tenant", metavar="ID", help="one tenant, with its customer")

    def run(self, *, customer: str | None, tenant: str | None, **options: Any) -> None:
        with self.console.status("Reading the Stripe account …") as status:
            found = self._compare(customer, tenant, lambda each: status.update(f"Comparing {each} …"))
        report_drift(self, found)

    def _compare(self, customer: str | None, tenant: str | None, progress: Progress) -> Drift:
        if customer:
            return drift.of_customer(customer_id=customer, clock=clock.now, progress=progress)
        if tenant:
            return drift.of_tenant(tenant=tenants.by_id(tenant), clock=clock.now, progress=progress)
        return drift.of_account(clock=clock.now, progress=progress)
