"""`tenant_provision`: shows how far a tenant's provisioning has come, or goes on with it."""

from typing import Any

from django.core.management.base import CommandParser

from apps.core import clock
from apps.core.commands import TenantryCommand
from apps.lifecycle import services
from apps.lifecycle.provisioning import steps_of
from apps.tenants import selectors as tenants
from apps.tenants.models import Tenant


class Command(TenantryCommand):
    help = "Shows the steps of a tenant's provisioning; with --resume, does those that are missing."

    def add_own_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("tenant_id")
        parser.add_argument("--resume", action="store_true", help="do the steps that are missing, now")

    def run(self, *, tenant_id: str, resume: bool, **options: Any) -> None:
        tenant = tenants.by_id(tenant_id)
        if resume:
            tenant = services.provision_tenant(tenant_key=tenant.pk, actor=self.actor, now=clock.now())
        if self.as_json:
            self.print_json(_shown(tenant))
        self.say(f"Provisioning of {tenant_id} is {tenant.provisioning}.")
        for step, done_at in steps_of(tenant).items():
            self.say(f"  {step}: {done_at or 'not yet'}")
        if tenant.provisioning_error:
            self.say(f"  stopped by: {tenant.provisioning_error}")


def _shown(tenant: Tenant) -> dict[str, Any]:
    return {
        "tenant_id": tenant.tenant_id,
        "state": tenant.state,
        "provisioning": tenant.provisioning,
        "steps": steps_of(tenant),
        "error": tenant.provisioning_error,
    }
