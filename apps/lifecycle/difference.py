"""The difference between what a tenant is and what it should be, as data.

`reconcile` applies it, `--dry-run` prints it, the operator's preview shows it:
one computation for all.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from django.conf import settings

from apps.billing import selectors as billing
from apps.billing.types import Customer, Subscription
from apps.lifecycle import assigning, engine
from apps.lifecycle.engine import HoldInForce, Standing, Verdict
from apps.lifecycle.retention import Policy, Retention, retention
from apps.plans.metadata import CustomerTexts, TenantClaim, read_claim
from apps.plans.models import PlanAssignment
from apps.plans.models import Subscription as Binding
from apps.plans.services import Assigned
from apps.plans.terms import Cycle
from apps.tenants import selectors as tenants
from apps.tenants import services as tenant_services
from apps.tenants.models import OPEN_STATES, Provisioning, State, Tenant


@dataclass(frozen=True)
class Change:
    """One field that reconciling would change."""

    field: str
    before: Any
    after: Any

    def __str__(self) -> str:
        return f"{self.field}: {_shown(self.before)} → {_shown(self.after)}"


@dataclass(frozen=True)
class Difference:
    """Everything that reconciling would do to one tenant. Empty: it is as it should be."""

    tenant: Tenant
    changes: tuple[Change, ...]
    verdict: Verdict
    described: Mapping[str, str]
    assigned: tuple[Assigned, ...] | None
    provision: bool
    retention: Retention

    def __bool__(self) -> bool:
        return bool(self.changes)


def _shown(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(value) or "none"
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M:%S} UTC"
    return str(value) if value not in ("", None) else "none"


def difference(tenant: Tenant, *, now: datetime) -> Difference:
    """Compare a tenant with what the mirror, the catalogue, its hold and the clock say. Reads only."""
    subscriptions = billing.subscriptions(Binding.objects.filter(tenant=tenant).values_list("stripe_id", flat=True))
    judged = _verdict(tenant, subscriptions, now)
    described = _described(tenant, subscriptions, now)
    assigned = assigning.assigned(tenant, judged)
    provision = judged.state in OPEN_STATES and _is_wanting(tenant)
    kept = _retention(tenant, judged, given=notices_given(tenant), now=now)
    changes = (
        *_field_changes(tenant, judged, described),
        *_plan_changes(tenant, assigned),
        *(_provisioning_changes(tenant) if provision else ()),
        *_retention_changes(tenant, kept),
    )
    return Difference(tenant, changes, judged, described, assigned, provision, kept)


def _is_wanting(tenant: Tenant) -> bool:
    return not is_complete(tenant) and tenant.provisioning != Provisioning.DELETING


def _retention_changes(tenant: Tenant, kept: Retention) -> list[Change]:
    if tenant.delete_at == kept.delete_at or tenant.provisioning == Provisioning.DELETING:
        return []
    return [Change("delete_at", tenant.delete_at, kept.delete_at)]


def _retention(tenant: Tenant, judged: Verdict, *, given: Mapping[int, datetime], now: datetime) -> Retention:
    if tenant.kept_because or tenant.provisioning == Provisioning.DELETING:
        return Retention()
    policy = Policy(days=settings.TENANTRY_RETENTION_DAYS, notices=settings.TENANTRY_RETENTION_NOTICES)
    frozen_at = _frozen_at(tenant)
    found = retention(judged.ended_at, policy=policy, given=given, now=frozen_at or now)
    # On a test clock time passes by Stripe's events, not by itself.
    return replace(found, next_at=None) if frozen_at else found


def time_of(tenant: Tenant, *, now: datetime) -> datetime:
    """What time it is for a tenant: the frozen one of its customer's test clock, else the real one."""
    return _frozen_at(tenant) or now


def _frozen_at(tenant: Tenant) -> datetime | None:
    customer = billing.customer(tenant.stripe_customer_id)
    return customer.frozen_at if customer else None


def retention_with(tenant: Tenant, judged: Verdict, *, days: int, now: datetime) -> Retention:
    """As it will be once the notice of so many days has been given now."""
    given = {**notices_given(tenant), days: time_of(tenant, now=now)}
    return _retention(tenant, judged, given=given, now=now)


def notices_given(tenant: Tenant) -> dict[int, datetime]:
    """When the tenant was told that its data will be deleted, by the days that it had left."""
    return {int(days): datetime.fromisoformat(at) for days, at in tenant.notices.items()}


def _provisioning_changes(tenant: Tenant) -> tuple[Change, ...]:
    if tenant.provisioning == Provisioning.READY:
        return (Change("welcome", "not sent", "sent"),)
    return (Change("provisioning", tenant.provisioning, Provisioning.READY.value),)


def is_complete(tenant: Tenant) -> bool:
    """Whether nothing is missing of the tenant's provisioning, the welcome included."""
    return tenant.provisioning == Provisioning.READY and "welcome" in tenant.provisioning_steps


def _verdict(tenant: Tenant, subscriptions: tuple[Subscription, ...], now: datetime) -> Verdict:
    return engine.verdict(
        _standings(tenant, subscriptions, now),
        hold=_hold_in_force(tenant, now),
        has_billing=bool(tenant.stripe_customer_id),
        has_lived=tenant.provisioning == Provisioning.READY,
        now=now,
    )


def _standings(tenant: Tenant, subscriptions: tuple[Subscription, ...], now: datetime) -> list[Standing]:
    overdue = _overdue_since(subscriptions)
    frozen_at = _frozen_at(tenant)
    standings = [
        engine.standing(
            each,
            overdue_since=overdue.get(each.id),
            past_due_days=settings.TENANTRY_PAST_DUE_DAYS,
            now=frozen_at or now,
        )
        for each in subscriptions
    ]
    # On a test clock time passes by Stripe's events, not by itself.
    return [replace(each, until=None) if frozen_at else each for each in standings if each]


def _overdue_since(subscriptions: tuple[Subscription, ...]) -> dict[str, datetime]:
    """Since when each subscription's payment is due: of its open invoices the one that was due first counts."""
    since: dict[str, datetime] = {}
    for invoice in billing.open_invoices(each.id for each in subscriptions if each.status == "past_due"):
        known = since.get(invoice.subscription_id)
        since[invoice.subscription_id] = min(known, invoice.due_since) if known else invoice.due_since
    return since


def _hold_in_force(tenant: Tenant, now: datetime) -> HoldInForce | None:
    hold = tenants.open_hold(tenant=tenant, now=now)
    return HoldInForce(State(hold.state), hold.reason, hold.until) if hold else None


def _described(tenant: Tenant, subscriptions: tuple[Subscription, ...], now: datetime) -> dict[str, str]:
    """Name and description as Stripe has them, in full length; the tenant's own where Stripe has no say."""
    leading = _leading(subscriptions, time_of(tenant, now=now))
    customer = billing.customer(leading.customer_id) if leading else None
    if tenant.described_by_operator or leading is None or customer is None:
        return {"name": tenant.name, "description": tenant.description}
    claim = _claim_of(leading, customer)
    return {"name": claim.name, "description": claim.description}


def _leading(subscriptions: tuple[Subscription, ...], now: datetime) -> Subscription | None:
    """The one whose metadata describes the tenant: it carries a tenant-id, it is best off, it is newest.

    A new subscription without metadata does not take the name away that an ended one gave.
    """

    def order(each: Subscription) -> tuple[bool, int, datetime, str]:
        standing = engine.standing(each, overdue_since=None, past_due_days=settings.TENANTRY_PAST_DUE_DAYS, now=now)
        rank = standing.rank if standing else -1
        return bool(each.metadata.get("tenant-id")), rank, each.created, each.id

    return max(subscriptions, key=order, default=None)


def _claim_of(subscription: Subscription, customer: Customer) -> TenantClaim:
    texts = CustomerTexts(name=customer.name, description=customer.description, email=customer.email)
    return read_claim(subscription.metadata, texts)


def _field_changes(tenant: Tenant, judged: Verdict, described: Mapping[str, str]) -> list[Change]:
    wanted = tenant_services.described_as(name=described["name"], description=described["description"])
    description = judged.description[: Tenant.STATE_DESCRIPTION_MAX_LENGTH]
    pairs = [
        ("state", tenant.state, judged.state.value),
        ("state_description", tenant.state_description, description),
        ("name", tenant.name, wanted["name"]),
        ("description", tenant.description, wanted["description"]),
    ]
    return [Change(field, before, after) for field, before, after in pairs if before != after]


def _plan_changes(tenant: Tenant, assigned: tuple[Assigned, ...] | None) -> list[Change]:
    if assigned is None:
        return []
    held = list(assigning.held_by(tenant))
    items = {each.item_id for each in held} & {each.item_id for each in assigned}
    pairs = [
        ("plans", sorted(map(_line, held)), sorted(map(_line, assigned))),
        ("billing_cycles", _cycles(held, items), _cycles(assigned, items)),
    ]
    return [Change(field, before, after) for field, before, after in pairs if before != after]


def _line(each: PlanAssignment | Assigned) -> str:
    return f"{each.quantity} × {each.version.ref} by {each.item_id}"


def _cycles(several: Iterable[PlanAssignment | Assigned], items: set[str]) -> list[str]:
    """The billing cycles of these items; those of one that comes or goes are told with it."""
    return sorted(f"{each.item_id} {_cycle(each.cycle)}" for each in several if each.item_id in items and each.cycle)


def _cycle(cycle: Cycle) -> str:
    every = cycle.unit.value if cycle.count == 1 else f"{cycle.count} {cycle.unit.value}s"
    return f"every {every} from {cycle.anchor:%Y-%m-%d %H:%M:%S} UTC"
