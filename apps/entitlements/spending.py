"""Spending credits on actions: one call that both charges and tells."""

from dataclasses import dataclass
from datetime import datetime

from django.db import transaction

from apps.core.actors import Actor
from apps.core.keys import own_key
from apps.credits import selectors, services
from apps.credits.types import CreditType, Outcome, Spent
from apps.entitlements import booking, failing
from apps.entitlements.asking import described, held_since, quantity, refused, why_not
from apps.entitlements.decisions import Decision, Reason
from apps.entitlements.measuring import plan_credits
from apps.entitlements.snapshot import Held, snapshot_of
from apps.tenants.models import Tenant


@dataclass(frozen=True)
class _Order:
    """Who wants to do what, so many times, and when."""

    tenant: Tenant
    kind: CreditType
    times: int
    actor: Actor
    object_ref: str
    key: str | None
    now: datetime

    @property
    def cost(self) -> int:
        return self.kind.amount * self.times


def spend(
    *,
    tenant: Tenant,
    credit_type: str,
    times: int = 1,
    actor: Actor,
    object_ref: str = "",
    idempotency_key: str | None = None,
    now: datetime,
) -> Decision:
    """Pay for an action with credits, and book its usage unit where it has one: both, or neither.

    As SaasRock's `CreditsServer.create` and `getPlanFeatureUsage` in one: what the action
    costs is the credit type's, `object_ref` links to what was made. In the answer `used`
    and `limit` are those of the wallet, and `remaining` is its balance. The same
    idempotency key gives the answer of the first call and charges nothing more; a call
    that was refused has charged nothing, and may be accepted later.

    Raises:
        UnknownCreditType: when there is no such type.
        InvalidRequest: when `times` is no whole number from 1.
        IdempotencyKeyReused: when the key belongs to another call.
    """
    kind = selectors.credit_type(credit_type)
    order = _Order(tenant, kind, quantity(credit_type, times, least=1), actor, object_ref, idempotency_key, now)
    try:
        return _carried_out(order)
    except failing.UNANSWERED as error:
        return failing.answer(tenant=tenant, feature=kind.feature, requested=order.cost, error=error)


def _carried_out(order: _Order) -> Decision:
    wallet = order.kind.feature
    snapshot = snapshot_of(order.tenant, now=order.now)
    held = snapshot.features.get(wallet) or held_since(order.tenant, wallet, now=order.now)
    reason = why_not(order.tenant, snapshot, held)
    if held is None:
        return refused(reason or Reason.FEATURE_NOT_FOUND, wallet, held, requested=order.cost)
    if reason is not None:
        # What was charged under this key before is answered as it was.
        spent = _spent(order, held, closed=True) if order.key is not None else None
        return _told(order, held, spent) if spent and spent.operation_id else _refused(reason, order, held)
    return _with_usage(order, held) if order.kind.usage_feature else _charged(order, held)


def _with_usage(order: _Order, held: Held) -> Decision:
    with transaction.atomic():
        used = booking.consume(
            tenant=order.tenant,
            feature=order.kind.usage_feature,
            amount=order.times,
            idempotency_key=None if order.key is None else own_key("usage", order.key),
            actor=order.actor,
            now=order.now,
        )
        if not used.has_access:
            return used
        charged = _charged(order, held)
        if not charged.has_access:
            # Only what was booked here: the caller's transaction goes on.
            transaction.set_rollback(True)
        return charged


def _refused(reason: Reason, order: _Order, held: Held) -> Decision:
    return refused(reason, order.kind.feature, held, requested=order.cost)


def _charged(order: _Order, held: Held) -> Decision:
    return _told(order, held, _spent(order, held))


def _told(order: _Order, held: Held, spent: Spent) -> Decision:
    return decision_of(held, spent, requested=order.cost, now=order.now)


def _spent(order: _Order, held: Held, *, closed: bool = False) -> Spent:
    return services.spend(
        tenant=order.tenant,
        feature=order.kind.feature,
        amount=order.cost,
        credit_type=order.kind.value,
        object_ref=order.object_ref,
        key=order.key,
        actor=order.actor,
        plan=plan_credits(held),
        times=order.times,
        closed=closed,
        now=order.now,
    )


def decision_of(held: Held, spent: Spent, *, requested: int, now: datetime) -> Decision:
    """What came of charging a wallet, as a decision."""
    is_refused = spent.outcome == Outcome.REFUSED
    accepted = Reason.WITHIN_LIMIT if spent.balance >= 0 else Reason.OVER_SOFT_LIMIT
    return described(
        held,
        Reason.INSUFFICIENT_CREDITS if is_refused else accepted,
        requested=requested,
        used=spent.used,
        limit=spent.limit,
        soft=held.entitlement.granted and held.entitlement.soft,
        resets_at=held.recurrence.period_at(now).ends,
    )
