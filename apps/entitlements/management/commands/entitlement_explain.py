"""`entitlement_explain`: what a tenant is entitled to, and why."""

from dataclasses import asdict
from typing import Any

from django.core.management.base import CommandParser

from apps.core import clock
from apps.core.commands import TenantryCommand, moment
from apps.entitlements import selectors
from apps.plans.resolution import Considered, Entitlement
from apps.tenants import selectors as tenants


class Command(TenantryCommand):
    help = "Tells what a tenant is entitled to, and what every plan, add-on and override says about it."

    def add_own_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("tenant_id")
        parser.add_argument("feature", nargs="?", help="such as end-devices (default: all)")
        parser.add_argument(
            "--at", metavar="TIME", help="as it was, or will be, at this time, such as 2026-12-31T12:00:00Z"
        )

    def run(self, *, tenant_id: str, feature: str | None, at: str | None, **options: Any) -> None:
        then, now = moment(at, option="--at"), clock.now()
        found = selectors.explain(tenant=tenants.by_id(tenant_id), feature=feature, at=then, now=now)
        if self.as_json:
            self.print_json(
                {"tenant_id": tenant_id, "at": then or now, "entitlements": [asdict(each) for each in found]}
            )
        for each in found:
            self.say(_told(each))


def _told(entitlement: Entitlement) -> str:
    source = f" by {entitlement.source}" if entitlement.source else ""
    lines = [f"{entitlement.feature}: {entitlement.says}{source}"]
    return "\n".join([*lines, *(f"  {_line(each)}" for each in entitlement.trace)])


def _line(considered: Considered) -> str:
    until = f", until {considered.until:%Y-%m-%d %H:%M:%S} UTC" if considered.until else ""
    verb = "counts" if considered.counts else "does not count"
    return f"{considered.ref} says {considered.says}{until}: {verb}, {considered.why}"
