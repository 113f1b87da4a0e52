"""`feature_define`: something that plans can grant."""

from typing import Any

from django.core.management.base import CommandParser

from apps.core import clock
from apps.core.commands import TenantryCommand
from apps.plans import catalogue
from apps.plans.terms import Aggregate, Kind


class Command(TenantryCommand):
    help = "Lets there be a feature that plans can grant, or gives it other words. Its kind and aggregate are for ever."

    def add_own_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("key", metavar="FEATURE", help="such as sso")
        parser.add_argument("kind", choices=Kind.values)
        parser.add_argument("--aggregate", choices=Aggregate.values, help="of what is metered; without it, the sum")
        parser.add_argument("--name", default="", help="as people read it")
        parser.add_argument("--unit", default="", help="one of it in words, such as call")
        parser.add_argument("--units", default="", help="several of it in words, such as calls")

    def run(self, *, key: str, kind: str, **options: Any) -> None:
        told = {name: options[name] for name in ("aggregate", "name", "unit", "units")}
        made = catalogue.define_feature(key=key, kind=kind, **told, actor=self.actor, now=clock.now())
        if self.as_json:
            shown = {name: getattr(made, name) for name in ("kind", "aggregate", "name", "unit", "units")}
            self.print_json({"feature": made.key, **shown})
        self.say(f"{made.key} is a feature of the kind {made.kind}.")
