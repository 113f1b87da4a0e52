"""`credits_void`: take back what is left of a grant."""

from dataclasses import asdict
from typing import Any
from uuid import UUID

from django.core.management.base import CommandError, CommandParser

from apps.core import clock
from apps.core.commands import TenantryCommand
from apps.entitlements import wallets
from apps.tenants import selectors as tenants


class Command(TenantryCommand):
    help = "Takes back what is left of a grant of credits. What was spent of it stays spent."

    def add_own_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("tenant_id")
        parser.add_argument("grant_id", help="as credits_balance shows it")
        parser.add_argument("--reason", required=True, help="for the ledger and the audit")

    def run(self, *, tenant_id: str, grant_id: str, reason: str, **options: Any) -> None:
        made = wallets.void(
            tenant=tenants.by_id(tenant_id),
            grant_id=_key(grant_id),
            reason=reason,
            actor=self.actor,
            now=clock.now(),
        )
        if self.as_json:
            self.print_json({"tenant_id": tenant_id, **asdict(made)})
        self.say(f"Grant {grant_id} of {tenant_id} is void. Balance: {made.balance:,}.")


def _key(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError as error:
        raise CommandError(f"{text!r} is no grant's id. `manage.py credits_balance TENANT` shows them.") from error
