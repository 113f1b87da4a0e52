"""`tenant_keep`: keeps a tenant's data however long ago its subscriptions ended."""

from typing import Any

from django.core.management.base import CommandParser

from apps.core import clock
from apps.core.commands import TenantryCommand
from apps.lifecycle import offboarding
from apps.lifecycle.selectors import summary
from apps.tenants import selectors as tenants


class Command(TenantryCommand):
    help = "Keeps a tenant's data however long ago its subscriptions ended, or (--release) lets time decide again."

    def add_own_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("tenant_id")
        how = parser.add_mutually_exclusive_group(required=True)
        how.add_argument("--reason", help="why it is kept")
        how.add_argument("--release", action="store_true", help="keep it no more")

    def run(self, *, tenant_id: str, reason: str | None, release: bool, **options: Any) -> None:
        tenant = offboarding.keep_tenant(
            tenant=tenants.by_id(tenant_id), reason=reason or "", no_more=release, actor=self.actor, now=clock.now()
        )
        if self.as_json:
            self.print_json(summary(tenant, now=clock.now()))
        planned = f"It is deleted on {tenant.delete_at:%-d %B %Y}." if tenant.delete_at else "No deletion is planned."
        self.say(f"Tenant {tenant_id} is kept: {tenant.kept_because}" if tenant.kept_because else planned)
