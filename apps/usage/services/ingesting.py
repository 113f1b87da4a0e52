"""Booking many facts at once."""

import json
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection

from apps.core.actors import Actor
from apps.core.errors import TenantryError
from apps.tenants.models import Tenant
from apps.usage.errors import TooManyEvents
from apps.usage.models import ACTOR_MAX_LENGTH, GAUGES
from apps.usage.services.booking import key_reused, too_much
from apps.usage.services.usable import as_json, refuse_amount, refuse_key, refuse_moment
from apps.usage.types import Ceiling, Ingested, NewEvent, Reception, Slot, Told

MOST_AT_ONCE = 1000

_INGEST = """
    SELECT * FROM usage_ingest(
        %s, %s, %s, %s::jsonb, %s::int[], %s::bigint[], %s::timestamptz[], %s::text[], %s::text[]
    )
"""
# Whoever is asked here was not booked because of an event of that key, which is there by now.
_STORED = """
    SELECT t.n, e.id,
           (e.feature, e.kind, e.properties) = (t.feature, t.kind, t.properties::jsonb)
           AND CASE e.kind WHEN 'set' THEN e.value ELSE e.amount END = t.amount
    FROM unnest(%s::int[], %s::text[], %s::text[], %s::text[], %s::bigint[], %s::text[])
         AS t (n, key, feature, kind, amount, properties)
    JOIN usage_usageevent e ON e.tenant_uuid = %s AND e.idempotency_key = t.key
"""

_Results = dict[int, Ingested]


def ingest(*, tenant: Tenant, events: Sequence[NewEvent], actor: Actor, now: datetime) -> tuple[Ingested, ...]:
    """Book up to 1,000 events, and tell of each in the same order what became of it.

    They are facts: no limit refuses one. One that is in conflict with what its key stands
    for, or cannot be booked, does not keep the others from being booked.

    Raises:
        TooManyEvents: when there are more than 1,000.
    """
    if len(events) > MOST_AT_ONCE:
        raise TooManyEvents(f"There are {len(events):,} events, but at most {MOST_AT_ONCE:,} are taken at once.")
    results, usable = _sorted_out(events, now)
    if usable:
        results |= _booked(tenant, events, usable, actor, now)
        missed = [number for number in usable if number not in results]
        results |= _stored(tenant, events, usable, missed)
    return tuple(results[number] for number in range(len(events)))


def _sorted_out(events: Sequence[NewEvent], now: datetime) -> tuple[_Results, dict[int, str]]:
    """Those that cannot be booked; and of the others the properties, by their place."""
    invalid: _Results = {}
    usable: dict[int, str] = {}
    for number, event in enumerate(events):
        try:
            refuse_moment(event.slot, event.at, now)
            refuse_amount(event.amount, least=1 if event.told == Told.MORE else 0)
            refuse_key(event.key)
            usable[number] = as_json(event.properties)
        except TenantryError as problem:
            invalid[number] = Ingested(Reception.INVALID, problem=problem)
    return invalid, usable


def _booked(
    tenant: Tenant, events: Sequence[NewEvent], usable: dict[int, str], actor: Actor, now: datetime
) -> _Results:
    chosen = [events[number] for number in usable]
    lines, places = _slots(chosen)
    values = (
        *(tenant.pk, actor.label[:ACTOR_MAX_LENGTH], now, lines, places),
        [event.amount for event in chosen],
        [event.at for event in chosen],
        [event.key for event in chosen],
        list(usable.values()),
    )
    numbers = list(usable)
    with connection.cursor() as cursor:
        cursor.execute(_INGEST, values)
        return {numbers[n - 1]: _result(outcome, event_id, chosen[n - 1]) for n, outcome, event_id in cursor}


def _result(outcome: str, event_id: UUID, event: NewEvent) -> Ingested:
    if outcome == "reused":
        return Ingested(Reception.CONFLICT, event_id, key_reused(event.key))
    if outcome == "full":
        return Ingested(Reception.INVALID, problem=too_much(event.slot))
    return Ingested(Reception(outcome), event_id)


def _slots(events: Sequence[NewEvent]) -> tuple[str, list[int]]:
    """Each slot once, as JSON; and the number of its slot for each event."""
    lines: dict[tuple[Slot, Told], int] = {}
    ceilings: dict[Slot, Ceiling] = {}
    places = []
    for event in events:
        slot, ceiling = event.slot, event.ceiling
        places.append(lines.setdefault((slot, event.told), len(lines)))
        if slot not in ceilings or ceiling.version >= ceilings[slot].version:
            ceilings[slot] = ceiling
    singly = {slot for slot, told in lines if told == Told.ALTOGETHER or slot.aggregate in GAUGES}
    written = [_line(number, slot, told, ceilings[slot], slot in singly) for (slot, told), number in lines.items()]
    return json.dumps(written), places


def _line(number: int, slot: Slot, told: Told, ceiling: Ceiling, singly: bool) -> dict[str, Any]:
    return {
        "n": number,
        "feature": slot.feature,
        "period_start": slot.period.start.isoformat(),
        "period_end": slot.period.end.isoformat(),
        "aggregate": slot.aggregate,
        "told": told,
        "singly": singly,
        "ceiling": ceiling.limit,
        "soft": ceiling.soft,
        "thresholds": ceiling.thresholds,
        "version": ceiling.version,
    }


def _stored(tenant: Tenant, events: Sequence[NewEvent], usable: dict[int, str], missed: Sequence[int]) -> _Results:
    """What became of those whose key was there already: by an earlier call, or by an event before in the same one."""
    if not missed:
        return {}
    columns: Iterable[Callable[[int], Any]] = (
        lambda number: number,
        lambda number: events[number].key,
        lambda number: events[number].slot.feature,
        lambda number: events[number].told,
        lambda number: events[number].amount,
        lambda number: usable[number],
    )
    with connection.cursor() as cursor:
        cursor.execute(_STORED, [*([column(number) for number in missed] for column in columns), tenant.pk])
        return {
            number: _result("repeated" if same else "reused", event_id, events[number])
            for number, event_id, same in cursor
        }
