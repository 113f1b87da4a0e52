"""A tenant as commands and pages show it."""

from typing import Any

from apps.lifecycle.difference import Difference
from apps.plans import selectors as plans
from apps.tenants import links
from apps.tenants import services as tenants
from apps.tenants.models import Domain, Tenant


def summary(tenant: Tenant) -> dict[str, Any]:
    """One tenant as JSON. `plan` is null without one, a limit null where it is unlimited."""
    administrator = tenants.first_administrator(tenant) if tenant.first_administrator else None
    refs = list(dict.fromkeys(plan.ref for plan in plans.held_plans(tenant)))
    primary = Domain.objects.filter(tenant=tenant, is_primary=True).first()
    return {
        "tenant_id": tenant.tenant_id,
        "name": tenant.name,
        "state": tenant.state,
        "state_description": tenant.state_description,
        "provisioning": tenant.provisioning,
        "schema": tenant.schema_name,
        "plan": " + ".join(refs) or None,
        "limits": {each.entity: each.limit for each in plans.limits(tenant)},
        "host": primary.domain if primary else links.default_host(tenant.tenant_id),
        "customer": tenant.stripe_customer_id or None,
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
