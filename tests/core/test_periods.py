"""Periods that come again: they tile all of time, and are counted from their anchor each time."""

from calendar import isleap, monthrange
from datetime import UTC, datetime, timedelta, timezone
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.core.periods import ALWAYS, BEGINNING, FOREVER, Period, Recurrence, Unit, add_months

A_MOMENT = timedelta(microseconds=1)
MOMENTS = st.datetimes(datetime(1990, 1, 1), datetime(2090, 1, 1), timezones=st.just(UTC))
UNITS = st.sampled_from([each for each in Unit if each != Unit.NEVER])
RECURRENCES = st.builds(Recurrence, unit=UNITS, count=st.integers(1, 18), anchor=MOMENTS)
BY_MONTHS = st.builds(
    Recurrence, unit=st.sampled_from([Unit.MONTH, Unit.YEAR]), count=st.integers(1, 18), anchor=MOMENTS
)


def at(year: int, month: int, day: int, hour: int = 0) -> datetime:
    return datetime(year, month, day, hour, tzinfo=UTC)


def starts(recurrence: Recurrence, moment: datetime, several: int) -> list[datetime]:
    first = recurrence.number_at(moment)
    return [recurrence.period(first + number).start for number in range(several)]


class TestAlways:
    @given(RECURRENCES, MOMENTS)
    def test_a_period_contains_its_moment_and_has_a_length(self, recurrence: Recurrence, moment: datetime) -> None:
        period = recurrence.period_at(moment)
        assert moment in period
        assert period.start < period.end == period.ends

    @given(RECURRENCES, MOMENTS)
    def test_each_begins_where_the_one_before_ends(self, recurrence: Recurrence, moment: datetime) -> None:
        number = recurrence.number_at(moment)
        several = [recurrence.period(number + each) for each in range(-3, 4)]
        assert all(one.end == next_one.start for one, next_one in pairwise(several))

    @given(RECURRENCES, MOMENTS)
    def test_a_moment_lies_in_one_period_alone(self, recurrence: Recurrence, moment: datetime) -> None:
        period, number = recurrence.period_at(moment), recurrence.number_at(moment)
        assert recurrence.period_at(period.start) == recurrence.period_at(period.end - A_MOMENT) == period
        assert recurrence.number_at(period.end) == number + 1
        assert recurrence.number_at(period.start - A_MOMENT) == number - 1

    @given(RECURRENCES)
    def test_one_begins_at_the_anchor_and_has_the_number_0(self, recurrence: Recurrence) -> None:
        assert recurrence.period_at(recurrence.anchor) == recurrence.period(0)
        assert recurrence.period(0).start == recurrence.anchor

    @given(RECURRENCES, MOMENTS, MOMENTS)
    def test_later_is_never_in_an_earlier_period(self, recurrence: Recurrence, one: datetime, other: datetime) -> None:
        earlier, later = sorted([one, other])
        assert recurrence.number_at(earlier) <= recurrence.number_at(later)

    @given(RECURRENCES, MOMENTS, st.integers(-14 * 60, 14 * 60))
    def test_the_zone_in_which_a_moment_is_told_is_of_no_account(
        self, recurrence: Recurrence, moment: datetime, minutes: int
    ) -> None:
        elsewhere = timezone(timedelta(minutes=minutes))
        told = Recurrence(recurrence.unit, recurrence.count, recurrence.anchor.astimezone(elsewhere))
        assert told.period_at(moment.astimezone(elsewhere)) == recurrence.period_at(moment)


class TestMonths:
    @given(BY_MONTHS, MOMENTS)
    def test_a_boundary_is_on_the_anchors_day_or_on_the_last_of_a_shorter_month(
        self, recurrence: Recurrence, moment: datetime
    ) -> None:
        start, anchor = recurrence.period_at(moment).start, recurrence.anchor
        assert start.day == min(anchor.day, monthrange(start.year, start.month)[1])
        assert start.timetz() == anchor.timetz()

    @given(st.builds(Recurrence, unit=st.just(Unit.MONTH), anchor=MOMENTS), MOMENTS)
    def test_a_month_has_28_to_31_days_and_no_month_is_left_out(self, recurrence: Recurrence, moment: datetime) -> None:
        assert {each.month for each in starts(recurrence, moment, 12)} == set(range(1, 13))
        assert 28 <= (recurrence.period_at(moment).end - recurrence.period_at(moment).start).days <= 31

    def test_the_31st_comes_again_after_a_shorter_month(self) -> None:
        found = starts(Recurrence(Unit.MONTH, 1, at(2026, 1, 31, 9)), at(2026, 2, 1), 5)
        assert [(each.month, each.day, each.hour) for each in found] == [
            (1, 31, 9),
            (2, 28, 9),
            (3, 31, 9),
            (4, 30, 9),
            (5, 31, 9),
        ]

    @pytest.mark.parametrize(("year", "day"), [(2026, 28), (2028, 29), (2000, 29), (2100, 28)])
    def test_february_has_the_days_that_it_has(self, year: int, day: int) -> None:
        assert add_months(at(year - 1, 8, 30), 6) == at(year, 2, day)
        assert isleap(year) == (day == 29)

    def test_the_29th_of_february_is_the_28th_in_other_years_and_comes_again(self) -> None:
        found = starts(Recurrence(Unit.YEAR, 1, at(2024, 2, 29)), at(2024, 3, 1), 5)
        assert found == [at(2024, 2, 29), *(at(year, 2, 28) for year in (2025, 2026, 2027)), at(2028, 2, 29)]

    def test_quarters_go_on_before_their_anchor(self) -> None:
        quarter = Recurrence(Unit.MONTH, 3, at(2026, 5, 31))
        assert quarter.period_at(at(2026, 2, 27)) == Period(at(2025, 11, 30), at(2026, 2, 28))
        assert quarter.period_at(at(2026, 2, 28)) == Period(at(2026, 2, 28), at(2026, 5, 31))

    def test_the_edge_belongs_to_the_period_that_begins(self) -> None:
        monthly = Recurrence(Unit.MONTH, 1, at(2026, 1, 15))
        assert monthly.period_at(at(2026, 2, 15) - A_MOMENT) == Period(at(2026, 1, 15), at(2026, 2, 15))
        assert monthly.period_at(at(2026, 2, 15)) == Period(at(2026, 2, 15), at(2026, 3, 15))


class TestFixedLengths:
    @given(st.sampled_from([(Unit.HOUR, 3600), (Unit.DAY, 86_400), (Unit.WEEK, 604_800)]), st.integers(1, 60), MOMENTS)
    def test_all_are_equally_long(self, unit: tuple[Unit, int], count: int, moment: datetime) -> None:
        name, seconds = unit
        period = Recurrence(name, count, at(2026, 1, 1)).period_at(moment)
        assert (period.end - period.start).total_seconds() == seconds * count

    def test_summer_time_neither_lengthens_nor_shortens_a_day(self) -> None:
        berlin = ZoneInfo("Europe/Berlin")
        # The clocks there go forward on 29 March 2026, and back on 25 October.
        daily = Recurrence(Unit.DAY, 1, datetime(2026, 3, 28, 12, tzinfo=berlin))
        for moment in (datetime(2026, 3, 29, 23, tzinfo=berlin), datetime(2026, 10, 25, 23, tzinfo=berlin)):
            period = daily.period_at(moment)
            assert moment in period
            assert period.start.hour == 11
            assert period.end - period.start == timedelta(days=1)


class TestNever:
    @given(MOMENTS)
    def test_all_of_time_is_one_period(self, moment: datetime) -> None:
        assert Recurrence().period_at(moment) == Recurrence().period(7) == ALWAYS
        assert (ALWAYS.start, ALWAYS.end, ALWAYS.ends) == (BEGINNING, FOREVER, None)


@pytest.mark.parametrize(("count", "anchor"), [(0, BEGINNING), (-1, BEGINNING), (1, datetime(2026, 1, 1))])
def test_what_would_be_no_period_is_refused(count: int, anchor: datetime) -> None:
    with pytest.raises(ValueError, match="Periods of"):
        Recurrence(Unit.MONTH, count, anchor)
