"""`credits_grant`: give a tenant credits."""

from dataclasses import asdict
from typing import Any

from django.core.management.base import CommandParser

from apps.core import clock
from apps.core.commands import TenantryCommand, moment
from apps.credits.types import ORDINARY_PRIORITY, Category
from apps.entitlements import wallets
from apps.tenants import selectors as tenants

GIVEN = (Category.MANUAL, Category.PROMOTIONAL, Category.PAID)


class Command(TenantryCommand):
    help = "Gives a tenant credits, beside what its plan gives. The same --key grants once, however often it is run."

    def add_own_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("tenant_id")
        parser.add_argument("amount", type=int)
        parser.add_argument("--wallet", default="credits", help="a feature of the kind credits (default: credits)")
        parser.add_argument("--category", choices=[each.value for each in GIVEN], default=Category.MANUAL.value)
        parser.add_argument(
            "--priority",
            type=int,
            default=ORDINARY_PRIORITY,
            help=f"the lowest is spent first (default: {ORDINARY_PRIORITY})",
        )
        parser.add_argument("--from", dest="effective", metavar="TIME", help="from when on (default: now)")
        parser.add_argument("--until", metavar="TIME", help="what is left then expires (default: never)")
        parser.add_argument("--reason", required=True, help="for the ledger, the audit and the tenant's page")
        parser.add_argument("--key", help="an idempotency key, such as the number of an invoice")

    def run(self, *, tenant_id: str, amount: int, wallet: str, **options: Any) -> None:
        made = wallets.grant(
            tenant=tenants.by_id(tenant_id),
            feature=wallet,
            amount=amount,
            category=options["category"],
            priority=options["priority"],
            effective_at=moment(options["effective"], option="--from"),
            expires_at=moment(options["until"], option="--until"),
            reason=options["reason"],
            key=options["key"],
            actor=self.actor,
            now=clock.now(),
        )
        if self.as_json:
            self.print_json({"tenant_id": tenant_id, "wallet": wallet, **asdict(made)})
        self.say(
            f"{amount:,} {wallet} for {tenant_id} ({made.outcome}), grant {made.grant_id}. Balance: {made.balance:,}."
        )
