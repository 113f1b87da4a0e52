"""`tenant_export`: writes a tenant into a file, while it goes on as it is."""

from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser

from apps.core import clock
from apps.core.commands import TenantryCommand
from apps.lifecycle import offboarding
from apps.tenants import selectors as tenants


class Command(TenantryCommand):
    help = "Writes everything in a tenant's schema into a file, as of one moment. The tenant goes on as it is."

    def add_own_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("tenant_id")
        parser.add_argument("--to", metavar="FILE", help="the file to write (default: in TENANTRY_EXPORT_DIR)")

    def run(self, *, tenant_id: str, to: str | None, **options: Any) -> None:
        path = Path(to).absolute() if to else offboarding.export_path(tenant_id=tenant_id, now=clock.now())
        written = offboarding.export_tenant(
            tenant=tenants.by_id(tenant_id), path=path, actor=self.actor, clock=clock.now
        )
        if self.as_json:
            facts = {"tenant_id": tenant_id, "export": str(written.path), "sha256": written.sha256}
            self.print_json({**facts, "rows": written.rows})
        self.say(f"{written.rows:,} rows of tenant {tenant_id} are in\n  {written.path}")
