"""What the operator sees of what a tenant has used, as data."""

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.http import Http404

from apps.backoffice.chart import Chart, chart_of
from apps.backoffice.tenant_view import TenantView
from apps.core.periods import ALWAYS, Period, Unit, add_months
from apps.entitlements.measuring import is_live
from apps.entitlements.metering import Meter, meters
from apps.entitlements.snapshot import Held, snapshot_of
from apps.plans.terms import Kind
from apps.tenants.models import Tenant
from apps.usage import selectors as usage
from apps.usage.models import Crossing, UsageEvent
from apps.usage.services.correcting import CORRECTABLE
from apps.usage.types import Cursor

SIZE = 25
SHOWN_CROSSINGS = 10
# What is shorter than this is told hour by hour, what is longer than that month by month.
HOURLY = timedelta(days=3)
DAILY = timedelta(days=100)
SPANS = {"period": "This period", "former": "The period before", "days": "Last 30 days", "months": "Last 12 months"}


@dataclass(frozen=True)
class Span:
    """Which time is shown. `key` is its name in the address."""

    key: str
    name: str
    period: Period

    @property
    def by(self) -> Unit:
        """How long each bar is."""
        length = self.period.end - self.period.start
        if self.key == "months":
            return Unit.MONTH
        return Unit.HOUR if length <= HOURLY else Unit.DAY if length <= DAILY else Unit.MONTH


@dataclass(frozen=True)
class ShownEvent:
    """An event, and whether another one has taken it back."""

    event: UsageEvent
    is_corrected: bool

    @property
    def is_correctable(self) -> bool:
        """Whether it can be taken back, and was not yet."""
        return self.event.kind in CORRECTABLE and not self.is_corrected

    @property
    def properties(self) -> str:
        """What was told besides, as JSON; of a correction its reason is told apart."""
        told = {name: value for name, value in self.event.properties.items() if name != "reason" or not self.reason}
        return json.dumps(told, ensure_ascii=False) if told else ""

    @property
    def reason(self) -> str:
        """Why another event was corrected by this one."""
        return str(self.event.properties.get("reason", "")) if self.event.kind == UsageEvent.Kind.CORRECT else ""


@dataclass(frozen=True)
class UsagePage:
    """What is booked of a tenant's usage, and of the chosen feature everything; `chosen` None: nothing is booked."""

    meters: tuple[Meter, ...]
    chosen: Meter | None
    spans: tuple[Span, ...] = ()
    span: Span | None = None
    chart: Chart | None = None
    events: tuple[ShownEvent, ...] = ()
    after: str = ""
    is_first: bool = True
    crossings: Sequence[Crossing] = ()


def usage_page(*, tenant: Tenant, feature: str, span: str, after: str, now: datetime) -> UsagePage:
    """Gather the page; `feature` and `span` empty: the first feature, and its present period.

    Raises:
        Http404: when nothing of such a feature is booked, there is no such time, or no such place among the events.
    """
    held = snapshot_of(tenant, now=now).features
    several = tuple(each for each in meters(tenant=tenant, now=now) if _is_booked(held[each.feature]))
    chosen = _chosen(several, feature)
    if chosen is None:
        return UsagePage((), None)
    spans = _spans(held[chosen.feature], now)
    shown = _span(spans, span)
    events = usage.events(tenant_key=tenant.pk, feature=chosen.feature, after=_cursor(after), size=SIZE + 1)
    return UsagePage(
        meters=several,
        chosen=chosen,
        spans=spans,
        span=shown,
        chart=_chart(tenant, chosen, shown, now),
        events=_shown_events(tenant, events[:SIZE]),
        after=_place(events[SIZE - 1]) if len(events) > SIZE else "",
        is_first=not after,
        crossings=_crossings(tenant, chosen.feature),
    )


def _is_booked(held: Held) -> bool:
    """Whether its use stands in the books, and is not counted from rows or told as a total."""
    kind = held.entitlement.kind
    return kind == Kind.METERED or (
        kind == Kind.COUNT and not is_live(held) and not held.entitlement.unlimited_when_absent
    )


def _chosen(several: Sequence[Meter], feature: str) -> Meter | None:
    if not feature:
        return several[0] if several else None
    for each in several:
        if each.feature == feature:
            return each
    raise Http404


def _spans(held: Held, now: datetime) -> tuple[Span, ...]:
    present = held.recurrence.period_at(now)
    today = now.replace(hour=0, minute=0, second=0, microsecond=0)
    periods = {
        "days": Period(today - timedelta(days=29), today + timedelta(days=1)),
        "months": Period(add_months(today.replace(day=1), -11), add_months(today.replace(day=1), 1)),
    }
    if present != ALWAYS:
        former = held.recurrence.period_at(present.start - timedelta(microseconds=1))
        periods = {"period": present, "former": former} | periods
    return tuple(Span(key, SPANS[key], period) for key, period in periods.items())


def _span(spans: Sequence[Span], key: str) -> Span:
    if not key:
        return spans[0]
    for each in spans:
        if each.key == key:
            return each
    raise Http404


def _chart(tenant: Tenant, chosen: Meter, span: Span, now: datetime) -> Chart:
    period = span.period
    buckets = usage.history(
        tenant_key=tenant.pk, feature=chosen.feature, since=period.start, until=period.end, by=span.by
    )
    return chart_of(buckets, by=span.by, now=now, aggregate=chosen.entitlement.aggregate)


def _shown_events(tenant: Tenant, events: Sequence[UsageEvent]) -> tuple[ShownEvent, ...]:
    corrected = _corrected(tenant, [each.id for each in events])
    return tuple(ShownEvent(each, each.id in corrected) for each in events)


def _corrected(tenant: Tenant, ids: Collection[UUID]) -> set[UUID]:
    rows = UsageEvent.objects.filter(tenant_uuid=tenant.pk, corrects__in=ids)
    return {each for each in rows.values_list("corrects", flat=True) if each}


def _crossings(tenant: Tenant, feature: str) -> Sequence[Crossing]:
    """The latest ones; of what was crossed at once the highest first."""
    rows = list(usage.crossings(tenant_key=tenant.pk, feature=feature)[:SHOWN_CROSSINGS])
    return sorted(
        rows, key=lambda each: (each.at, each.threshold == Crossing.OVER, each.threshold.rjust(4)), reverse=True
    )


def _place(event: UsageEvent) -> str:
    return f"{event.at.isoformat()}_{event.id}"


def _cursor(text: str) -> Cursor | None:
    if not text:
        return None
    at, _, event_id = text.partition("_")
    try:
        place = Cursor(datetime.fromisoformat(at), UUID(event_id))
    except ValueError as error:
        raise Http404 from error
    if place.at.utcoffset() is None:
        raise Http404
    return place


class UsageView(TenantView):
    title = "Usage"
    tab = "usage"
    template_name = "backoffice/tenant_usage.html"

    def page(self) -> UsagePage:
        given = self.request.GET
        return usage_page(
            tenant=self.tenant,
            feature=given.get("feature", ""),
            span=given.get("span", ""),
            after=given.get("after", ""),
            now=self.now,
        )
