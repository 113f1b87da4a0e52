"""Asking and booking in one statement."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection

from apps.core.actors import Actor
from apps.core.errors import IdempotencyKeyReused
from apps.core.periods import Period
from apps.tenants.models import Tenant
from apps.usage.errors import NotReleasable, NotReservable, UnusableAmount
from apps.usage.models import ACTOR_MAX_LENGTH, UsageEvent
from apps.usage.services.usable import as_json, refuse_amount, refuse_key, refuse_moment
from apps.usage.types import Booking, Ceiling, Outcome, Slot

_CONSUME = """
    SELECT * FROM usage_consume(
        %s, %s, %s, %s, %s,  %s, %s, %s, %s,  %s, %s, %s::int[], %s,  %s, %s, %s::jsonb, %s{more}
    )
"""
_PLAIN = _CONSUME.format(more="")
_HOLD = _CONSUME.format(more=", p_expires_at => %s")
_CORRECTION = _CONSUME.format(more=", p_corrects => %s, p_is_fact => true")
_CLOSED = _CONSUME.format(more=", p_closed => true")
_CLOSED_HOLD = _CONSUME.format(more=", p_expires_at => %s, p_closed => true")
# As in the database's functions: no counter comes to more.
MOST_ALTOGETHER = 10**18
# Says nothing about the limit: the counter keeps the one it has.
NO_CEILING = Ceiling(limit=None, version=-1)


def consume(
    *,
    tenant: Tenant,
    slot: Slot,
    amount: int,
    ceiling: Ceiling,
    key: str | None,
    actor: Actor,
    at: datetime,
    now: datetime,
    properties: Mapping[str, Any] | None = None,
    closed: bool = False,
) -> Booking:
    """Book `amount` more, used at `at`, unless that would be more than a hard ceiling allows.

    Of a gauge it raises the level. The same key again is answered as the first time, with
    the slot of then, and books nothing; what was refused has no answer that is kept, and is
    asked anew. A key stands for feature, amount and properties, whatever the moment.
    `closed`: whatever the ceiling, anything but such a repetition is refused.

    Of a gauge told late, what came after it counts too. Where a later period would exceed
    its ceiling by it, the refusal is about that one, with its numbers and its slot.

    Raises:
        IdempotencyKeyReused: when the key stands for another call.
        UnusableMoment, TooOld, TooFarAhead, OutsidePeriod: when `at` cannot be booked, or not there.
        UnusableAmount: when there cannot be so many, at once or altogether.
        UnusableKey, UnusableProperties: when one of these cannot be kept.
    """
    refuse_moment(slot, at, now)
    refuse_amount(amount)
    return book(
        tenant=tenant,
        slot=slot,
        kind=UsageEvent.Kind.ADD,
        amount=amount,
        ceiling=ceiling,
        key=key,
        actor=actor,
        at=at,
        now=now,
        properties=properties,
        closed=closed,
    )


def release(
    *, tenant: Tenant, slot: Slot, amount: int, key: str | None, actor: Actor, at: datetime, now: datetime
) -> Booking:
    """Give back `amount` of what is in use; no limit is asked.

    Raises:
        NotReleasable: when there is not as much in use. What is set aside is not.
        And see `consume`.
    """
    refuse_moment(slot, at, now)
    refuse_amount(amount)
    return book(
        tenant=tenant,
        slot=slot,
        kind=UsageEvent.Kind.RELEASE,
        amount=-amount,
        ceiling=NO_CEILING,
        key=key,
        actor=actor,
        at=at,
        now=now,
    )


def set_level(
    *,
    tenant: Tenant,
    slot: Slot,
    value: int,
    ceiling: Ceiling,
    key: str | None,
    actor: Actor,
    at: datetime,
    now: datetime,
    closed: bool = False,
) -> Booking:
    """Tell how much there is altogether, from 0.

    More than before is refused beyond a hard ceiling, less never is. Of a gauge it is the
    level at `at`, and does not replace what was told of a later moment; of what adds up
    the difference is booked. `closed`: refused even if it is less.

    Raises:
        see `consume`.
    """
    refuse_moment(slot, at, now)
    refuse_amount(value, least=0)
    return book(
        tenant=tenant,
        slot=slot,
        kind=UsageEvent.Kind.SET,
        value=value,
        ceiling=ceiling,
        key=key,
        actor=actor,
        at=at,
        now=now,
        closed=closed,
    )


def book(
    *,
    tenant: Tenant,
    slot: Slot,
    kind: str,
    ceiling: Ceiling,
    key: str | None,
    actor: Actor,
    at: datetime,
    now: datetime,
    amount: int | None = None,
    value: int | None = None,
    properties: Mapping[str, Any] | None = None,
    expires_at: datetime | None = None,
    corrects: UUID | None = None,
    closed: bool = False,
) -> Booking:
    """The one call behind everything that books a single event. A correction is a fact, which no limit refuses."""
    refuse_key(key)
    period = slot.period
    values = (
        *(tenant.pk, slot.feature, period.start, period.end, slot.aggregate),
        *(kind, amount, value, at),
        *(ceiling.limit, ceiling.soft, _as_array(ceiling.thresholds), ceiling.version),
        *(key, actor.label[:ACTOR_MAX_LENGTH], as_json(properties), now),
        *(each for each in (expires_at, corrects) if each is not None),
    )
    with connection.cursor() as cursor:
        cursor.execute(_statement(expires_at, corrects, closed), values)
        outcome, used, limit, soft, event_id, start, end = cursor.fetchone()
    if outcome not in _OUTCOMES:
        raise _problem(outcome, slot=slot, key=key, used=used)
    if (start, end) != (period.start, period.end):
        slot = replace(slot, period=Period(start, end))
    return Booking(_OUTCOMES[outcome], used, limit, soft, event_id, slot)


def _statement(expires_at: datetime | None, corrects: UUID | None, closed: bool) -> str:
    if corrects:
        return _CORRECTION
    if expires_at:
        return _CLOSED_HOLD if closed else _HOLD
    return _CLOSED if closed else _PLAIN


def _as_array(thresholds: tuple[int, ...]) -> str:
    """As PostgreSQL writes it: making that of a list costs psycopg as much as all other values together."""
    return f"{{{','.join(map(str, thresholds))}}}"


_OUTCOMES = {each.value: each for each in Outcome}


def _problem(outcome: str, *, slot: Slot, key: str | None, used: int) -> Exception:
    if outcome == "reused":
        return key_reused(key)
    if outcome == "gauge":
        return not_reservable(slot)
    if outcome == "full":
        return too_much(slot)
    return NotReleasable(f"There is not as much of {slot.feature} in use as is given back: {used:,} are.")


def key_reused(key: str | None) -> IdempotencyKeyReused:
    """The error about a key that stands for another call."""
    return IdempotencyKeyReused(
        f"The idempotency key {key!r} was used for another call: of another feature, amount or properties. "
        "Use one key for one call."
    )


def too_much(slot: Slot) -> UnusableAmount:
    """The error about more than the books can count."""
    return UnusableAmount(f"More than {MOST_ALTOGETHER:,} of {slot.feature} would be in use, which cannot be counted.")


def not_reservable(slot: Slot) -> NotReservable:
    """The error about setting aside what is told as a level."""
    return NotReservable(f"{slot.feature} is a gauge, of which nothing can be set aside. Use `consume` or `set_level`.")
