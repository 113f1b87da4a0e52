"""`tenant_hold`: suspends or rejects a tenant by hand."""

from typing import Any

from django.core.management.base import CommandParser

from apps.core import clock
from apps.core.commands import TenantryCommand, moment
from apps.lifecycle import services
from apps.lifecycle.selectors import summary
from apps.tenants import selectors as tenants
from apps.tenants.models import Hold


class Command(TenantryCommand):
    help = "Suspends or rejects a tenant by hand. That wins over Stripe until `tenant_unhold`, or until a given time."

    def add_own_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("tenant_id")
        parser.add_argument("--reason", required=True, help="shown to the tenant's users")
        parser.add_argument("--state", choices=Hold.State.values, default=Hold.State.SUSPENDED.value)
        parser.add_argument("--until", metavar="TIME", help="such as 2026-12-31T12:00:00Z (default: until lifted)")

    def run(self, *, tenant_id: str, reason: str, state: str, until: str | None, **options: Any) -> None:
        found = services.hold_tenant(
            tenant=tenants.by_id(tenant_id),
            state=state,
            reason=reason,
            until=moment(until, option="--until"),
            actor=self.actor,
            now=clock.now(),
        )
        if self.as_json:
            self.print_json(summary(found.tenant, now=clock.now()))
        self.say(f"Tenant {tenant_id} is {found.tenant.state}: {found.tenant.state_description}")
