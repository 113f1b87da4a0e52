"""`reconcile`: makes tenants what they should be, or shows what that would change."""

from typing import Any

from django.core.management.base import CommandParser

from apps.core import clock
from apps.core.commands import TenantryCommand
from apps.lifecycle.difference import Difference, difference
from apps.lifecycle.reconciling import reconcile
from apps.lifecycle.reporting import report_differences
from apps.lifecycle.selectors import difference_shown
from apps.tenants import selectors as tenants
from apps.tenants.models import Tenant


class Command(TenantryCommand):
    help = (
        "Compares tenants with the mirror of Stripe, the catalogue, their holds and the clock, prints the "
        "difference and applies it. Does not ask Stripe: `stripe_drift` and `stripe_sync` do."
    )

    def add_own_arguments(self, parser: CommandParser) -> None:
        which = parser.add_mutually_exclusive_group(required=True)
        which.add_argument("--tenant", metavar="ID", help="one tenant")
        which.add_argument("--all", action="store_true", help="every tenant")
        parser.add_argument("--dry-run", action="store_true", help="print the difference, change nothing")

    def run(self, *, tenant: str | None, dry_run: bool, **options: Any) -> None:
        chosen = [tenants.by_id(tenant)] if tenant else list(Tenant.objects.all())
        differences = [self._look_at(each, dry_run=dry_run) for each in chosen]
        if self.as_json:
            shown = [difference_shown(found) for found in differences]
            self.print_json({"applied": not dry_run, "tenants": shown})
        report_differences(self, differences)
        if not differences:
            self.say("There are no tenants yet.")
        elif dry_run and any(differences):
            self.say("Nothing was changed (--dry-run).")

    def _look_at(self, tenant: Tenant, *, dry_run: bool) -> Difference:
        now = clock.now()
        if dry_run:
            return difference(tenant, now=now)
        return reconcile(tenant=tenant, actor=self.actor, now=now)
