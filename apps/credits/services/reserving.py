"""Setting credits aside, and what becomes of them."""

from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction

from apps.core.actors import Actor
from apps.core.errors import ReservationClosed, UnknownReservation
from apps.core.keys import own_key
from apps.credits import books
from apps.credits.amounts import refuse_unusable
from apps.credits.books import Book
from apps.credits.errors import UnusableAmount, UnusableReservation
from apps.credits.models import Reservation
from apps.credits.operations import Act
from apps.credits.services.spending import booked, refused, repeated
from apps.credits.types import HoldState, PlanCredits, Spent
from apps.tenants.models import Tenant


@transaction.atomic
def reserve(
    *,
    tenant: Tenant,
    feature: str,
    amount: int,
    credit_type: str = "",
    object_ref: str = "",
    key: str | None = None,
    actor: Actor,
    expires_at: datetime,
    plan: PlanCredits | None,
    times: int | None = None,
    closed: bool = False,
    now: datetime,
) -> Spent:
    """Set credits aside until `expires_at`, when they come back by themselves; the answer has the `reservation_id`.

    Where the plan lets the wallet be overdrawn, what is not there is not taken before it is
    confirmed. As `spend` in all else.

    Raises:
        UnusableAmount: when `amount` is not 1 to 10**15.
        UnusableReservation: when `expires_at` is not after `now`.
        IdempotencyKeyReused, UnusableKey, UnusableText: see `spend`.
    """
    refuse_unusable(amount)
    signed: dict[str, Any] = {"credit_type": credit_type, "object_ref": object_ref, "times": times}
    act = Act(tenant, feature, "reserve", amount, key, actor, now, **signed)
    book = books.lock(tenant, feature)
    if earlier := act.earlier():
        return repeated(earlier)
    wallet = book.settle(plan, now)
    if closed:
        return refused(wallet)
    if expires_at <= wallet.at:
        raise UnusableReservation(f"It would be over before it began: {expires_at:%Y-%m-%d %H:%M:%S} UTC has passed.")
    row = _reservation(act, expires_at)
    overdraft = plan is not None and plan.overdraft
    if not wallet.hold(row.id, amount, overdraft=overdraft, at=now, expires_at=expires_at):
        return refused(wallet)
    row.parts = books.parts_of(wallet.holds[row.id])
    row.save(force_insert=True)
    return booked(book, act, reservation_id=row.id)


@transaction.atomic
def confirm(
    *,
    tenant: Tenant,
    reservation_id: UUID,
    amount: int | None = None,
    actor: Actor,
    plan: PlanCredits | None,
    now: datetime,
) -> Spent:
    """Spend what was set aside, or `amount` of it; the rest comes back. A second time it answers as the first.

    What was promised is kept: what was not there when it was set aside is overdrawn now,
    also where the plan does not let the wallet be overdrawn any more.

    Raises:
        UnknownReservation: when the tenant has none of that id.
        ReservationClosed: when it was released, or ran out before `now`.
        UnusableAmount: when `amount` is not 1 to what was set aside.
        IdempotencyKeyReused: when it was confirmed with another amount.
    """
    row = _found(tenant, reservation_id)
    spent = row.amount if amount is None else amount
    refuse_unusable(spent)
    if spent > row.amount:
        raise UnusableAmount(f"{row.amount:,} are set aside; confirm at most that instead of {spent:,}.")
    act = _closing("confirm", tenant, row, spent, actor=actor, at=now)
    return _close(row, act, plan, HoldState.CONFIRMED)


@transaction.atomic
def release(*, tenant: Tenant, reservation_id: UUID, actor: Actor, plan: PlanCredits | None, now: datetime) -> Spent:
    """Give back what was set aside. A second time it answers as the first.

    Of a grant that is over by now it does not come back.

    Raises:
        UnknownReservation: when the tenant has none of that id.
        ReservationClosed: when it was confirmed, or ran out before `now`.
    """
    row = _found(tenant, reservation_id)
    return _close(row, _closing("release", tenant, row, row.amount, actor=actor, at=now), plan, HoldState.RELEASED)


def _reservation(act: Act, expires_at: datetime) -> Reservation:
    return Reservation(
        tenant_uuid=act.tenant.pk,
        feature=act.feature,
        amount=act.amount,
        reserved_at=act.at,
        expires_at=expires_at,
        **act.signed(),
    )


def _found(tenant: Tenant, reservation_id: UUID) -> Reservation:
    row = Reservation.objects.filter(tenant_uuid=tenant.pk, id=reservation_id).first()
    if row is None:
        raise UnknownReservation(f"Tenant {tenant.tenant_id!r} has no reservation {reservation_id}.")
    return row


def _closing(kind: str, tenant: Tenant, row: Reservation, amount: int, **who: Any) -> Act:
    """What closes a reservation is at the same time its own idempotency key."""
    signed: dict[str, Any] = {"credit_type": row.credit_type, "object_ref": row.object_ref}
    return Act(tenant, row.feature, kind, amount, own_key(kind, row.id), **who, **signed)


def _close(row: Reservation, act: Act, plan: PlanCredits | None, state: HoldState) -> Spent:
    book = books.lock(act.tenant, act.feature)
    if earlier := act.earlier():
        return repeated(earlier)
    _refuse_closed(book, row, plan, act.at)
    if state == HoldState.CONFIRMED:
        book.wallet.confirm(row.id, act.amount, at=act.at)
    else:
        book.wallet.release(row.id, state=state, at=act.at)
    return booked(book, act, reservation_id=row.id)


def _refuse_closed(book: Book, row: Reservation, plan: PlanCredits | None, now: datetime) -> None:
    if row.id in book.settle(plan, now).holds:
        return
    raise ReservationClosed(
        f"Nothing is set aside by the reservation {row.id} any more: it ended, or ran out at "
        f"{row.expires_at:%Y-%m-%d %H:%M:%S} UTC. Spend the credits instead."
    )
