"""`price_manage`: puts a Stripe price on the allow-list, or takes it off."""

from typing import Any

from django.core.management.base import CommandParser

from apps.core import clock
from apps.core.commands import TenantryCommand
from apps.lifecycle import services
from apps.plans.models import ManagedPrice
from apps.plans.selectors import price_group


class Command(TenantryCommand):
    help = "Marks a Stripe price as managed: its subscriptions become tenants. Others are ignored."

    def add_own_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("price_id", help="such as price_1Abc")
        parser.add_argument("group", choices=[*ManagedPrice.Group.values, "none"], help="none: take the mark back")

    def run(self, *, price_id: str, group: str, **options: Any) -> None:
        now = clock.now()
        if group == "none":
            still = services.unmanage_price(price_id=price_id, actor=self.actor, now=now)
        else:
            services.manage_price(price_id=price_id, group=group, actor=self.actor, now=now)
            still = price_group(price_id)
        if self.as_json:
            self.print_json({"price_id": price_id, "group": still})
        self.say(f"Price {price_id} is {f'managed as {still}' if still else 'no longer managed'}.")
        if still and still != group:
            self.say("The settings say so: TENANTRY_RECURRING_PRICES, TENANTRY_METERED_PRICES.")
