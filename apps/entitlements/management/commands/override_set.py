"""`override_set`: another limit or value for one tenant."""

import json
from typing import Any

from django.core.management.base import CommandError, CommandParser

from apps.core import clock
from apps.core.commands import TenantryCommand, moment
from apps.plans import overriding
from apps.plans.resolution import Grant
from apps.plans.terms import amount_in_words
from apps.tenants import selectors as tenants


class Command(TenantryCommand):
    help = "Gives one tenant another limit or value than its plans do. That wins until it is ended or its time is up."

    def add_own_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("tenant_id")
        parser.add_argument("feature", help="such as end-devices")
        what = parser.add_mutually_exclusive_group(required=True)
        what.add_argument("--limit", type=int, metavar="N", help="a number; 0 is none at all")
        what.add_argument("--unlimited", action="store_true")
        what.add_argument("--value", metavar="JSON", help="of a configuration; true or false for a switch")
        parser.add_argument("--reason", required=True, help="for the audit and the operator's page")
        parser.add_argument("--until", metavar="TIME", help="such as 2026-12-31T12:00:00Z (default: until ended)")

    def run(self, *, tenant_id: str, feature: str, reason: str, until: str | None, **options: Any) -> None:
        made = overriding.set_override(
            tenant=tenants.by_id(tenant_id),
            feature=feature,
            grant=Grant(limit=options["limit"], value=_value(options["value"])),
            reason=reason,
            until=moment(until, option="--until"),
            actor=self.actor,
            now=clock.now(),
        )
        told = {"limit": made.limit, "value": made.value, "until": made.until, "reason": made.reason}
        if self.as_json:
            self.print_json({"tenant_id": tenant_id, "feature": feature, **told})
        ends = f" until {made.until:%Y-%m-%d %H:%M:%S} UTC" if made.until else ""
        self.say(f"{feature} of {tenant_id} is {amount_in_words(made.kind, made.limit, made.value)}{ends}.")


def _value(text: str | None) -> Any:
    if text is None:
        return None
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise CommandError(f'--value is {text!r}, but must be JSON, such as true, 5 or "large".') from error
