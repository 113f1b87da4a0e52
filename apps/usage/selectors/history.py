"""What was used, hour by hour, day by day, month by month."""

from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from itertools import accumulate
from typing import Any
from uuid import UUID

from django.db import connection

from apps.core.periods import BEGINNING, Recurrence, Unit
from apps.plans.terms import Aggregate
from apps.usage.errors import TooMuchHistory
from apps.usage.models import GAUGES, Counter
from apps.usage.types import Bucket

# Seven months of hours.
MOST_BUCKETS = 5000
STEPS = (Unit.HOUR, Unit.DAY, Unit.MONTH)

# What is set aside is not used yet.
_ADDED_UP = """
    SELECT date_trunc(%s, e.at, 'UTC'), sum(e.amount)
    FROM usage_usageevent e
    WHERE e.tenant_uuid = %s AND e.feature = %s AND e.at >= %s AND e.at < %s AND e.kind NOT IN ('hold', 'unhold')
    GROUP BY 1
"""
_LEVELS = """
    SELECT date_trunc(%s, l.o_at, 'UTC'), max(l.o_level),
           (array_agg(l.o_level ORDER BY c.period_start DESC, l.o_n DESC))[1]
    FROM usage_counter c
    CROSS JOIN LATERAL usage_levels(c.tenant_uuid, c.feature, c.period_start, c.period_end, c.opening) l
    WHERE c.tenant_uuid = %s AND c.feature = %s AND c.level IS NOT NULL
      AND c.period_end > %s AND c.period_start < %s AND l.o_at >= %s AND l.o_at < %s
    GROUP BY 1
"""
_LEVEL_BEFORE = """
    SELECT coalesce(
        (SELECT l.o_level FROM usage_levels(c.tenant_uuid, c.feature, c.period_start, c.period_end, c.opening) l
         WHERE l.o_at < %s ORDER BY l.o_n DESC LIMIT 1),
        c.opening
    )
    FROM usage_counter c
    WHERE c.tenant_uuid = %s AND c.feature = %s AND c.level IS NOT NULL AND c.period_start <= %s
    ORDER BY c.period_start DESC, c.period_end DESC LIMIT 1
"""


def history(*, tenant_key: UUID, feature: str, since: datetime, until: datetime, by: Unit) -> list[Bucket]:
    """What was used from `since` to `until`, of each hour, day or month (in UTC) that these touch, without gaps.

    Of what adds up, the sum of the part of it that lies between the two; of a gauge the
    highest (`max`) or latest (`last`) level, which goes on while nobody tells another.
    Corrections count at the moment of what they correct.

    Raises:
        TooMuchHistory: when there would be more than 5,000 of them.
    """
    starts = _starts(since, until, by)
    latest = Counter.objects.filter(tenant_uuid=tenant_key, feature=feature).order_by("-period_start").first()
    if latest is not None and latest.aggregate in GAUGES:
        levels = _Levels(starts, *_told_levels(tenant_key, feature, since, until, by))
        return levels.highest() if latest.aggregate == Aggregate.MAX else levels.last()
    # Over several periods it may be more than the database has whole numbers for.
    sums: dict[datetime, Decimal] = dict(_rows(_ADDED_UP, by, tenant_key, feature, since, until))
    return [Bucket(start, int(sums.get(start, 0))) for start in starts]


@dataclass(frozen=True)
class _Levels:
    """What a gauge showed: the level to begin with, and the highest and the last of each bucket that has any."""

    starts: list[datetime]
    before: int
    told: dict[datetime, tuple[int, int]]

    def last(self) -> list[Bucket]:
        """The level at the end of each bucket, which goes on while nobody tells another."""
        levels = accumulate(self.starts, self._after, initial=self.before)
        return [Bucket(*each) for each in zip(self.starts, list(levels)[1:], strict=True)]

    def highest(self) -> list[Bucket]:
        """The highest of each bucket, that which it began with included."""
        began = [self.before, *(each.used for each in self.last())]
        return [
            Bucket(start, max(level, self.told.get(start, (level, 0))[0]))
            for start, level in zip(self.starts, began, strict=False)
        ]

    def _after(self, level: int, start: datetime) -> int:
        return self.told[start][1] if start in self.told else level


def _told_levels(
    tenant_key: UUID, feature: str, since: datetime, until: datetime, by: Unit
) -> tuple[int, dict[datetime, tuple[int, int]]]:
    before = _rows(_LEVEL_BEFORE, since, tenant_key, feature, since)
    told = _rows(_LEVELS, by, tenant_key, feature, since, until, since, until)
    return before[0][0] if before else 0, {start: (highest, last) for start, highest, last in told}


def _starts(since: datetime, until: datetime, by: Unit) -> list[datetime]:
    if by not in STEPS:
        raise TooMuchHistory(f"History is told by {', '.join(STEPS)}, not by {by}.")
    recurrence = Recurrence(by, 1, BEGINNING)
    first, last = (recurrence.number_at(moment.astimezone(UTC)) for moment in (since, until))
    if last - first > MOST_BUCKETS:
        raise TooMuchHistory(
            f"From {since.isoformat()} to {until.isoformat()} there are {last - first:,} times a {by}, "
            f"but at most {MOST_BUCKETS:,} are told at once. Ask for less, or for longer ones."
        )
    starts = (recurrence.period(number).start for number in range(first, last + 1))
    return [start for start in starts if since < until and start < until]


def _rows(sql: str, *values: Any) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, values)
        return list(cursor)
