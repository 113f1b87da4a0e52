from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.sandbox.periods import boundary, containing

MOMENTS = st.integers(min_value=0, max_value=4_000_000_000)
INTERVALS = st.sampled_from(["day", "week", "month", "year"])


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())


@given(moment=MOMENTS, anchor=MOMENTS, interval=INTERVALS, interval_count=st.integers(1, 12))
def test_a_moment_lies_in_its_period(moment: int, anchor: int, interval: str, interval_count: int) -> None:
    start, end = containing(moment, anchor=anchor, interval=interval, interval_count=interval_count)
    assert start <= moment < end


@given(moment=MOMENTS, anchor=MOMENTS, interval=INTERVALS, interval_count=st.integers(1, 12))
def test_periods_leave_no_gap(moment: int, anchor: int, interval: str, interval_count: int) -> None:
    rules = {"anchor": anchor, "interval": interval, "interval_count": interval_count}
    _start, end = containing(moment, **rules)
    assert containing(end, **rules)[0] == end
    assert containing(end - 1, **rules)[1] == end


@pytest.mark.parametrize(
    ("anchor", "months", "expected"),
    [
        ("2026-01-31T10:00:00", 1, "2026-02-28T10:00:00"),
        ("2028-01-31T10:00:00", 1, "2028-02-29T10:00:00"),
        ("2026-01-31T10:00:00", 2, "2026-03-31T10:00:00"),
        ("2026-01-31T10:00:00", 3, "2026-04-30T10:00:00"),
        ("2026-12-30T10:00:00", 2, "2027-02-28T10:00:00"),
        ("2026-03-31T10:00:00", -1, "2026-02-28T10:00:00"),
    ],
)
def test_months_keep_the_anchors_day_or_end_early(anchor: str, months: int, expected: str) -> None:
    assert boundary(at(anchor), interval="month", count=months) == at(expected)


def test_a_leap_day_comes_back() -> None:
    anchor = at("2028-02-29T00:00:00")
    assert boundary(anchor, interval="year", count=1) == at("2029-02-28T00:00:00")
    assert boundary(anchor, interval="year", count=4) == at("2032-02-29T00:00:00")
