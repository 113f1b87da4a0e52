"""Setting units aside for work whose outcome is not known yet: reserve, then confirm or release.

What is neither comes back by itself when its time is up, whether or not a job runs.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from apps.core.actors import Actor
from apps.core.errors import UnknownReservation
from apps.credits import services as credits
from apps.credits.models import Reservation
from apps.credits.types import PlanCredits
from apps.entitlements import booking, spending, wallets
from apps.entitlements.asking import held_since, quantity, refused, why_not
from apps.entitlements.decisions import Decision, Reason
from apps.entitlements.measuring import ceiling_of, plan_credits, slot_of
from apps.entitlements.snapshot import Held, snapshot_of
from apps.plans.terms import Kind
from apps.tenants.models import Tenant
from apps.usage import services as usage

# Long enough for a slow job; what a dead one held comes back within the day.
ORDINARY_TIME = timedelta(hours=1)


@dataclass(frozen=True)
class Reserved:
    """What came of reserving. `reservation` is what to confirm or release; empty where it was refused."""

    decision: Decision
    reservation: str


@dataclass(frozen=True)
class _Wish:
    tenant: Tenant
    amount: int
    key: str | None
    actor: Actor
    expires_at: datetime
    now: datetime


def reserve(
    *,
    tenant: Tenant,
    feature: str,
    amount: int = 1,
    idempotency_key: str | None = None,
    actor: Actor,
    expires_at: datetime | None = None,
    now: datetime,
) -> Reserved:
    """Set so much of a feature aside, metered, counted or credits; it counts as used until it is released.

    `expires_at` is when it comes back by itself; None: in an hour.

    Raises:
        InvalidRequest, WrongKind, CountedFromModel, IdempotencyKeyReused: see `consume`.
    """
    wish = _Wish(
        tenant, quantity(feature, amount, least=1), idempotency_key, actor, expires_at or now + ORDINARY_TIME, now
    )
    snapshot = snapshot_of(tenant, now=now)
    held = snapshot.features.get(feature) or held_since(tenant, feature, now=now)
    reason = why_not(tenant, snapshot, held)
    if held is None:
        return Reserved(refused(reason or Reason.FEATURE_NOT_FOUND, feature, None, requested=amount), "")
    if held.entitlement.kind == Kind.CREDITS:
        return _reserve_credits(wish, held, reason)
    booking.refuse_what_is_not_booked(held)
    return _reserve_usage(wish, held, reason)


def _reserve_usage(wish: _Wish, held: Held, reason: Reason | None) -> Reserved:
    made, reservation = usage.reserve(
        tenant=wish.tenant,
        slot=slot_of(held, at=wish.now),
        amount=wish.amount,
        ceiling=ceiling_of(held, version=wish.tenant.entitlements_version),
        closed=reason is not None,
        key=wish.key,
        actor=wish.actor,
        expires_at=wish.expires_at,
        now=wish.now,
    )
    decision = booking.decision_of(held, reason, made, requested=wish.amount)
    return Reserved(decision, f"usage:{reservation.id}" if reservation else "")


def _reserve_credits(wish: _Wish, held: Held, reason: Reason | None) -> Reserved:
    refusal = Reserved(refused(reason, held.entitlement.feature, held, requested=wish.amount), "") if reason else None
    if refusal and wish.key is None:
        return refusal
    spent = credits.reserve(
        tenant=wish.tenant,
        feature=held.entitlement.feature,
        amount=wish.amount,
        key=wish.key,
        actor=wish.actor,
        expires_at=wish.expires_at,
        plan=plan_credits(held),
        # What was set aside under this key before is answered as it was.
        closed=refusal is not None,
        now=wish.now,
    )
    if refusal and not spent.reservation_id:
        return refusal
    decision = spending.decision_of(held, spent, requested=wish.amount, now=wish.now)
    return Reserved(decision, f"credits:{spent.reservation_id}" if spent.reservation_id else "")


def confirm(*, tenant: Tenant, reservation: str, amount: int | None = None, actor: Actor, now: datetime) -> None:
    """Use what was set aside, or a part of it: the rest comes back. Doing it again changes nothing.

    Raises:
        UnknownReservation: when this tenant has none of that name.
        ReservationClosed: when it was released, or its time was up, before.
        InvalidRequest: when the amount is no whole number from 1; release it to use nothing.
        UnusableAmount: when it is more than was set aside.
    """
    book, key = _parsed(reservation)
    if amount is not None:
        quantity(reservation, amount, least=1)
    if book == "usage":
        usage.confirm(tenant=tenant, reservation_id=key, amount=amount, actor=actor, now=now)
    else:
        plan = _plan_of(tenant, key, now)
        credits.confirm(tenant=tenant, reservation_id=key, amount=amount, actor=actor, plan=plan, now=now)


def release_reservation(*, tenant: Tenant, reservation: str, actor: Actor, now: datetime) -> None:
    """Give back what was set aside. Doing it again changes nothing.

    Raises:
        UnknownReservation, ReservationClosed: see `confirm`.
    """
    book, key = _parsed(reservation)
    if book == "usage":
        usage.release_reservation(tenant=tenant, reservation_id=key, actor=actor, now=now)
    else:
        plan = _plan_of(tenant, key, now)
        credits.release(tenant=tenant, reservation_id=key, actor=actor, plan=plan, now=now)


def _plan_of(tenant: Tenant, reservation_id: UUID, now: datetime) -> PlanCredits | None:
    row = Reservation.objects.filter(tenant_uuid=tenant.pk, id=reservation_id).first()
    return wallets.plan_of(tenant, row.feature, now=now) if row else None


def _parsed(reservation: str) -> tuple[str, UUID]:
    book, _, key = reservation.partition(":")
    try:
        if book in {"usage", "credits"}:
            return book, UUID(key)
    except ValueError:
        pass
    raise UnknownReservation(f"{reservation!r} is no reservation: it is what `reserve` has returned.")
