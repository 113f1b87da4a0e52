"""Periods that come again, half-open and in UTC: pure.

A period is counted from its anchor each time and never from the one before, so that
an anchor on the 31st gives 28 February and then 31 March again, as Stripe does it.
"""

import calendar
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

# What never starts anew lies between these two.
BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)
FOREVER = datetime(9999, 1, 1, tzinfo=UTC)


class Unit(StrEnum):
    """The length of a period."""

    HOUR = "hour"
    DAY = "day"
    WEEK = "week"
    MONTH = "month"
    YEAR = "year"
    NEVER = "never"


FIXED = {Unit.HOUR: timedelta(hours=1), Unit.DAY: timedelta(days=1), Unit.WEEK: timedelta(weeks=1)}
MONTHS = {Unit.MONTH: 1, Unit.YEAR: 12}


@dataclass(frozen=True, order=True)
class Period:
    """From `start` up to, but not including, `end`."""

    start: datetime
    end: datetime

    def __contains__(self, moment: datetime) -> bool:
        return self.start <= moment < self.end

    @property
    def ends(self) -> datetime | None:
        """When the next one begins; None: never."""
        return None if self.end == FOREVER else self.end


ALWAYS = Period(BEGINNING, FOREVER)


@dataclass(frozen=True)
class Recurrence:
    """Periods of `count` units each, one of which begins at `anchor`; they go on before it as after it.

    Raises:
        ValueError: when `count` is below 1, or the anchor has no time zone.
    """

    unit: Unit = Unit.NEVER
    count: int = 1
    anchor: datetime = BEGINNING

    def __post_init__(self) -> None:
        if self.count < 1 or self.anchor.utcoffset() is None:
            raise ValueError(f"Periods of {self.count} × {self.unit} from {self.anchor}: at least 1, from a moment.")
        # In a zone that has summer time a day would not always have the same length.
        object.__setattr__(self, "anchor", self.anchor.astimezone(UTC))

    def period_at(self, moment: datetime) -> Period:
        """The period that contains a moment."""
        return self.period(self.number_at(moment))

    def period(self, number: int) -> Period:
        """The period of a number; that which begins at the anchor has 0."""
        if self.unit == Unit.NEVER:
            return ALWAYS
        return Period(self._boundary(number), self._boundary(number + 1))

    def number_at(self, moment: datetime) -> int:
        """The number of the period that contains a moment, negative before the anchor."""
        if self.unit == Unit.NEVER:
            return 0
        moment = moment.astimezone(UTC)
        if self.unit in FIXED:
            return (moment - self.anchor) // (FIXED[self.unit] * self.count)
        months = _months(moment) - _months(self.anchor)
        number = months // (MONTHS[self.unit] * self.count)
        # Within the month of a boundary the moment may lie before it; and its own time zone may call the month another.
        if moment < self._boundary(number):
            return number - 1
        return number + 1 if moment >= self._boundary(number + 1) else number

    def _boundary(self, number: int) -> datetime:
        if self.unit in FIXED:
            return self.anchor + number * self.count * FIXED[self.unit]
        return add_months(self.anchor, number * self.count * MONTHS[self.unit])


def add_months(moment: datetime, months: int) -> datetime:
    """The same day and time so many months later; the last day of a month that has no such day."""
    year, month = divmod(_months(moment) + months, 12)
    day = min(moment.day, calendar.monthrange(year, month + 1)[1])
    return moment.replace(year=year, month=month + 1, day=day)


def _months(moment: datetime) -> int:
    return moment.year * 12 + moment.month - 1
