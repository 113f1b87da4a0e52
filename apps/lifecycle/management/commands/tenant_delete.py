"""`tenant_delete`: exports a tenant, deletes it, and leaves a tombstone."""

from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser

from apps.core import clock
from apps.core.commands import TenantryCommand
from apps.lifecycle import offboarding
from apps.tenants import selectors as tenants
from apps.tenants.models import Tenant


class Command(TenantryCommand):
    help = (
        "Exports everything in a tenant's schema into a file, then deletes the tenant. Its host answers «gone» from "
        "then on, its id is kept for its own restoration, and what is booked about it stays."
    )

    def add_own_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("tenant_id")
        parser.add_argument("--reason", required=True, help="kept with the tombstone and in the audit")
        parser.add_argument("--to", metavar="FILE", help="the file to write (default: in TENANTRY_EXPORT_DIR)")
        parser.add_argument("--yes", action="store_true", help="do not ask")
        parser.add_argument(
            "--even-if-subscribed", action="store_true", help="although a subscription of it lives in Stripe"
        )

    def run(
        self, *, tenant_id: str, reason: str, to: str | None, yes: bool, even_if_subscribed: bool, **options: Any
    ) -> None:
        tenant = tenants.by_id(tenant_id)
        if not yes:
            self._ask(tenant)
        done = offboarding.delete_tenant(
            tenant=tenant,
            reason=reason,
            actor=self.actor,
            clock=clock.now,
            export_to=Path(to).absolute() if to else None,
            even_if_subscribed=even_if_subscribed,
        )
        if self.as_json:
            facts = {"tenant_id": tenant_id, "export": str(done.export), "sha256": done.tombstone.export_sha256}
            self.print_json({**facts, "rows": done.rows})
        self.say(f"Tenant {tenant_id} is deleted. Its {done.rows:,} rows are in\n  {done.export}")
        self.say(f"Bring it back with `manage.py tenant_restore {done.export}`.")
        self.say("A worker drops the emptied schema in ten minutes.")

    def _ask(self, tenant: Tenant) -> None:
        warning = (
            f"{tenant} ({tenant.tenant_id}) is {tenant.state} and has the schema {tenant.schema_name}. "
            "It is exported into a file, then deleted."
        )
        self.make_sure(warning=warning, word=tenant.tenant_id, named="its tenant id")
