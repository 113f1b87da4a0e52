"""Taking back what was booked, by another event."""

from datetime import datetime
from uuid import UUID

from apps.core.actors import Actor
from apps.core.periods import Period
from apps.tenants.models import Tenant
from apps.usage.errors import NotCorrectable, NotReleasable, UnknownEvent
from apps.usage.models import Counter, UsageEvent
from apps.usage.services.booking import NO_CEILING, book
from apps.usage.types import Booking, Slot

CORRECTABLE = frozenset({UsageEvent.Kind.ADD, UsageEvent.Kind.SET, UsageEvent.Kind.RELEASE})


def correct(*, tenant: Tenant, event_id: UUID, reason: str, actor: Actor, now: datetime) -> Booking:
    """Take an event back, in the period and at the moment it was booked for, however long ago.

    The second time it answers as the first. A gauge then shows what it would, had the
    event never been told.

    Raises:
        UnknownEvent: when the tenant has no such event.
        NotCorrectable: when there is no reason, the event is a correction itself or about a
            reservation, or less than nothing would be in use.
    """
    event = UsageEvent.objects.filter(tenant_uuid=tenant.pk, id=event_id).first()
    if event is None:
        raise UnknownEvent(f"{tenant.tenant_id!r} has no usage event {event_id}.")
    _refuse_uncorrectable(event, reason)
    try:
        return book(
            tenant=tenant,
            slot=_slot_of(event),
            kind=UsageEvent.Kind.CORRECT,
            amount=-event.amount,
            ceiling=NO_CEILING,
            key=None,
            actor=actor,
            at=event.at,
            now=now,
            properties={"reason": reason.strip()},
            corrects=event.id,
        )
    except NotReleasable as error:
        raise NotCorrectable(
            f"Without event {event_id} less than nothing of {event.feature} would be in use. "
            "Correct first what was given back later."
        ) from error


def _refuse_uncorrectable(event: UsageEvent, reason: str) -> None:
    if not reason.strip():
        raise NotCorrectable("A correction needs a reason.")
    if event.kind not in CORRECTABLE:
        raise NotCorrectable(f"Event {event.id} is of the kind {event.kind!r}, which is not corrected.")


def _slot_of(event: UsageEvent) -> Slot:
    counter = Counter.objects.get(
        tenant_uuid=event.tenant_uuid,
        feature=event.feature,
        period_start=event.period_start,
        period_end=event.period_end,
    )
    return Slot(event.feature, counter.aggregate, Period(event.period_start, event.period_end))
