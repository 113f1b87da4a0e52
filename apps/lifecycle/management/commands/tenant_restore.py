"""`tenant_restore`: brings a deleted tenant back from its export."""

from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser

from apps.core import clock
from apps.core.commands import TenantryCommand
from apps.lifecycle import offboarding
from apps.lifecycle.selectors import summary
from apps.tenants import archive


class Command(TenantryCommand):
    help = (
        "Brings a deleted tenant back from the file that `tenant_delete` has written, under the same id and in a new "
        "schema. Its customer is read from Stripe again, which decides its state. Everybody has to sign in again."
    )

    def add_own_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", help="the export")
        parser.add_argument(
            "--any-export", action="store_true", help="also another than the one written when it was deleted"
        )

    def run(self, *, file: str, any_export: bool, **options: Any) -> None:
        with archive.opened(Path(file).absolute()) as opened:
            tenant = offboarding.restore_tenant(opened=opened, any_export=any_export, actor=self.actor, now=clock.now())
            rows = opened.manifest.rows
        if self.as_json:
            self.print_json(summary(tenant, now=clock.now()))
        self.say(f"Tenant {tenant.tenant_id} is back with its {rows:,} rows, in schema {tenant.schema_name}.")
        self.say(f"It is {tenant.state}. {tenant.state_description}".strip())
