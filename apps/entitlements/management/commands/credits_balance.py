"""`credits_balance`: what a tenant has in its wallets, and of which grants."""

from dataclasses import asdict
from datetime import datetime
from typing import Any

from django.core.management.base import CommandParser

from apps.core import clock
from apps.core.commands import TenantryCommand, moment
from apps.credits.types import Balance, LiveGrant
from apps.entitlements import wallets
from apps.tenants import selectors as tenants


class Command(TenantryCommand):
    help = "Tells what a tenant has in its wallets of credits, grant by grant in the order in which they are spent."

    def add_own_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("tenant_id")
        parser.add_argument("--wallet", help="a feature of the kind credits (default: all the tenant has)")
        parser.add_argument("--at", metavar="TIME", help="as it will be then, should nothing be spent or given")

    def run(self, *, tenant_id: str, wallet: str | None, at: str | None, **options: Any) -> None:
        tenant, now = tenants.by_id(tenant_id), moment(at, option="--at") or clock.now()
        names = [wallet] if wallet else [each.entitlement.feature for each in wallets.wallets(tenant=tenant, now=now)]
        found = {each: wallets.balance(tenant=tenant, feature=each, now=now) for each in names}
        if self.as_json:
            told = {name: asdict(balance) for name, balance in found.items()}
            self.print_json({"tenant_id": tenant_id, "at": now, "wallets": told})
        self.say("\n".join(_told(name, balance) for name, balance in found.items()) or f"{tenant_id} has no wallet.")


def _told(name: str, balance: Balance) -> str:
    held = f", {balance.held:,} set aside" if balance.held else ""
    lines = [f"{name}: {balance.amount:,} of {balance.limit:,} left{held}"]
    lines += [f"  {_line(each)}" for each in balance.grants]
    if balance.next_grant_at:
        lines.append(f"  the plan gives again {_moment(balance.next_grant_at)}")
    return "\n".join(lines)


def _line(grant: LiveGrant) -> str:
    begins = f", from {_moment(grant.effective_at)}" if grant.is_scheduled else ""
    ends = f", until {_moment(grant.expires_at)}" if grant.expires_at else ""
    return f"{grant.id}  {grant.remaining:,} of {grant.amount:,} {grant.category}{begins}{ends}: {grant.reason or '–'}"


def _moment(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC"
