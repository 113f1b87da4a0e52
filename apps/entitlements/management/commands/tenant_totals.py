"""`tenant_totals`: how many of each entity a tenant has."""

from dataclasses import asdict
from datetime import datetime
from typing import Any

from django.core.management.base import CommandError, CommandParser

from apps.core import clock
from apps.core.commands import TenantryCommand
from apps.entitlements import selectors, services
from apps.entitlements.types import EntityTotal
from apps.tenants import selectors as tenants
from apps.tenants.models import Tenant


class Command(TenantryCommand):
    help = "Shows how many of each entity a tenant has, and sets those that the vendor's app reports."

    def add_own_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("tenant_id")
        parser.add_argument(
            "--set", action="append", default=[], metavar="ENTITY=N", dest="told", help="such as end-devices=12"
        )

    def run(self, *, tenant_id: str, told: list[str], **options: Any) -> None:
        tenant, now = tenants.by_id(tenant_id), clock.now()
        if told:
            self._set(tenant, told, now)
        totals = selectors.registry_totals(tenant=tenant, now=now)
        if self.as_json:
            self.print_json({"tenant_id": tenant_id, "totals": [asdict(each) for each in totals]})
        for each in totals:
            self.say(_line(each))

    def _set(self, tenant: Tenant, told: list[str], now: datetime) -> None:
        totals = dict(_read(each) for each in told)
        selectors.refuse_unknown(tenant=tenant, entities=list(totals))
        services.set_totals(tenant=tenant, totals=totals, actor=self.actor, now=now)


def _read(told: str) -> tuple[str, int]:
    entity, _, number = told.partition("=")
    if not (number.isascii() and number.isdigit() and len(number) <= 19):
        raise CommandError(f"--set is {told!r}, but must be an entity and a whole number, such as end-devices=12.")
    return entity, int(number)


def _line(each: EntityTotal) -> str:
    if each.as_of is None:
        return f"{each.name}: nobody tells"
    by = f" by {each.told_by}" if each.told_by else ""
    return f"{each.name}: {each.total:,} ({each.source}{by}, {each.as_of:%Y-%m-%d %H:%M} UTC)"
