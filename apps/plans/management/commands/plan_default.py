"""`plan_default`: the plan of every tenant that holds none of its own."""

from typing import Any

from django.core.management.base import CommandParser

from apps.core import clock
from apps.core.commands import TenantryCommand
from apps.plans import catalogue


class Command(TenantryCommand):
    help = "Gives a plan to every tenant that holds none of its own, or with --none no longer gives one."

    def add_own_arguments(self, parser: CommandParser) -> None:
        which = parser.add_mutually_exclusive_group(required=True)
        which.add_argument("key", nargs="?", metavar="PLAN", help="such as free")
        which.add_argument("--none", action="store_true", help="whoever holds no plan gets none")

    def run(self, *, key: str | None, **options: Any) -> None:
        catalogue.set_default_plan(key=key, actor=self.actor, now=clock.now())
        if self.as_json:
            self.print_json({"default_plan": key})
        self.say(f"The default plan is {f'plan:{key}' if key else 'none'}.")
