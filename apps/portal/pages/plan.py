"""The first settings page: plan, state, limits on entities."""

from dataclasses import dataclass
from datetime import datetime

from apps.audit.models import Entry
from apps.entitlements import selectors as entitlements
from apps.entitlements.types import LimitWithTotal
from apps.plans import selectors as plans
from apps.plans.types import HeldPlan
from apps.tenants.models import Tenant


@dataclass(frozen=True)
class PlanPage:
    """The first settings page. `since` None: it is not known when the tenant came into its state."""

    tenant: Tenant
    host: str
    since: datetime | None
    plans: tuple[HeldPlan, ...]
    limits: tuple[LimitWithTotal, ...]

    @property
    def is_limited(self) -> bool:
        """Whether there is a limit on anything."""
        return any(each.limit is not None for each in self.limits)

    @property
    def has_untold(self) -> bool:
        """Whether nobody tells how many there are of something."""
        return any(each.total is None for each in self.limits)


def plan_page(*, tenant: Tenant, host: str, now: datetime) -> PlanPage:
    """What a tenant holds now, what that limits, and how much of it there is."""
    return PlanPage(
        tenant=tenant,
        host=host,
        since=_in_state_since(tenant),
        plans=plans.held_plans(tenant, now=now),
        limits=entitlements.limits_with_totals(tenant=tenant, now=now),
    )


def _in_state_since(tenant: Tenant) -> datetime | None:
    moves = Entry.objects.filter(subject=tenant.subject, action="tenant.state_changed", after__state=tenant.state)
    # A move to the same state only told another reason for it.
    return moves.exclude(before__state=tenant.state).values_list("at", flat=True).first()
