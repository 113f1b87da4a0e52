"""How much is in use."""

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from itertools import product
from uuid import UUID

from django.db import connection

from apps.usage.types import Slot, Use

# A gauge of which nothing was told in the period yet shows what it showed before. What was set aside and has run out
# does not count, though nobody has closed it yet.
_USED = """
    SELECT asked.n, coalesce(c.used, greatest(0, former.level)) - coalesce(aside.gone, 0),
           coalesce(c.level, c.used - coalesce(aside.gone, 0), former.level), coalesce(aside.kept, 0)
    FROM unnest(%s::int[], %s::uuid[], %s::text[], %s::timestamptz[], %s::timestamptz[])
         AS asked (n, tenant_uuid, feature, period_start, period_end)
    LEFT JOIN usage_counter c USING (tenant_uuid, feature, period_start, period_end)
    LEFT JOIN LATERAL (
        SELECT p.level FROM usage_counter p
        WHERE c.id IS NULL AND p.tenant_uuid = asked.tenant_uuid AND p.feature = asked.feature AND p.level IS NOT NULL
          AND (p.period_start, p.period_end) < (asked.period_start, asked.period_end)
        ORDER BY p.period_start DESC, p.period_end DESC LIMIT 1
    ) AS former ON true
    LEFT JOIN LATERAL (
        SELECT sum(r.amount) FILTER (WHERE r.expires_at <= %s)::bigint AS gone,
               sum(r.amount) FILTER (WHERE r.expires_at > %s)::bigint AS kept
        FROM usage_reservation r
        WHERE r.tenant_uuid = asked.tenant_uuid AND r.feature = asked.feature AND r.state = 'open'
          AND r.period_start = asked.period_start AND r.period_end = asked.period_end
    ) AS aside ON true
    WHERE c.id IS NOT NULL OR former.level IS NOT NULL
"""


def used_of(*, tenant_keys: Collection[UUID], slots: Collection[Slot], now: datetime) -> dict[UUID, dict[str, int]]:
    """How much of each of these slots each tenant has in use, by tenant and feature: one query for any number.

    What nobody ever booked is absent. For several periods of one feature, ask `used_in`.
    """
    uses = uses_of(tenant_keys=tenant_keys, slots=slots, now=now)
    return {key: {feature: use.used for feature, use in each.items()} for key, each in uses.items()}


def uses_of(*, tenant_keys: Collection[UUID], slots: Collection[Slot], now: datetime) -> dict[UUID, dict[str, Use]]:
    """As `used_of`, and also what the next amount is added to, and what is only set aside."""
    found: dict[UUID, dict[str, Use]] = {key: {} for key in tenant_keys}
    for (key, slot), use in used_in(asked=product(tenant_keys, slots), now=now).items():
        found[key][slot.feature] = use
    return found


def used_in(*, asked: Iterable[tuple[UUID, Slot]], now: datetime) -> Mapping[tuple[UUID, Slot], Use]:
    """How much is in use, of any slots of any tenants, in one query; what nobody ever booked is absent."""
    pairs = list(asked)
    if not pairs:
        return {}
    columns = (
        list(range(len(pairs))),
        [key for key, _ in pairs],
        [slot.feature for _, slot in pairs],
        [slot.period.start for _, slot in pairs],
        [slot.period.end for _, slot in pairs],
    )
    with connection.cursor() as cursor:
        cursor.execute(_USED, [*columns, now, now])
        return {pairs[number]: Use(used, level, held) for number, used, level, held in cursor}
