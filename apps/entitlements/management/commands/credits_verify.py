"""`credits_verify`: are the books right?"""

from dataclasses import asdict
from typing import Any

from django.core.management.base import CommandParser

from apps.core.commands import TenantryCommand
from apps.credits import verifying as credits
from apps.tenants import selectors as tenants
from apps.usage import selectors as usage


class Command(TenantryCommand):
    help = "Works every balance and every counter out anew from the books, and tells each difference. Exit code 1: any."

    def add_own_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--tenant", metavar="ID", help="only of this one (default: all, also those that are gone)")

    def run(self, *, tenant: str | None, **options: Any) -> None:
        whose = tenants.by_id(tenant) if tenant else None
        balances, counters = credits.verify(whose), usage.verify(whose)
        if self.as_json:
            self.print_json(
                {"credits": [asdict(each) for each in balances], "usage": [asdict(each) for each in counters]}
            )
        for wrong in balances:
            self.say(
                f"{wrong.tenant_uuid} {wrong.feature}: {wrong.what} is {wrong.found}, by the ledger {wrong.expected}"
            )
        for each in counters:
            since, found = f"{each.period.start:%Y-%m-%d %H:%M}", "missing" if each.counter is None else each.counter
            self.say(
                f"{each.tenant_uuid} {each.feature} from {since}: {each.what} is {found}, by the events {each.books}"
            )
        if balances or counters:
            raise SystemExit(1)
        self.say("Every balance and every counter is what the books say.")
