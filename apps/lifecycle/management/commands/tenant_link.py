"""`tenant_link`: a fresh one-time link for a tenant's first administrator."""

from typing import Any

from django.core.management.base import CommandParser

from apps.core import clock
from apps.core.commands import TenantryCommand
from apps.lifecycle.provisioning import hand_out_link
from apps.tenants import selectors as tenants


class Command(TenantryCommand):
    help = "Prints a one-time link on which a tenant's first administrator chooses a password and is signed in."

    def add_own_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("tenant_id")

    def run(self, *, tenant_id: str, **options: Any) -> None:
        link = hand_out_link(tenant=tenants.by_id(tenant_id), actor=self.actor, now=clock.now())
        if self.as_json:
            self.print_json({"tenant_id": tenant_id, "sign_in_link": link})
        self.say(link)
