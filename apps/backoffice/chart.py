"""Bars of a history, measured for an SVG: nothing is drawn here. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from apps.core.periods import Unit
from apps.plans.terms import Aggregate
from apps.usage.types import Bucket

# Of the drawing: each bar has this much room, of which it takes this; and the drawing is so high.
ROOM = 10
WIDTH = 8
HEIGHT = 100
# What is there at all is seen.
LEAST = 1

FORMATS = {Unit.HOUR: "j M, H:i", Unit.DAY: "D, j M", Unit.MONTH: "M Y"}
SUMMED = frozenset({Aggregate.SUM, Aggregate.PERPETUAL})


@dataclass(frozen=True)
class Bar:
    """One bar, from the upper left. `used` None: that time has not come yet."""

    start: datetime
    used: int | None
    x: int
    y: int = HEIGHT
    height: int = 0


@dataclass(frozen=True)
class Chart:
    """All bars. `total` None: of a gauge there is no sum."""

    bars: tuple[Bar, ...]
    by: Unit
    top: int
    low: int
    total: int | None

    @property
    def width(self) -> int:
        """Of the drawing."""
        return len(self.bars) * ROOM

    @property
    def zero(self) -> int:
        """Where the line of 0 is, from above."""
        return _y(0, self.low, self.top)

    @property
    def told(self) -> tuple[Bar, ...]:
        """The bars whose time has come."""
        return tuple(each for each in self.bars if each.used is not None)

    @property
    def is_empty(self) -> bool:
        """Whether nothing was used at all."""
        return not any(each.used for each in self.bars)

    @property
    def format(self) -> str:
        """How a bar's time is written."""
        return FORMATS[self.by]


def chart_of(buckets: Sequence[Bucket], *, by: Unit, now: datetime, aggregate: str) -> Chart:
    """The bars of a history; those after `now` are empty."""
    told = [each.used for each in buckets if each.start <= now]
    top, low = max([0, *told]), min([0, *told])
    bars = (
        _bar(number, each, low, top) if each.start <= now else Bar(each.start, None, number * ROOM + 1)
        for number, each in enumerate(buckets)
    )
    total = sum(told) if aggregate in SUMMED else None
    return Chart(tuple(bars), by=by, top=top, low=low, total=total)


def _bar(number: int, bucket: Bucket, low: int, top: int) -> Bar:
    upper, lower = _y(max(bucket.used, 0), low, top), _y(min(bucket.used, 0), low, top)
    height = max(lower - upper, LEAST) if bucket.used else 0
    return Bar(bucket.start, bucket.used, number * ROOM + 1, min(upper, HEIGHT - height), height)


def _y(value: int, low: int, top: int) -> int:
    """How far from above a value lies."""
    return HEIGHT - (value - low) * HEIGHT // (top - low) if top > low else HEIGHT
