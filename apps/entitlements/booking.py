"""Booking what is used: decided and written by one call, inside the caller's own transaction.

None of these spoils that transaction: a refusal and a repetition are answers, no errors.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from apps.core.actors import Actor, ActorKind
from apps.core.keys import own_key
from apps.entitlements import failing
from apps.entitlements.asking import described, held_since, quantity, refused, why_not
from apps.entitlements.decisions import Decision, Reason
from apps.entitlements.errors import CountedFromModel, WrongKind
from apps.entitlements.measuring import ceiling_of, is_live, slot_of
from apps.entitlements.registry import counted_entities
from apps.entitlements.snapshot import Held, snapshot_of
from apps.plans.terms import Aggregate, Kind
from apps.tenants.models import Tenant
from apps.usage import selectors as usage_read
from apps.usage import services as usage
from apps.usage.types import Booking, Ceiling, Outcome

BOOKED = frozenset({Kind.METERED, Kind.COUNT})
GAUGES = frozenset({Aggregate.MAX, Aggregate.LAST})


def consume(
    *,
    tenant: Tenant,
    feature: str,
    amount: int = 1,
    idempotency_key: str | None = None,
    actor: Actor,
    now: datetime,
    at: datetime | None = None,
    properties: Mapping[str, Any] | None = None,
) -> Decision:
    """Use so much of a feature if it is within the limit: asked and booked in one statement.

    `at` is when it was used, up to 35 days ago; None: now. The same idempotency key
    gives the answer of the first call and books nothing more; a call that was refused
    has booked nothing, and may be accepted later.

    Raises:
        InvalidRequest: when the amount is no whole number from 1.
        WrongKind, CountedFromModel: when such a feature is not consumed.
        IdempotencyKeyReused: when the key belongs to another call.
        TooOld, TooFarAhead, UnusableMoment: when `at` cannot be booked any more, or yet, or has no time zone.
    """
    wanted = quantity(feature, amount, least=1)
    usage.refuse_far(at or now, now)

    def book(held: Held, nothing: bool) -> Booking:
        return usage.consume(
            tenant=tenant,
            slot=slot_of(held, at=at or now),
            amount=wanted,
            ceiling=ceiling_of(held, version=tenant.entitlements_version),
            closed=nothing,
            key=idempotency_key,
            actor=actor,
            at=at or now,
            now=now,
            properties=properties,
        )

    return _booked(tenant, feature, amount, now, book)


def release(
    *,
    tenant: Tenant,
    feature: str,
    amount: int = 1,
    idempotency_key: str | None = None,
    actor: Actor,
    now: datetime,
) -> Decision:
    """Give back so much of what exists at once; allowed whatever the plan says.

    Raises:
        InvalidRequest, WrongKind, CountedFromModel, IdempotencyKeyReused: see `consume`.
        NotReleasable: when not so many are in use.
    """
    wanted = quantity(feature, amount, least=1)
    held = _known(tenant, feature, now)
    if held is None:
        return refused(Reason.FEATURE_NOT_FOUND, feature, None, requested=amount)
    refuse_what_is_not_booked(held)
    if held.entitlement.kind != Kind.COUNT and held.entitlement.aggregate not in GAUGES:
        raise WrongKind(f"{feature} is used up, so it cannot be released. A wrong event is corrected with `correct`.")
    booking = usage.release(
        tenant=tenant, slot=slot_of(held, at=now), amount=wanted, key=idempotency_key, actor=actor, at=now, now=now
    )
    return decision_of(held, None, booking, requested=-wanted)


def usage_set(
    *,
    tenant: Tenant,
    feature: str,
    value: int,
    idempotency_key: str | None = None,
    actor: Actor,
    now: datetime,
    at: datetime | None = None,
) -> Decision:
    """Tell how much of a feature is in use altogether, as a gauge shows it; refused beyond a hard limit.

    Less than before is always accepted.

    Raises:
        see `consume`.
    """
    level = quantity(feature, value)
    usage.refuse_far(at or now, now)

    def book(held: Held, nothing: bool) -> Booking:
        return usage.set_level(
            tenant=tenant,
            slot=slot_of(held, at=at or now),
            value=level,
            ceiling=ceiling_of(held, version=tenant.entitlements_version),
            closed=nothing,
            key=idempotency_key,
            actor=actor,
            at=at or now,
            now=now,
        )

    return _booked(tenant, feature, value, now, book)


def _booked(
    tenant: Tenant, feature: str, requested: int, now: datetime, book: Callable[[Held, bool], Booking]
) -> Decision:
    try:
        snapshot = snapshot_of(tenant, now=now)
        held = snapshot.features.get(feature) or held_since(tenant, feature, now=now)
        reason = why_not(tenant, snapshot, held)
        if held is None:
            return refused(reason or Reason.FEATURE_NOT_FOUND, feature, None, requested=requested)
        refuse_what_is_not_booked(held)
        _begin_with_what_was_told(tenant, held, now)
        # Also where nothing is granted any more: what was booked under this key before is answered as it was.
        return decision_of(held, reason, book(held, reason is not None), requested=requested)
    except failing.UNANSWERED as error:
        return failing.answer(tenant=tenant, feature=feature, requested=requested, error=error)


def _begin_with_what_was_told(tenant: Tenant, held: Held, now: datetime) -> None:
    """Let the books of something that exists begin with how much of it the vendor's app has reported."""
    if held.entitlement.kind != Kind.COUNT:
        return
    slot, feature = slot_of(held, at=now), held.entitlement.feature
    if usage_read.used_of(tenant_keys=[tenant.pk], slots=[slot], now=now)[tenant.pk]:
        return
    told = usage_read.reported_totals([tenant.pk])[tenant.pk].get(feature)
    if told and told.total:
        # Of two who come first at once the key lets one do it.
        usage.set_level(
            tenant=tenant,
            slot=slot,
            value=told.total,
            ceiling=Ceiling(limit=None),
            key=own_key("told", feature),
            actor=Actor(ActorKind.API_KEY, told.reported_by),
            at=now,
            now=now,
        )


def _known(tenant: Tenant, feature: str, now: datetime) -> Held | None:
    return snapshot_of(tenant, now=now).features.get(feature) or held_since(tenant, feature, now=now)


def refuse_what_is_not_booked(held: Held) -> None:
    """Refuse a feature whose use is not written into the books.

    Raises:
        WrongKind, CountedFromModel: telling what to call instead.
    """
    feature, kind = held.entitlement.feature, held.entitlement.kind
    if kind not in BOOKED:
        how = "`spend` or `reserve`" if kind == Kind.CREDITS else "`check`"
        raise WrongKind(f"{feature} is of the kind {kind}, which is not consumed. Use {how}.")
    if is_live(held):
        model = counted_entities()[feature].model._meta.label
        raise CountedFromModel(f"{feature} are counted from {model}: save or delete rows instead.")


def decision_of(held: Held, reason: Reason | None, booking: Booking, *, requested: int) -> Decision:
    """What came of booking, as a decision. `reason`: why nothing could be had at all."""
    refusal = booking.outcome == Outcome.REFUSED
    limit = held.entitlement.most if reason else booking.limit
    return described(
        held,
        (reason or Reason.LIMIT_EXCEEDED) if refusal else _accepted(booking),
        requested=requested,
        used=booking.used,
        limit=limit,
        soft=booking.soft,
        resets_at=booking.slot.period.ends,
    )


def _accepted(booking: Booking) -> Reason:
    if booking.limit is None:
        return Reason.UNLIMITED
    return Reason.WITHIN_LIMIT if booking.used <= booking.limit else Reason.OVER_SOFT_LIMIT
