"""Booking many things at once that were used already: facts, which no limit refuses."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from apps.core.actors import Actor
from apps.core.errors import TenantryError
from apps.entitlements.asking import held_since, quantity
from apps.entitlements.booking import refuse_what_is_not_booked
from apps.entitlements.errors import InvalidRequest
from apps.entitlements.measuring import ceiling_of, slot_of
from apps.entitlements.snapshot import Held, snapshot_of
from apps.plans.errors import UnknownFeature
from apps.tenants.models import Tenant
from apps.usage import services as usage
from apps.usage.types import Booking, Ingested, NewEvent, Reception, Told

MOST_AT_ONCE = 1_000


@dataclass(frozen=True)
class Report:
    """Something that was used. `at` None: now. `told`: whether the amount is so much more, or a gauge's level."""

    feature: str
    amount: int
    idempotency_key: str | None = None
    at: datetime | None = None
    properties: Mapping[str, Any] = field(default_factory=dict)
    told: Told = Told.MORE


def ingest(*, tenant: Tenant, reports: Sequence[Report], actor: Actor, now: datetime) -> tuple[Ingested, ...]:
    """Book up to 1,000 reports, and tell of each in its place what became of it; one that is wrong stops no other.

    They are booked even beyond a limit: they have happened. Of a key that is known already
    nothing more is booked.

    Raises:
        InvalidRequest: when there are too many at once.
    """
    if len(reports) > MOST_AT_ONCE:
        raise InvalidRequest(f"{len(reports)} reports are too many at once: send at most {MOST_AT_ONCE:,}.")
    features = {each.feature: _found(tenant, each.feature, now) for each in reports}
    events = [_event(tenant, each, features[each.feature], now) for each in reports]
    usable = [each for each in events if isinstance(each, NewEvent)]
    booked = iter(usage.ingest(tenant=tenant, events=usable, actor=actor, now=now))
    return tuple(next(booked) if isinstance(each, NewEvent) else each for each in events)


def _found(tenant: Tenant, feature: str, now: datetime) -> Held | TenantryError:
    held = snapshot_of(tenant, now=now).features.get(feature) or held_since(tenant, feature, now=now)
    if held is None:
        return UnknownFeature(f"There is no feature {feature!r}.")
    try:
        refuse_what_is_not_booked(held)
    except TenantryError as error:
        return error
    return held


def _event(tenant: Tenant, report: Report, held: Held | TenantryError, now: datetime) -> NewEvent | Ingested:
    if isinstance(held, TenantryError):
        return Ingested(Reception.INVALID, problem=held)
    try:
        return _resolved(tenant, report, held, now)
    except TenantryError as error:
        return Ingested(Reception.INVALID, problem=error)


def _resolved(tenant: Tenant, report: Report, held: Held, now: datetime) -> NewEvent:
    least = 1 if report.told == Told.MORE else 0
    usage.refuse_far(report.at or now, now)
    return NewEvent(
        slot=slot_of(held, at=report.at or now),
        ceiling=ceiling_of(held, version=tenant.entitlements_version),
        amount=quantity(report.feature, report.amount, least=least),
        at=report.at or now,
        key=report.idempotency_key,
        properties=report.properties,
        told=report.told,
    )


def correct(*, tenant: Tenant, event_id: UUID, reason: str, actor: Actor, now: datetime) -> Booking:
    """Take an event back by one that compensates it, in the period that it was booked in; once.

    Raises:
        UnknownEvent, NotCorrectable: see `usage.services.correct`.
    """
    return usage.correct(tenant=tenant, event_id=event_id, reason=reason, actor=actor, now=now)
