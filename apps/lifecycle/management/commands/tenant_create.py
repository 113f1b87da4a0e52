"""`tenant_create`: a tenant by hand, without Stripe."""

from typing import Any

from django.core.management.base import CommandParser

from apps.accounts.services import NewUser
from apps.core import clock
from apps.core.commands import TenantryCommand
from apps.lifecycle import services
from apps.lifecycle.provisioning import welcome_link
from apps.lifecycle.selectors import summary


class Command(TenantryCommand):
    help = "Makes a tenant without Stripe, with its schema and first administrator."

    def add_own_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("tenant_id", help="3 to 36 lower-case letters and digits, joined by single dashes")
        parser.add_argument("--name", default="", help="shown to people (default: the tenant id)")
        parser.add_argument("--admin-user", default="", help="the administrator's user name (default: the tenant id)")
        parser.add_argument("--admin-email", default="", help="where the one-time link is sent")
        parser.add_argument("--admin-full-name", default="")

    def run(
        self, *, tenant_id: str, name: str, admin_user: str, admin_email: str, admin_full_name: str, **options: Any
    ) -> None:
        now = clock.now()
        administrator = NewUser(username=admin_user, email=admin_email, full_name=admin_full_name)
        made = services.create_tenant(
            tenant_id=tenant_id, name=name, administrator=administrator, actor=self.actor, now=now
        )
        tenant = services.provision_tenant(tenant_key=made.pk, actor=self.actor, now=now)
        link = welcome_link(tenant)
        if self.as_json:
            self.print_json({**summary(tenant, now=now), "sign_in_link": link})
        self.say(f"Tenant {tenant.tenant_id} is ready. Its administrator signs in once with:\n  {link}")
