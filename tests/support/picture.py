"""The whole state of the house as plain values, to compare two ways of getting there."""

from typing import Any

from apps.accounts.models import User
from apps.audit.models import Alert
from apps.core import clock
from apps.plans import selectors as plans
from apps.plans.models import Subscription
from apps.tenants import context
from apps.tenants.models import Domain, Provisioning, Tenant


def picture() -> dict[str, Any]:
    """Tenants, subscriptions and open alerts, without keys and times."""
    return {
        "tenants": {tenant.tenant_id: _tenant(tenant) for tenant in Tenant.objects.all()},
        "subscriptions": {
            each.stripe_id: (each.outcome, each.status, each.tenant and each.tenant.tenant_id)
            for each in Subscription.objects.select_related("tenant")
        },
        "alerts": sorted(Alert.objects.open().values_list("code", "subject")),
    }


def _tenant(tenant: Tenant) -> dict[str, Any]:
    return {
        "state": (tenant.state, tenant.state_description),
        "described": (tenant.name, tenant.description),
        "provisioning": (tenant.provisioning, sorted(tenant.provisioning_steps)),
        "customer": tenant.stripe_customer_id,
        "plans": sorted(
            (held.ref, held.subscription_id, held.quantity) for held in plans.held_plans(tenant, now=clock.now())
        ),
        "limits": {each.entity: each.limit for each in plans.limits(tenant, now=clock.now())},
        "hosts": sorted(Domain.objects.filter(tenant=tenant).values_list("domain", flat=True)),
        "users": _users(tenant),
    }


def _users(tenant: Tenant) -> list[tuple[str, str, str]]:
    if tenant.provisioning != Provisioning.READY:
        return []
    with context.enter(tenant):
        return sorted(User.objects.values_list("username", "email", "role"))
