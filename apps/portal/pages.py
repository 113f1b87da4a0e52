"""What the settings pages show, as data."""

from dataclasses import dataclass
from datetime import datetime

from apps.audit.models import Entry
from apps.plans import selectors as plans
from apps.plans.types import EntityLimit, HeldPlan
from apps.tenants.models import Tenant


@dataclass(frozen=True)
class PlanPage:
    """The first settings page. `since` None: it is not known when the tenant came into its state."""

    tenant: Tenant
    host: str
    since: datetime | None
    plans: tuple[HeldPlan, ...]
    limits: tuple[EntityLimit, ...]


def plan_page(*, tenant: Tenant, host: str) -> PlanPage:
    """What a tenant holds now, and what that limits."""
    return PlanPage(
        tenant=tenant,
        host=host,
        since=_in_state_since(tenant),
        plans=plans.held_plans(tenant),
        limits=plans.limits(tenant),
    )


def _in_state_since(tenant: Tenant) -> datetime | None:
    moves = Entry.objects.filter(subject=tenant.subject, action="tenant.state_changed", after__state=tenant.state)
    # A move to the same state only told another reason for it.
    return moves.exclude(before__state=tenant.state).values_list("at", flat=True).first()
