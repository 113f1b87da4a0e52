"""What a tenant has used of what is metered, over time."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from apps.core.periods import FOREVER, Recurrence, Unit, add_months
from apps.entitlements.metering import Meter, meters
from apps.entitlements.snapshot import snapshot_of
from apps.plans.terms import Kind
from apps.portal.pages.charts import Chart, chart_of, step_for
from apps.portal.pages.people import names_of
from apps.tenants.models import Tenant
from apps.usage import selectors as usage
from apps.usage.models import Crossing, UsageEvent
from apps.usage.services.usable import FURTHEST_AHEAD
from apps.usage.types import Cursor

PAGE_SIZE = 20
MOST_CROSSINGS = 20


@dataclass(frozen=True)
class Asked:
    """Which feature, over which time, and which page of its events; empty: the usual ones."""

    feature: str = ""
    span: str = ""
    after: str = ""


@dataclass(frozen=True)
class Span:
    """A time that can be looked at, half-open. `is_rolling`: it always ends with the present."""

    key: str
    label: str
    since: datetime
    until: datetime
    is_rolling: bool = False


@dataclass(frozen=True)
class EventLine:
    """One event as it is read."""

    event: UsageEvent
    who: str


@dataclass(frozen=True)
class Detail:
    """One feature looked at closely. `after` continues with older events; empty: there are none."""

    meter: Meter
    spans: tuple[Span, ...]
    span: Span
    chart: Chart
    crossings: tuple[Crossing, ...]
    events: tuple[EventLine, ...]
    after: str


@dataclass(frozen=True)
class UsagePage:
    """Everything that is metered, and one of it in detail. `detail` None: nothing is metered."""

    now: datetime
    asked: Asked
    meters: tuple[Meter, ...]
    detail: Detail | None


def usage_page(*, tenant: Tenant, asked: Asked, now: datetime) -> UsagePage:
    """What a tenant uses; the tenant's schema must have been entered."""
    metered = [each for each in meters(tenant=tenant, now=now) if each.entitlement.kind == Kind.METERED]
    found = tuple(sorted(metered, key=lambda each: each.name.lower()))
    chosen = next((each for each in found if each.feature == asked.feature), found[0] if found else None)
    return UsagePage(now, asked, found, _detail(tenant, chosen, asked, now) if chosen else None)


def _detail(tenant: Tenant, meter: Meter, asked: Asked, now: datetime) -> Detail:
    recurrence = snapshot_of(tenant, now=now).features[meter.feature].recurrence
    spans = spans_of(recurrence, now)
    span = next((each for each in spans if each.key == asked.span), spans[0])
    events = usage.events(tenant_key=tenant.pk, feature=meter.feature, after=cursor(asked.after), size=PAGE_SIZE + 1)
    return Detail(
        meter=meter,
        spans=spans,
        span=span,
        chart=_chart(tenant, meter, span, now),
        crossings=_crossings(tenant, meter.feature, span),
        events=_lines(events[:PAGE_SIZE]),
        after=_after(events),
    )


def spans_of(recurrence: Recurrence, now: datetime) -> tuple[Span, ...]:
    """The times that can be looked at of what counts in these periods; the usual one comes first."""
    month = _rolling("30d", "30 days", now - timedelta(days=30), now)
    if recurrence.unit == Unit.NEVER:
        return (month, _rolling("12m", "12 months", add_months(now, -12), now))
    if recurrence.unit == Unit.HOUR:
        return (_rolling("24h", "24 hours", now - timedelta(hours=24), now), month)
    number = recurrence.number_at(now)
    this, last = recurrence.period(number), recurrence.period(number - 1)
    return (
        Span("this", "This period", this.start, this.end),
        Span("last", "Last period", last.start, last.end),
        month,
    )


def _rolling(key: str, label: str, since: datetime, now: datetime) -> Span:
    # With what was told a little early.
    return Span(key, label, since, now + FURTHEST_AHEAD, is_rolling=True)


def _chart(tenant: Tenant, meter: Meter, span: Span, now: datetime) -> Chart:
    step = step_for(span.since, span.until)
    # The chart shows as still to come what nothing can have been told of yet.
    until = min(span.until, now + FURTHEST_AHEAD)
    buckets = usage.history(tenant_key=tenant.pk, feature=meter.feature, since=span.since, until=until, by=step)
    return chart_of(buckets, step=step, until=span.until, aggregate=meter.entitlement.aggregate)


def _crossings(tenant: Tenant, feature: str, span: Span) -> tuple[Crossing, ...]:
    found = usage.crossings(tenant_key=tenant.pk, feature=feature)
    return tuple(found.filter(at__gte=span.since, at__lt=span.until).order_by("-at", "-used")[:MOST_CROSSINGS])


def _lines(events: Sequence[UsageEvent]) -> tuple[EventLine, ...]:
    names = names_of(each.actor for each in events)
    return tuple(EventLine(each, names[each.actor]) for each in events)


def _after(events: Sequence[UsageEvent]) -> str:
    if len(events) <= PAGE_SIZE:
        return ""
    last = events[PAGE_SIZE - 1]
    return f"{last.at.isoformat()}~{last.id}"


def cursor(text: str) -> Cursor | None:
    """The place that an address names; None: the beginning, also of what nobody has written."""
    at, _, key = text.partition("~")
    try:
        moment = datetime.fromisoformat(at)
        return Cursor(moment, UUID(key)) if moment.utcoffset() is not None and moment < FOREVER else None
    except ValueError:
        return None
