"""`usage_report`: what a tenant has used, hour by hour, day by day or month by month."""

from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

from django.core.management.base import CommandError, CommandParser

from apps.core import clock
from apps.core.commands import TenantryCommand, moment
from apps.core.periods import Unit
from apps.entitlements import metering
from apps.entitlements.metering import Meter
from apps.plans import selectors as plans
from apps.tenants import selectors as tenants
from apps.usage import selectors as usage
from apps.usage.types import Bucket

ORDINARY = timedelta(days=30)


class Command(TenantryCommand):
    help = "Tells what a tenant uses of everything it may; of one feature, what it has used over time."

    def add_own_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("tenant_id")
        parser.add_argument("feature", nargs="?", help="over time, such as api-calls (default: all, as it is now)")
        parser.add_argument("--since", metavar="TIME", help="such as 2026-11-01 (default: 30 days ago)")
        parser.add_argument("--until", metavar="TIME", help="such as 2026-12-01T00:00:00Z (default: now)")
        parser.add_argument("--by", choices=[Unit.HOUR.value, Unit.DAY.value, Unit.MONTH.value], default=Unit.DAY.value)

    def run(self, *, tenant_id: str, feature: str | None, by: str, **options: Any) -> None:
        now = clock.now()
        if feature is None:
            self._tell_now(tenant_id, now)
            return
        plans.feature(feature)
        until = moment(options["until"], option="--until") or now
        since = moment(options["since"], option="--since") or until - ORDINARY
        if since >= until:
            raise CommandError(f"--since ({since:%Y-%m-%d %H:%M}) must lie before --until ({until:%Y-%m-%d %H:%M}).")
        key = tenants.by_id(tenant_id).pk
        buckets = usage.history(tenant_key=key, feature=feature, since=since, until=until, by=Unit(by))
        if self.as_json:
            told = [asdict(each) for each in buckets]
            self.print_json({"tenant_id": tenant_id, "feature": feature, "by": by, "buckets": told})
        self.say("\n".join(_line(each, by) for each in buckets))

    def _tell_now(self, tenant_id: str, now: datetime) -> None:
        found = metering.meters(tenant=tenants.by_id(tenant_id), now=now)
        numbered = [each for each in found if each.is_numbered]
        if self.as_json:
            self.print_json({"tenant_id": tenant_id, "as_of": now, "usage": [_document(each) for each in numbered]})
        self.say("\n".join(_told(each) for each in numbered) or f"{tenant_id} has nothing that is counted.")


def _line(bucket: Bucket, by: str) -> str:
    form = {"hour": "%Y-%m-%d %H:00", "day": "%Y-%m-%d", "month": "%Y-%m"}[by]
    return f"{bucket.start:{form}}  {bucket.used:>12,}"


def _document(meter: Meter) -> dict[str, Any]:
    return {
        "feature": meter.feature,
        "used": meter.used,
        "limit": meter.limit,
        "left": meter.left,
        "percent": meter.percent,
        "level": meter.level,
        "period_start": meter.period.start,
        "resets_at": meter.resets_at,
    }


def _told(meter: Meter) -> str:
    used = "–" if meter.used is None else f"{meter.used:,}"
    limit = "unlimited" if meter.limit is None else f"of {meter.limit:,}"
    level = "" if meter.level == "within" else f", {meter.level}"
    anew = f", anew {meter.resets_at:%Y-%m-%d %H:%M:%S} UTC" if meter.resets_at else ""
    return f"{meter.feature}: {used} {limit}{level}{anew}"
