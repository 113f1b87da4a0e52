"""`price_manage`: puts a Stripe price on the allow-list, or takes it off."""

from typing import Any

from django.core.management.base import CommandParser

from apps.core import clock
from apps.core.commands import TenantryCommand
from apps.lifecycle import services
from apps.plans.models import ManagedPrice


class Command(TenantryCommand):
    help = "Marks a Stripe price as managed: its subscriptions become tenants. Others are ignored."

    def add_own_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("price_id", help="such as price_1Abc")
        parser.add_argument("group", choices=[*ManagedPrice.Group.values, "none"], help="none: take the mark back")

    def run(self, *, price_id: str, group: str, **options: Any) -> None:
        now = clock.now()
        if group == "none":
            services.unmanage_price(price_id=price_id, actor=self.actor, now=now)
        else:
            services.manage_price(price_id=price_id, group=group, actor=self.actor, now=now)
        if self.as_json:
            self.print_json({"price_id": price_id, "group": None if group == "none" else group})
        self.say(f"Price {price_id} is {'no longer managed' if group == 'none' else f'managed as {group}'}.")
