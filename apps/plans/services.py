"""Writes about plans: publishing a price's limits as plan versions, managing prices, holding plans."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.db.models import F

from apps.audit import services as audit
from apps.audit.services import Cause
from apps.billing import selectors as billing
from apps.billing.types import Price
from apps.core.actors import Actor
from apps.core.locks import lock_until_commit
from apps.plans import selectors
from apps.plans.metadata import LimitProblem, read_price_limits
from apps.plans.models import Allowance, Feature, ManagedPrice, Plan, PlanAssignment, PlanVersion, Subscription
from apps.tenants.models import Tenant

MALFORMED_LIMIT = "price_limit_malformed"


@dataclass(frozen=True)
class Assigned:
    """One item of a subscription and the plan version it entitles to."""

    subscription_id: str
    item_id: str
    version: PlanVersion
    quantity: int


@transaction.atomic
def publish_price(*, price_id: str, now: datetime) -> bool:
    """Make the limits of a mirrored price's metadata the newest version of its plan.

    A malformed entry publishes nothing: the last good version stays, and an alert
    names price, key and value. Tells whether there is a new version.
    """
    # Before the price is read: whoever waited here must not publish what it read before.
    lock_until_commit("plans.publish")
    price = billing.prices([price_id]).get(price_id)
    if price is None:
        return False
    reading = read_price_limits(price.metadata)
    causes = [_malformed(price, reading.problems)] if reading.problems else []
    audit.set_alerts(subject=price.subject, codes=[MALFORMED_LIMIT], causes=causes, now=now)
    return not reading.problems and _publish_if_new(price, reading.limits, now)


def _publish_if_new(price: Price, limits: Mapping[str, int], now: datetime) -> bool:
    plan = _plan_of(price)
    newest = plan.versions.order_by("-number").first()
    if newest and _limits_of(newest) == limits:
        return False
    _publish(plan=plan, number=newest.number + 1 if newest else 1, limits=limits, now=now)
    return True


def _malformed(price: Price, problems: Iterable[LimitProblem]) -> Cause:
    told = "; ".join(f"{problem.key} is {problem.value!r}, but {problem.reason}" for problem in problems)
    return Cause(
        code=MALFORMED_LIMIT,
        message=f"The metadata of price {price.id} is not usable: {told}. Its last good limits stay in force.",
        details={"price": price.id, "entries": [{"key": each.key, "value": each.value} for each in problems]},
    )


def _plan_of(price: Price) -> Plan:
    """The price's plan, under the name that the price has now."""
    name = _plan_name(price)
    plan, _ = Plan.objects.get_or_create(price_id=price.id, defaults={"key": _free_key(price), "name": name})
    if plan.name != name:
        plan.name = name
        plan.save(update_fields=["name"])
    return plan


def _plan_name(price: Price) -> str:
    return (price.nickname or price.product_name or price.id)[:250]


def _free_key(price: Price) -> str:
    """A short key in Tier's grammar, `[a-zA-Z0-9:]+`, told apart by the price where another plan has it."""
    key = re.sub(r"[^a-z0-9]", "", _plan_name(price).lower())[:60] or "price"
    if not Plan.objects.filter(key=key).exclude(price_id=price.id).exists():
        return key
    return f"{key}:{re.sub(r'[^a-zA-Z0-9]', '', price.id.removeprefix('price_'))}"


def _limits_of(version: PlanVersion) -> dict[str, int]:
    return dict(version.allowances.values_list("feature", "limit"))


def _publish(*, plan: Plan, number: int, limits: Mapping[str, int], now: datetime) -> None:
    version = PlanVersion.objects.create(plan=plan, number=number, published_at=now)
    Feature.objects.bulk_create(
        [Feature(key=entity, name=selectors.entity_name(entity)) for entity in limits], ignore_conflicts=True
    )
    Allowance.objects.bulk_create(
        [Allowance(version=version, feature_id=entity, limit=limit) for entity, limit in limits.items()]
    )


@transaction.atomic
def mark_price(*, price_id: str, group: str, actor: Actor, now: datetime) -> None:
    """Manage the subscriptions of a price from now on."""
    before = {"group": selectors.price_group(price_id)}
    ManagedPrice.objects.update_or_create(
        price_id=price_id, defaults={"group": group, "marked_by": actor.label, "marked_at": now}
    )
    audit.record(
        actor=actor, action="price.managed", subject=f"price:{price_id}", now=now, before=before, after={"group": group}
    )


@transaction.atomic
def unmark_price(*, price_id: str, actor: Actor, now: datetime) -> None:
    """Take back the mark of a price; tenants that have it keep what they have."""
    removed, _ = ManagedPrice.objects.filter(price_id=price_id).delete()
    if removed:
        audit.record(actor=actor, action="price.unmanaged", subject=f"price:{price_id}", now=now)


@transaction.atomic
def assign_plans(*, tenant: Tenant, assigned: Iterable[Assigned]) -> None:
    """Make these exactly what the tenant is entitled to, and its entitlements a version newer."""
    PlanAssignment.objects.filter(tenant=tenant).delete()
    PlanAssignment.objects.bulk_create(
        [
            PlanAssignment(
                tenant=tenant,
                subscription_id=each.subscription_id,
                item_id=each.item_id,
                version=each.version,
                quantity=each.quantity,
            )
            for each in assigned
        ]
    )
    Tenant.objects.filter(pk=tenant.pk).update(entitlements_version=F("entitlements_version") + 1)
    tenant.refresh_from_db(fields=["entitlements_version"])


def record_subscription(
    *,
    subscription_id: str,
    customer_id: str,
    status: str,
    created: datetime,
    outcome: str,
    note: str,
    tenant: Tenant | None,
    now: datetime,
) -> None:
    """Keep what was made of a subscription; its tenant is written once, and never another."""
    row, _ = Subscription.objects.update_or_create(
        stripe_id=subscription_id,
        defaults={"customer_id": customer_id, "status": status, "outcome": outcome, "note": note},
        create_defaults={
            "customer_id": customer_id,
            "status": status,
            "outcome": outcome,
            "note": note,
            "created_at": created,
            "tenant": tenant,
            "bound_at": now if tenant else None,
        },
    )
    if tenant and row.tenant_id is None:
        Subscription.objects.filter(pk=row.pk, tenant=None).update(tenant=tenant, bound_at=now)


def bury_subscriptions(*, tenant: Tenant) -> None:
    """Unbind the subscriptions of a tenant that is deleted; only its restoration binds them again."""
    Subscription.objects.filter(tenant=tenant).update(
        tenant=None, bound_at=None, former_tenant=tenant.pk, outcome=Subscription.Outcome.REFUSED, note=""
    )
    PlanAssignment.objects.filter(tenant=tenant).delete()


def restore_subscriptions(*, tenant: Tenant, now: datetime) -> None:
    """Bind the subscriptions again that a restored tenant had."""
    Subscription.objects.filter(former_tenant=tenant.pk, tenant=None).update(
        tenant=tenant, bound_at=now, former_tenant=None, outcome=Subscription.Outcome.BOUND, note=""
    )


def release_subscriptions(*, tenant: Tenant) -> None:
    """Unbind what was bound to a tenant that was never provisioned and goes to an earlier claim."""
    Subscription.objects.filter(tenant=tenant).update(
        tenant=None, bound_at=None, outcome=Subscription.Outcome.REFUSED, note=""
    )
    PlanAssignment.objects.filter(tenant=tenant).delete()
