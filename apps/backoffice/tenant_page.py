"""What the operator sees of one tenant, as data."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.conf import settings

from apps.audit.models import Alert
from apps.backoffice.entries import ShownEntry, latest_about
from apps.backoffice.tenant_end import End, end_of
from apps.entitlements import selectors as entitlements
from apps.entitlements.types import LimitWithTotal
from apps.lifecycle.provisioning import steps_of
from apps.plans import selectors as plans
from apps.plans.models import Allowance, PlanAssignment, Subscription
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
class ExplainedLimit:
    """A limit beside how many there are, and what each plan that the tenant holds says about it."""

    limit: LimitWithTotal
    sources: tuple[str, ...]


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
    subscriptions: Sequence[Subscription]
    alerts: Sequence[Alert]
    entries: tuple[ShownEntry, ...]


def tenant_page(*, tenant: Tenant, now: datetime) -> TenantPage:
    """Gather the page of one tenant."""
    subscriptions = tuple(tenant.subscriptions.all())
    subjects = [tenant.subject, *(f"subscription:{each.stripe_id}" for each in subscriptions)]
    return TenantPage(
        tenant=tenant,
        url=links.tenant_url(tenant),
        dashboard_url=dashboard_url(tenant.stripe_customer_id),
        hold=tenants.open_hold(tenant=tenant, now=now),
        end=end_of(tenant=tenant, now=now),
        steps=_steps(tenant),
        plans=plans.held_plans(tenant),
        limits=_explained_limits(tenant, now),
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


def _explained_limits(tenant: Tenant, now: datetime) -> tuple[ExplainedLimit, ...]:
    versions = {each.version for each in PlanAssignment.objects.filter(tenant=tenant).select_related("version__plan")}
    said = {
        (allowance.version_id, allowance.feature_id): allowance.limit
        for allowance in Allowance.objects.filter(version__in=versions)
    }
    ordered = sorted(versions, key=lambda version: version.ref)
    return tuple(
        ExplainedLimit(limit, tuple(_source(version.ref, said.get((version.pk, limit.entity))) for version in ordered))
        for limit in entitlements.limits_with_totals(tenant=tenant, now=now)
    )


def _source(ref: str, limit: int | None) -> str:
    return f"{ref}: {'not limited' if limit is None else f'{limit:,}'}"
