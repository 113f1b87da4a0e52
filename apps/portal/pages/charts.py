"""Bars for a time that is shown, in the units of their drawing: pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from apps.core.periods import BEGINNING, Recurrence, Unit
from apps.plans.terms import Aggregate
from apps.usage.types import Bucket

HEIGHT = 100
# Of a bar with the gap behind it.
WIDTH = 10
GAP = 2
MOST_HOURS = timedelta(days=2)
MOST_DAYS = timedelta(days=100)


@dataclass(frozen=True)
class Bar:
    """One hour, day or month. `used` None: it is still to come."""

    start: datetime
    used: int | None
    x: int
    y: float
    height: float


@dataclass(frozen=True)
class Chart:
    """What was used, step by step. `top` is the number at its upper edge, `total` what it comes to altogether."""

    step: str
    bars: tuple[Bar, ...]
    top: int
    total: int
    total_label: str

    @property
    def width(self) -> int:
        """How wide the drawing is, in its own units."""
        return len(self.bars) * WIDTH - GAP

    @property
    def bar_width(self) -> int:
        """How wide a bar is."""
        return WIDTH - GAP

    @property
    def middle(self) -> int | None:
        """The number half-way up; None: none that is whole."""
        return self.top // 2 if self.top % 2 == 0 else None

    @property
    def past(self) -> tuple[Bar, ...]:
        """The bars that have come."""
        return tuple(bar for bar in self.bars if bar.used is not None)

    @property
    def peak(self) -> Bar | None:
        """The highest bar; None: nothing was used."""
        return max(self.past, key=lambda bar: bar.used or 0) if any(bar.used for bar in self.past) else None

    @property
    def marks(self) -> tuple[datetime, ...]:
        """The moments written beneath: the first, the middle, the last."""
        starts = [bar.start for bar in self.bars]
        places = sorted({0, len(starts) // 2, len(starts) - 1})
        return tuple(starts[place] for place in places)


def step_for(since: datetime, until: datetime) -> Unit:
    """How fine a time is shown."""
    length = until - since
    if length <= MOST_HOURS:
        return Unit.HOUR
    return Unit.DAY if length <= MOST_DAYS else Unit.MONTH


def chart_of(buckets: Sequence[Bucket], *, step: Unit, until: datetime, aggregate: str) -> Chart:
    """The bars of what was used, and empty places up to `until`."""
    top = nice_top(max((each.used for each in buckets), default=0))
    values: list[tuple[datetime, int | None]] = [(each.start, each.used) for each in buckets]
    values += [(start, None) for start in _to_come(values[-1][0], until, step)] if values else []
    total, label = _total([each.used for each in buckets], aggregate)
    bars = tuple(_bar(place, start, used, top) for place, (start, used) in enumerate(values))
    return Chart(step.value, bars, top, total, label)


def nice_top(most: int) -> int:
    """The next number from `most` on that is easy to read: 1, 2, 4, 5, 6, 8 and their tens, hundreds and so on."""
    size: int = 10 ** (len(str(max(most, 1))) - 1)
    return next(each * size for each in (1, 2, 4, 5, 6, 8, 10) if each * size >= most)


def _to_come(last: datetime, until: datetime, step: Unit) -> list[datetime]:
    recurrence = Recurrence(step, 1, BEGINNING)
    number, starts = recurrence.number_at(last) + 1, []
    while (start := recurrence.period(number).start) < until:
        starts.append(start)
        number += 1
    return starts


def _bar(place: int, start: datetime, used: int | None, top: int) -> Bar:
    # Corrections may leave an hour below nothing.
    height = round(max(0, used or 0) * HEIGHT / top, 2)
    # What is not nothing must be seen.
    height = max(height, 1) if used and used > 0 else height
    return Bar(start, used, place * WIDTH, round(HEIGHT - height, 2), height)


def _total(values: list[int], aggregate: str) -> tuple[int, str]:
    if aggregate == Aggregate.MAX:
        return max(values, default=0), "at the highest"
    if aggregate == Aggregate.LAST:
        return (values[-1] if values else 0), "at the end"
    return sum(values), "in all"
