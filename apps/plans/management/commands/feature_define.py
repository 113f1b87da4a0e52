"""`feature_define`: something that plans can grant."""

from typing import Any

from django.core.management.base import CommandParser

from apps.core import clock
from apps.core.commands import TenantryCommand
from apps.plans import catalogue
from apps.plans.terms import Kind


class Command(TenantryCommand):
    help = "Lets there be a feature that plans can grant. Its kind is for ever."

    def add_own_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("key", metavar="FEATURE", help="such as sso")
        parser.add_argument("kind", choices=Kind.values)
        parser.add_argument("--name", default="", help="as people read it")

    def run(self, *, key: str, kind: str, name: str, **options: Any) -> None:
        made = catalogue.define_feature(key=key, kind=kind, name=name, actor=self.actor, now=clock.now())
        if self.as_json:
            self.print_json({"feature": made.key, "kind": made.kind, "name": made.name})
        self.say(f"{made.key} is a feature of the kind {made.kind}.")
