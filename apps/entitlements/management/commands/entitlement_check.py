"""`entitlement_check`: may this tenant do this now?"""

import json
from typing import Any

from django.core.management.base import CommandError, CommandParser

from apps.core import clock
from apps.core.commands import TenantryCommand
from apps.entitlements.asking import check
from apps.entitlements.decisions import Decision, as_document
from apps.tenants import selectors as tenants


class Command(TenantryCommand):
    help = "Tells whether a tenant may use a feature, or so much more of it, and why. Books nothing. Exit code 2: no."

    def add_own_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("tenant_id")
        parser.add_argument("feature", help="such as end-devices")
        what = parser.add_mutually_exclusive_group()
        what.add_argument("--requested", type=int, default=1, metavar="N", help="so much more of it (default: 1)")
        what.add_argument("--value", metavar="JSON", help="a value of a configuration, such as '\"eu\"'")

    def run(self, *, tenant_id: str, feature: str, requested: int, value: str | None, **options: Any) -> None:
        wanted = requested if value is None else _value(value)
        decision = check(tenant=tenants.by_id(tenant_id), feature=feature, requested=wanted, now=clock.now())
        if self.as_json:
            self.print_json({"tenant_id": tenant_id, **as_document(decision)})
        self.say(_told(decision))
        if not decision.has_access:
            raise SystemExit(2)


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise CommandError(f'--value is {text!r}, but must be JSON, such as 5 or "eu".') from error


def _told(decision: Decision) -> str:
    """A decision for a person at a terminal."""
    verdict = "yes" if decision.has_access else "no"
    lines = [f"{verdict} ({decision.reason}): {decision.message}"]
    if decision.source:
        lines.append(f"  by {decision.source}")
    if decision.resets_at:
        lines.append(f"  starts anew {decision.resets_at:%Y-%m-%d %H:%M:%S} UTC")
    return "\n".join(lines)
