"""`plan_publish`: a plan that needs no price in Stripe."""

from typing import Any

from django.core.management.base import CommandError, CommandParser

from apps.core import clock
from apps.core.commands import TenantryCommand
from apps.plans import catalogue, selectors
from apps.plans.grants import read_grant, write_grant
from apps.plans.models import PlanVersion
from apps.plans.resolution import Grant


class Command(TenantryCommand):
    help = "Publishes a plan without a price in Stripe, such as a free one. What it does not name it does not grant."

    def add_own_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("key", metavar="PLAN", help="such as free")
        parser.add_argument("--name", default="", help="as people read it")
        parser.add_argument(
            "--grant",
            action="append",
            default=[],
            metavar="FEATURE=WHAT",
            help="such as gateways=5, calls=1000/month, sso=on, or JSON for a configuration; with terms behind it: "
            "'calls=1000/month;soft;calendar;warn=50+80+100;open;freeze', 'tokens=50/month;rollover=0..500'",
        )
        parser.add_argument("--add-on", action="store_true", help="it is added on top of the tenant's plan")
        parser.add_argument("--default", action="store_true", help="every tenant without a plan of its own gets it")

    def run(self, *, key: str, name: str, grant: list[str], **options: Any) -> None:
        now, grants = clock.now(), _read_all(grant)
        version = catalogue.publish_plan(
            key=key, name=name, grants=grants, add_on=options["add_on"], actor=self.actor, now=now
        )
        if options["default"]:
            catalogue.set_default_plan(key=key, actor=self.actor, now=now)
        if self.as_json:
            published = {"plan": version.ref, "published_at": version.published_at, "features": sorted(grants)}
            self.print_json({**published, "grants": _written(version)})
        self.say(f"{version.ref} is published{' and is the default plan' if options['default'] else ''}.")
        for feature, what in _written(version).items():
            self.say(f"  {feature}={what}")


def _written(version: PlanVersion) -> dict[str, str]:
    """What it grants, as it is read."""
    grants = catalogue.grants_of(version)
    return {key: write_grant(selectors.feature(key), grants[key]) for key in sorted(grants)}


def _read_all(told: list[str]) -> dict[str, Grant]:
    grants: dict[str, Grant] = {}
    for each in told:
        key, granted = _read(each)
        if key in grants:
            raise CommandError(f"--grant {each!r} is the second for {key}: a plan grants a feature once.")
        grants[key] = granted
    return grants


def _read(told: str) -> tuple[str, Grant]:
    key, equals, what = told.partition("=")
    if not equals:
        raise CommandError(f"--grant is {told!r}, but must be a feature and what is granted, such as gateways=5.")
    return key, read_grant(selectors.feature(key), what)
