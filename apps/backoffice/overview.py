"""What the first page of the operator's admin shows, as data."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Count

from apps.audit.models import Alert
from apps.billing import selectors as billing
from apps.billing.models import Event
from apps.tenants.models import Provisioning, State, Tenant

SHOWN = 8
# A deletion that is planned within this time is told on the first page.
SOON = timedelta(days=30)


@dataclass(frozen=True)
class StateCount:
    """How many tenants are in one state."""

    state: State
    tenants: int


@dataclass(frozen=True)
class Overview:
    """The installation at one moment."""

    states: tuple[StateCount, ...]
    failed: int
    unready: tuple[Tenant, ...]
    open_alerts: int
    alerts: tuple[Alert, ...]
    pending_events: int
    oldest_pending: Event | None
    failing_events: int
    oldest_failing: Event | None
    deleted_soon: int
    events: tuple[Event, ...]
    now: datetime


def overview(*, now: datetime) -> Overview:
    """Count and list what an operator looks at first."""
    pending = Event.objects.filter(state=Event.State.PENDING)
    failing = billing.failing_events()
    alerts = Alert.objects.open()
    unready = Tenant.objects.filter(provisioning=Provisioning.FAILED)
    return Overview(
        states=_states(),
        failed=unready.count(),
        unready=tuple(unready[:SHOWN]),
        open_alerts=alerts.count(),
        alerts=tuple(alerts[:SHOWN]),
        pending_events=pending.count(),
        oldest_pending=pending.order_by("received_at").first(),
        failing_events=failing.count(),
        oldest_failing=failing.order_by("received_at").first(),
        deleted_soon=Tenant.objects.filter(delete_at__lte=now + SOON).count(),
        events=tuple(Event.objects.all()[:SHOWN]),
        now=now,
    )


def _states() -> tuple[StateCount, ...]:
    found = Tenant.objects.order_by().values_list("state").annotate(tenants=Count("pk"))
    counts = dict(found)
    return tuple(StateCount(state=state, tenants=counts.get(state, 0)) for state in State)
