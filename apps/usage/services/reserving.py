"""Setting units aside until it is known whether they are used."""

from datetime import datetime
from uuid import UUID, uuid4

from django.db import connection, transaction

from apps.core.actors import Actor
from apps.core.errors import ReservationClosed, UnknownReservation
from apps.core.periods import Period
from apps.tenants.models import Tenant
from apps.usage.errors import UnusableAmount
from apps.usage.models import ACTOR_MAX_LENGTH, GAUGES, Counter, Reservation, UsageEvent
from apps.usage.services.booking import book, not_reservable
from apps.usage.services.usable import refuse_amount, refuse_moment
from apps.usage.types import Booking, Ceiling, Slot

State = Reservation.State


def reserve(
    *,
    tenant: Tenant,
    slot: Slot,
    amount: int,
    ceiling: Ceiling,
    key: str | None,
    actor: Actor,
    expires_at: datetime,
    now: datetime,
    closed: bool = False,
) -> tuple[Booking, Reservation | None]:
    """Set `amount` aside until `expires_at`, unless that would be more than a hard ceiling allows.

    It counts as used, in the period that `now` lies in, until it is released or has run
    out: by itself, whether or not a job comes by. None: refused. `closed`: see `consume`.

    Raises:
        NotReservable: when the slot is a gauge's.
        UnusableAmount: when the amount is none, or it would run out before it begins.
        And see `consume`.
    """
    if slot.aggregate in GAUGES:
        raise not_reservable(slot)
    refuse_moment(slot, now, now)
    refuse_amount(amount)
    if expires_at <= now:
        raise UnusableAmount(f"A reservation until {expires_at.isoformat()} would be over before it began.")
    booking = book(
        tenant=tenant,
        slot=slot,
        kind=UsageEvent.Kind.HOLD,
        amount=amount,
        ceiling=ceiling,
        key=key,
        actor=actor,
        at=now,
        now=now,
        expires_at=expires_at,
        closed=closed,
    )
    if booking.event_id is None:
        return booking, None
    return booking, Reservation.objects.get(tenant_uuid=tenant.pk, id=booking.event_id)


@transaction.atomic
def confirm(
    *, tenant: Tenant, reservation_id: UUID, amount: int | None = None, actor: Actor, now: datetime
) -> Reservation:
    """Book what was set aside as used, as of when it was set aside; `amount`: less of it, and the rest comes back.

    Confirming the same again changes nothing.

    Raises:
        UnknownReservation: when the tenant has no such reservation.
        ReservationClosed: when it was released, has run out, or was confirmed with another amount.
        UnusableAmount: when the amount is none, or more than was set aside.
    """
    reservation, counter = _held(tenant, reservation_id)
    used = reservation.amount if amount is None else amount
    refuse_amount(used)
    if used > reservation.amount:
        raise UnusableAmount(f"{used:,} cannot be confirmed: {reservation.amount:,} were set aside.")
    if reservation.event_id and used == _event(tenant, reservation.event_id).amount:
        return reservation
    _refuse_closed(reservation, now)
    _book_back(reservation, counter, actor)
    told = _event(tenant, reservation.id).properties
    event = _book(reservation, counter, kind=UsageEvent.Kind.ADD, amount=used, actor=actor, properties=told)
    return _close(reservation, counter, State.CONFIRMED, event_id=event.id, now=now)


@transaction.atomic
def release_reservation(*, tenant: Tenant, reservation_id: UUID, actor: Actor, now: datetime) -> Reservation:
    """Give back what was set aside. Releasing again, or what has run out, changes nothing.

    Raises:
        UnknownReservation: when the tenant has no such reservation.
        ReservationClosed: when it was confirmed.
    """
    reservation, counter = _held(tenant, reservation_id)
    if reservation.state in {State.RELEASED, State.EXPIRED}:
        return reservation
    if reservation.state == State.CONFIRMED:
        raise _closed(reservation, "confirmed")
    _book_back(reservation, counter, actor)
    return _close(reservation, counter, State.RELEASED, now=now)


def expire_reservations(*, now: datetime) -> int:
    """Close what has run out, and tell of how many slots. Only tidies up: nothing is given or taken by it."""
    over = Reservation.objects.filter(state=State.OPEN, expires_at__lte=now).order_by()
    slots = over.values_list("tenant_uuid", "feature", "period_start", "period_end").distinct()
    for slot in sorted(slots):
        _expire(*slot, now=now)
    return len(slots)


@transaction.atomic
def _expire(tenant_key: UUID, feature: str, start: datetime, end: datetime, *, now: datetime) -> None:
    _locked_counter(tenant_key, feature, Period(start, end))
    with connection.cursor() as cursor:
        cursor.execute("SELECT usage_expire(%s, %s, %s, %s, %s)", [tenant_key, feature, start, end, now])


def _held(tenant: Tenant, reservation_id: UUID) -> tuple[Reservation, Counter]:
    """The reservation and its counter: the counter is locked first, as everywhere, and the other read behind that."""
    found = Reservation.objects.filter(tenant_uuid=tenant.pk, id=reservation_id)
    seen = found.first()
    if seen is None:
        raise UnknownReservation(f"{tenant.tenant_id!r} has no reservation {reservation_id}.")
    counter = _locked_counter(tenant.pk, seen.feature, Period(seen.period_start, seen.period_end))
    return found.get(), counter


def _locked_counter(tenant_key: UUID, feature: str, period: Period) -> Counter:
    return Counter.objects.select_for_update(no_key=True).get(
        tenant_uuid=tenant_key, feature=feature, period_start=period.start, period_end=period.end
    )


def _refuse_closed(reservation: Reservation, now: datetime) -> None:
    if reservation.state != State.OPEN:
        raise _closed(reservation, State(reservation.state).label.lower())
    if reservation.expires_at <= now:
        raise _closed(reservation, f"over at {reservation.expires_at.isoformat()}")


def _closed(reservation: Reservation, how: str) -> ReservationClosed:
    return ReservationClosed(f"Reservation {reservation.id} of {reservation.feature} is {how} already.")


def _event(tenant: Tenant, event_id: UUID) -> UsageEvent:
    return UsageEvent.objects.get(tenant_uuid=tenant.pk, id=event_id)


def _book_back(reservation: Reservation, counter: Counter, actor: Actor) -> UsageEvent:
    kind = UsageEvent.Kind.UNHOLD
    return _book(reservation, counter, kind=kind, amount=-reservation.amount, actor=actor, corrects=reservation.id)


def _book(
    reservation: Reservation, counter: Counter, *, kind: str, amount: int, actor: Actor, **more: object
) -> UsageEvent:
    counter.used += amount
    return UsageEvent.objects.create(
        id=uuid4(),
        tenant_uuid=reservation.tenant_uuid,
        feature=reservation.feature,
        period_start=reservation.period_start,
        period_end=reservation.period_end,
        kind=kind,
        amount=amount,
        at=reservation.at,
        actor=actor.label[:ACTOR_MAX_LENGTH],
        used_after=counter.used,
        limit=counter.limit,
        soft=counter.soft,
        **more,
    )


def _close(
    reservation: Reservation, counter: Counter, state: str, *, now: datetime, event_id: UUID | None = None
) -> Reservation:
    reservation.state, reservation.closed_at, reservation.event_id = state, now, event_id
    reservation.save(update_fields=["state", "closed_at", "event_id"])
    counter.updated_at = now
    counter.save(update_fields=["used", "updated_at"])
    return reservation
