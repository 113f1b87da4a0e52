"""A tenant's wallets of credits, with what its plan gives them: what people do to them, and see of them."""

from datetime import datetime
from uuid import UUID

from apps.core.actors import Actor
from apps.credits import selectors, services
from apps.credits.models import Account, Grant
from apps.credits.types import Balance, Category, Granted, PlanCredits
from apps.entitlements.errors import WrongKind
from apps.entitlements.measuring import plan_credits
from apps.entitlements.snapshot import Held, snapshot_of
from apps.plans import selectors as plans
from apps.plans.terms import Kind
from apps.tenants.models import Tenant


def wallets(*, tenant: Tenant, now: datetime) -> tuple[Held, ...]:
    """The tenant's wallets: what its plans give credits of, and what it has an account of besides."""
    credits = [each for each in snapshot_of(tenant, now=now).features.values() if each.entitlement.kind == Kind.CREDITS]
    opened = set(Account.objects.filter(tenant_uuid=tenant.pk).values_list("feature", flat=True))
    return tuple(each for each in credits if each.entitlement.granted or each.entitlement.feature in opened)


def balance(*, tenant: Tenant, feature: str, now: datetime) -> Balance:
    """What a tenant has in a wallet.

    Raises:
        UnknownFeature, WrongKind: when it is no wallet.
    """
    return selectors.balance(tenant=tenant, feature=feature, plan=plan_of(tenant, feature, now=now), now=now)


def plan_of(tenant: Tenant, feature: str, *, now: datetime) -> PlanCredits | None:
    """What the tenant's plan gives of a wallet; None: nothing.

    Raises:
        UnknownFeature, WrongKind: when it is no wallet.
    """
    known = plans.feature(feature)
    if known.kind != Kind.CREDITS:
        raise WrongKind(f"{feature} is of the kind {known.kind}, and no wallet of credits.")
    held = snapshot_of(tenant, now=now).features.get(feature)
    return plan_credits(held) if held else None


def grant(
    *,
    tenant: Tenant,
    feature: str,
    amount: int,
    category: str = Category.MANUAL,
    priority: int,
    effective_at: datetime | None,
    expires_at: datetime | None,
    reason: str,
    key: str | None = None,
    actor: Actor,
    now: datetime,
) -> Granted:
    """Give a tenant credits; see `credits.services.grant`.

    Raises:
        UnknownFeature, WrongKind: when it is no wallet.
        UnusableAmount, UnusableGrant, IdempotencyKeyReused: see there.
    """
    return services.grant(
        tenant=tenant,
        feature=feature,
        amount=amount,
        category=category,
        priority=priority,
        effective_at=effective_at,
        expires_at=expires_at,
        reason=reason,
        key=key,
        actor=actor,
        plan=plan_of(tenant, feature, now=now),
        now=now,
    )


def adjust(
    *, tenant: Tenant, feature: str, amount: int, reason: str, key: str | None = None, actor: Actor, now: datetime
) -> Granted:
    """Correct a balance; see `credits.services.adjust`.

    Raises:
        UnknownFeature, WrongKind: when it is no wallet.
        UnusableAmount, UnusableGrant, NotEnoughCredits, IdempotencyKeyReused: see there.
    """
    plan = plan_of(tenant, feature, now=now)
    return services.adjust(
        tenant=tenant, feature=feature, amount=amount, reason=reason, key=key, actor=actor, plan=plan, now=now
    )


def void(*, tenant: Tenant, grant_id: UUID, reason: str, actor: Actor, now: datetime) -> Granted:
    """Take back what is left of a grant; see `credits.services.void`.

    Raises:
        UnknownGrant, NothingLeft, UnusableGrant: see there.
    """
    plan = _plan_of_grant(tenant, grant_id, now)
    return services.void(tenant=tenant, grant_id=grant_id, reason=reason, actor=actor, plan=plan, now=now)


def expire(*, tenant: Tenant, grant_id: UUID, reason: str, actor: Actor, now: datetime) -> Granted:
    """Let a grant expire now instead of later; see `credits.services.expire`.

    Raises:
        UnknownGrant, NothingLeft, UnusableGrant: see there.
    """
    plan = _plan_of_grant(tenant, grant_id, now)
    return services.expire(tenant=tenant, grant_id=grant_id, reason=reason, actor=actor, plan=plan, now=now)


def _plan_of_grant(tenant: Tenant, grant_id: UUID, now: datetime) -> PlanCredits | None:
    row = Grant.objects.filter(tenant_uuid=tenant.pk, id=grant_id).first()
    return plan_of(tenant, row.feature, now=now) if row else None
