"""Writes about plans: publishing a price's limits as plan versions, managing prices, holding plans.

Plans without a price are published by `catalogue`; exceptions for one tenant are made by `overriding`.
"""

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime

from django.db import DataError, IntegrityError, transaction
from django.db.models import F
from django.db.models.functions import Greatest

from apps.audit import services as audit
from apps.audit.services import Cause
from apps.billing import selectors as billing
from apps.billing.types import Price
from apps.core.actors import Actor
from apps.core.locks import lock_until_commit
from apps.plans import catalogue, renewing, selectors
from apps.plans.gathering import features
from apps.plans.metadata import ADD_ON_KEY, GRANT_PREFIX, LIMIT_PREFIX, LimitProblem, entity_name
from apps.plans.models import DefaultPlan, Feature, ManagedPrice, Plan, PlanAssignment, PlanVersion, Subscription
from apps.plans.offers import Offer, read_offer
from apps.plans.resolution import Grantable
from apps.plans.terms import Cycle
from apps.tenants.models import Tenant

MALFORMED_LIMIT = "price_limit_malformed"


@dataclass(frozen=True)
class Assigned:
    """One item of a subscription and the plan version it entitles to."""

    subscription_id: str
    item_id: str
    version: PlanVersion
    quantity: int
    cycle: Cycle | None = None


@transaction.atomic
def publish_price(*, price_id: str, now: datetime) -> bool:
    """Make what a mirrored price's metadata grants the newest version of its plan.

    A malformed entry publishes nothing: the last good version stays, and an alert
    names price, key, value and reason. So does anything that the database refuses.
    Tells whether there is a new version.
    """
    # Before price and features are read: whoever waited here must not publish what they were before.
    lock_until_commit("plans.publish")
    price = billing.prices([price_id]).get(price_id)
    if price is None:
        return False
    known = features()
    offer = read_offer(price.metadata, known)
    problems, is_new = [*offer.problems, *_default_as_add_on(price, offer)], False
    if not problems:
        try:
            is_new = _publish(price, offer, known, now=now)
        except (IntegrityError, DataError) as error:
            problems.append(_refused(price, error))
    causes = [_malformed(price, problems)] if problems else []
    audit.set_alerts(subject=price.subject, codes=[MALFORMED_LIMIT], causes=causes, now=now)
    return is_new


def _default_as_add_on(price: Price, offer: Offer) -> list[LimitProblem]:
    """Every tenant without a plan has the default one, which cannot be an addition to a plan."""
    if not offer.add_on or not DefaultPlan.objects.present().filter(plan__price_id=price.id).exists():
        return []
    reason = "its plan is the default plan, which cannot be an add-on: choose another default plan first"
    return [LimitProblem(ADD_ON_KEY, price.metadata[ADD_ON_KEY], reason)]


# In a savepoint: one price that the database refuses must not keep a whole customer from being followed.
@transaction.atomic
def _publish(price: Price, offer: Offer, known: Mapping[str, Grantable], *, now: datetime) -> bool:
    _ensure_entities(offer.grants.keys() - known.keys(), now=now)
    _, is_new = catalogue.publish_version(plan=_plan_of(price), grants=offer.grants, add_on=offer.add_on, now=now)
    return is_new


def _refused(price: Price, error: Exception) -> LimitProblem:
    keys = [each for each in sorted(price.metadata) if each.startswith((LIMIT_PREFIX, GRANT_PREFIX))]
    granted = ", ".join(f"{each}={price.metadata[each]}" for each in keys)
    return LimitProblem("the whole of it", granted, f"the database refuses that: {str(error).splitlines()[0]}")


def _ensure_entities(new: Collection[str], *, now: datetime) -> None:
    """What is limited for the first time becomes a feature by it; other prices may have waited for that."""
    if not new:
        return
    rows = [Feature(key=each, name=entity_name(each), unlimited_when_absent=True) for each in sorted(new)]
    Feature.objects.bulk_create(rows, ignore_conflicts=True)
    catalogue.judge_prices_again(new, now=now)
    # To them alone what no plan names is not unlimited, so that these have to be told that there is more to grant.
    for tenant in _holders_of_add_ons_alone():
        renewing.renew(tenant, now=now)


def _holders_of_add_ons_alone() -> Iterable[Tenant]:
    """In the order in which tenants are locked."""
    held = PlanAssignment.objects.present()
    add_ons, plans = (held.filter(version__add_on=each).values("tenant") for each in (True, False))
    return Tenant.objects.filter(pk__in=add_ons).exclude(pk__in=plans).order_by("pk")


def _malformed(price: Price, problems: Iterable[LimitProblem]) -> Cause:
    told = "; ".join(f"{problem.key} is {problem.value!r}, but {problem.reason}" for problem in problems)
    return Cause(
        code=MALFORMED_LIMIT,
        message=f"The metadata of price {price.id} is not usable: {told}. Its last good limits stay in force.",
        details={"price": price.id, "entries": [asdict(each) for each in problems]},
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
def assign_plans(*, tenant: Tenant, assigned: Iterable[Assigned], now: datetime) -> None:
    """Make these exactly what the tenant is entitled to, and its entitlements a version newer.

    What it held before, and holds no more, is kept as past.
    """
    wanted = {each.item_id: each for each in assigned}
    with renewing.change(tenant, now=now):
        present = {each.item_id: each for each in PlanAssignment.objects.present().filter(tenant=tenant)}
        kept = {item for item, row in present.items() if item in wanted and _is_as(row, wanted[item])}
        _end([row for item, row in present.items() if item not in kept], now=now)
        PlanAssignment.objects.bulk_create(
            [_assignment(tenant, each, now) for item, each in wanted.items() if item not in kept]
        )


def _is_as(row: PlanAssignment, wanted: Assigned) -> bool:
    present = (row.subscription_id, row.version_id, row.quantity, row.cycle)
    return present == (wanted.subscription_id, wanted.version.pk, wanted.quantity, wanted.cycle)


def _assignment(tenant: Tenant, assigned: Assigned, now: datetime) -> PlanAssignment:
    return PlanAssignment(
        tenant=tenant,
        subscription_id=assigned.subscription_id,
        item_id=assigned.item_id,
        version=assigned.version,
        quantity=assigned.quantity,
        anchor_at=assigned.cycle.anchor if assigned.cycle else None,
        interval=assigned.cycle.unit.value if assigned.cycle else "",
        interval_count=assigned.cycle.count if assigned.cycle else 1,
        valid_from=now,
    )


def _end(assignments: Iterable[PlanAssignment], *, now: datetime) -> None:
    ended = PlanAssignment.objects.filter(pk__in=[each.pk for each in assignments])
    # The clocks of two machines may differ: nothing ends before it began.
    ended.update(valid_to=Greatest(now, F("valid_from")))


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


@transaction.atomic
def bury_subscriptions(*, tenant: Tenant, now: datetime) -> None:
    """Unbind the subscriptions of a tenant that is deleted; only its restoration binds them again."""
    Subscription.objects.filter(tenant=tenant).update(
        tenant=None, bound_at=None, former_tenant=tenant.pk, outcome=Subscription.Outcome.REFUSED, note=""
    )
    assign_plans(tenant=tenant, assigned=(), now=now)


def restore_subscriptions(*, tenant: Tenant, now: datetime) -> None:
    """Bind the subscriptions again that a restored tenant had."""
    Subscription.objects.filter(former_tenant=tenant.pk, tenant=None).update(
        tenant=tenant, bound_at=now, former_tenant=None, outcome=Subscription.Outcome.BOUND, note=""
    )


@transaction.atomic
def release_subscriptions(*, tenant: Tenant, now: datetime) -> None:
    """Unbind what was bound to a tenant that was never provisioned and goes to an earlier claim."""
    Subscription.objects.filter(tenant=tenant).update(
        tenant=None, bound_at=None, outcome=Subscription.Outcome.REFUSED, note=""
    )
    assign_plans(tenant=tenant, assigned=(), now=now)
