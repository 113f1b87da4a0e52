"""A tenant as commands and pages show it."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from apps.lifecycle.difference import Difference
from apps.lifecycle.drift import Drift
from apps.plans import selectors as plans
from apps.plans.types import Holding
from apps.tenants import links
from apps.tenants.models import Domain, Tenant
from apps.tenants.services import first_administrator


def summary(tenant: Tenant, *, now: datetime) -> dict[str, Any]:
    """One tenant as JSON. `plan` is null without one, a limit null where it is unlimited."""
    return summaries([tenant], now=now)[0]


def summaries(tenants: Sequence[Tenant], *, now: datetime) -> list[dict[str, Any]]:
    """Tenants as JSON; the same number of queries for one and for a thousand."""
    held = plans.holdings(tenants, now=now)
    hosts = dict(Domain.objects.filter(tenant__in=tenants, is_primary=True).values_list("tenant_id", "domain"))
    return [_summary(tenant, held[tenant.pk], hosts.get(tenant.pk, "")) for tenant in tenants]


def _summary(tenant: Tenant, held: Holding, host: str) -> dict[str, Any]:
    administrator = first_administrator(tenant) if tenant.first_administrator else None
    refs = list(dict.fromkeys(plan.ref for plan in held.plans))
    return {
        "tenant_id": tenant.tenant_id,
        "name": tenant.name,
        "state": tenant.state,
        "state_description": tenant.state_description,
        "provisioning": tenant.provisioning,
        "schema": tenant.schema_name,
        "plan": " + ".join(refs) or None,
        "limits": {each.entity: each.limit for each in held.limits},
        "host": host or links.default_host(tenant.tenant_id),
        "customer": tenant.stripe_customer_id or None,
        "delete_at": tenant.delete_at,
        "kept_because": tenant.kept_because or None,
        "admin": {"username": administrator.username, "email": administrator.email} if administrator else None,
    }


def difference_shown(found: Difference) -> dict[str, Any]:
    """A difference as JSON."""
    return {
        "tenant_id": found.tenant.tenant_id,
        "changes": [
            {"field": change.field, "before": change.before, "after": change.after} for change in found.changes
        ],
    }


def drift_shown(drift: Drift) -> dict[str, Any]:
    """What is different from Stripe as JSON; tenants as `reconcile --dry-run` has them."""
    return {
        "objects": [
            {
                "object": found.object,
                "changes": [
                    {"field": change.field, "here": change.here, "in_stripe": change.in_stripe}
                    for change in found.changes
                ],
            }
            for found in drift.objects.values()
        ],
        "tenants": [difference_shown(found) for found in drift.different],
        "errors": drift.errors,
        "unanswered": len(drift.unanswered),
    }
