"""`tenant_unhold`: lifts a hold."""

from typing import Any

from django.core.management.base import CommandParser

from apps.core import clock
from apps.core.commands import TenantryCommand
from apps.lifecycle import services
from apps.lifecycle.selectors import summary
from apps.tenants import selectors as tenants


class Command(TenantryCommand):
    help = "Lifts the hold on a tenant; Stripe decides its state again."

    def add_own_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("tenant_id")
        parser.add_argument("--reason", default="", help="kept in the audit")

    def run(self, *, tenant_id: str, reason: str, **options: Any) -> None:
        found = services.unhold_tenant(
            tenant=tenants.by_id(tenant_id), reason=reason, actor=self.actor, now=clock.now()
        )
        if self.as_json:
            self.print_json(summary(found.tenant, now=clock.now()))
        self.say(f"Tenant {tenant_id} is {found.tenant.state}.")
