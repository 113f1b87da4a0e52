"""`tenant_administrator`: a further administrator of a tenant."""

from typing import Any

from django.core.management.base import CommandParser

from apps.accounts.services import NewUser
from apps.core import clock
from apps.core.commands import TenantryCommand
from apps.lifecycle.provisioning import add_administrator
from apps.tenants import selectors as tenants


class Command(TenantryCommand):
    help = "Makes somebody an administrator of a tenant, and prints a one-time link on which they choose a password."

    def add_own_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("tenant_id")
        parser.add_argument("username")
        parser.add_argument("--email", default="", help="for sign-in, resetting the password, and notices")
        parser.add_argument("--full-name", default="")

    def run(self, *, tenant_id: str, username: str, email: str, full_name: str, **options: Any) -> None:
        new = NewUser(username=username, email=email, full_name=full_name)
        link = add_administrator(tenant=tenants.by_id(tenant_id), new=new, actor=self.actor, now=clock.now())
        if self.as_json:
            self.print_json({"tenant_id": tenant_id, "username": username, "sign_in_link": link})
        self.say(f"{username} is an administrator of {tenant_id}, and signs in once with:\n  {link}")
