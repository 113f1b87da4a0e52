"""What the operator sees of one tenant, as data."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.conf import settings

from apps.audit.models import Alert
from apps.backoffice.entries import ShownEntry, latest_about
from apps.backoffice.tenant_end import End, end_of
from apps.backoffice.tenant_limits import ExplainedLimit, Use, limits_and_uses
from apps.lifecycle.provisioning import steps_of
from apps.plans import selectors as plans
from apps.plans.models import Subscription
from apps.plans.types import HeldPlan
from apps.tenants import links
from apps.tenants import selectors as tenants
from apps.tenants.models import Hold, Tenant

STEP_NAMES = {
    "schema": "Schema with its tables",
    "domain": "Host name",
    "administrator": "First administrator",
    "entitlements": "Plan and limits",
    "welcome": "Welcome e-mail",
}


@dataclass(frozen=True)
class Step:
    """One step of the provisioning; `done_at` None: still to do."""

    name: str
    done_at: datetime | None


@dataclass(frozen=True)
class TenantPage:
    """Everything about one tenant that the public side knows."""

    tenant: Tenant
    url: str
    dashboard_url: str
    hold: Hold | None
    end: End
    steps: tuple[Step, ...]
    plans: tuple[HeldPlan, ...]
    limits: tuple[ExplainedLimit, ...]
    uses: tuple[Use, ...]
    subscriptions: Sequence[Subscription]
    alerts: Sequence[Alert]
    entries: tuple[ShownEntry, ...]


def tenant_page(*, tenant: Tenant, now: datetime) -> TenantPage:
    """Gather the page of one tenant."""
    subscriptions = tuple(tenant.subscriptions.all())
    held = plans.holdings([tenant], now=now)[tenant.pk]
    limits, uses = limits_and_uses(tenant=tenant, held=held, now=now)
    subjects = [tenant.subject, *(f"subscription:{each.stripe_id}" for each in subscriptions)]
    return TenantPage(
        tenant=tenant,
        url=links.tenant_url(tenant),
        dashboard_url=dashboard_url(tenant.stripe_customer_id),
        hold=tenants.open_hold(tenant=tenant, now=now),
        end=end_of(tenant=tenant, now=now),
        steps=_steps(tenant),
        plans=held.plans,
        limits=limits,
        uses=uses,
        subscriptions=subscriptions,
        alerts=tuple(Alert.objects.open().filter(subject__in=subjects)),
        entries=latest_about(subjects),
    )


def dashboard_url(customer_id: str) -> str:
    """The customer in Stripe's dashboard; empty where there is none, as with the stand-in."""
    if settings.TENANTRY_SANDBOX or not customer_id:
        return ""
    mode = "" if settings.STRIPE_LIVE_MODE else "test/"
    return f"https://dashboard.stripe.com/{mode}customers/{customer_id}"


def _steps(tenant: Tenant) -> tuple[Step, ...]:
    return tuple(
        Step(STEP_NAMES.get(name, name), datetime.fromisoformat(done_at) if done_at else None)
        for name, done_at in steps_of(tenant).items()
    )
