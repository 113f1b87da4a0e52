"""In which periods an entitlement counts."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.core.periods import Period, Recurrence, Unit
from apps.plans.recurring import recurrence_of
from apps.plans.resolution import Entitlement, Grant, Grantable, Origin, Source, Terms, resolve
from apps.plans.terms import Cycle, Kind, ResetPeriod

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
SINCE = datetime(2026, 1, 20, 8, 30, tzinfo=UTC)
ANCHOR = datetime(2026, 1, 31, 9, tzinfo=UTC)
YEARLY = Cycle(ANCHOR, Unit.YEAR)


def at(month: int, day: int, hour: int = 0, *, minute: int = 0, year: int = 2026) -> datetime:
    return datetime(year, month, day, hour, minute, tzinfo=UTC)


def held(terms: Terms, cycle: Cycle | None = None, *, kind: str = Kind.METERED, aggregate: str = "sum") -> Entitlement:
    feature = Grantable("calls", "Calls", kind, aggregate=aggregate)
    plan = Source(Origin.PLAN, "plan:pro@1", {"calls": Grant(limit=5, terms=terms)}, cycle=cycle)
    return resolve([feature], [plan], at=NOW)["calls"]


def period(reset: str, cycle: Cycle | None = None, *, calendar: bool = False, **told: Any) -> Period:
    terms = Terms(reset_period=reset, anchor="calendar" if calendar else "subscription")
    return recurrence_of(held(terms, cycle, **told), since=SINCE).period_at(NOW)


class TestWithTheSubscription:
    @pytest.mark.parametrize(
        ("reset", "start", "end"),
        [
            ("hour", at(3, 1, 12), at(3, 1, 13)),
            ("day", at(3, 1, 9), at(3, 2, 9)),
            ("week", at(2, 28, 9), at(3, 7, 9)),
            ("month", at(2, 28, 9), at(3, 31, 9)),
            ("year", at(1, 31, 9), at(1, 31, 9, year=2027)),
        ],
    )
    def test_periods_begin_as_its_billing_periods_do(self, reset: str, start: datetime, end: datetime) -> None:
        assert period(reset, YEARLY) == Period(start, end)

    def test_a_billing_period_is_as_long_as_it_is_paid_for(self) -> None:
        assert period("billing_period", YEARLY) == Period(at(1, 31, 9), at(1, 31, 9, year=2027))
        quarterly = Cycle(ANCHOR, Unit.MONTH, 3)
        assert period("billing_period", quarterly) == Period(at(1, 31, 9), at(4, 30, 9))

    def test_an_anchor_that_lies_ahead_as_in_a_trial_counts_backwards(self) -> None:
        assert period("month", Cycle(at(3, 15))) == Period(at(2, 15), at(3, 15))


class TestWithoutOne:
    def test_periods_begin_as_the_tenant_did_and_a_billing_period_is_a_month(self) -> None:
        month = Period(at(2, 20, 8, minute=30), at(3, 20, 8, minute=30))
        assert period("month") == period("billing_period") == month


class TestWithTheCalendar:
    @pytest.mark.parametrize(
        ("reset", "start", "end"),
        [
            ("hour", at(3, 1, 12), at(3, 1, 13)),
            ("day", at(3, 1), at(3, 2)),
            ("week", at(2, 23), at(3, 2)),
            ("month", at(3, 1), at(4, 1)),
            ("year", at(1, 1), at(1, 1, year=2027)),
            ("billing_period", at(1, 1), at(1, 1, year=2027)),
        ],
    )
    def test_periods_begin_in_utc_and_weeks_on_mondays(self, reset: str, start: datetime, end: datetime) -> None:
        assert period(reset, YEARLY, calendar=True) == Period(start, end)

    def test_quarters_are_those_of_the_year(self) -> None:
        assert period("billing_period", Cycle(ANCHOR, Unit.MONTH, 3), calendar=True) == Period(at(1, 1), at(4, 1))


class TestNever:
    def test_what_never_starts_anew_is_one_period(self) -> None:
        assert recurrence_of(held(Terms(), YEARLY), since=SINCE) == Recurrence()

    def test_nor_does_what_is_summed_up_since_ever_or_what_exists(self) -> None:
        monthly = Terms(reset_period="month")
        assert recurrence_of(held(monthly, YEARLY, aggregate="perpetual"), since=SINCE) == Recurrence()
        counted = held(Terms(), YEARLY, kind=Kind.COUNT)
        assert (counted.aggregate, recurrence_of(counted, since=SINCE)) == ("perpetual", Recurrence())


@given(
    st.sampled_from(ResetPeriod.values),
    st.booleans(),
    st.none()
    | st.builds(Cycle, st.just(ANCHOR), st.sampled_from([Unit.WEEK, Unit.MONTH, Unit.YEAR]), st.integers(1, 6)),
)
def test_now_is_always_within_its_period(reset: str, calendar: bool, cycle: Cycle | None) -> None:
    assert NOW in period(reset, cycle, calendar=calendar)


class TestWhoseCycleCounts:
    feature = Grantable("calls", "Calls", Kind.METERED)
    early, late = Cycle(at(1, 1)), Cycle(at(1, 15))

    def found(self, *sources: Source) -> Cycle | None:
        return resolve([self.feature], sources, at=NOW)["calls"].cycle

    def source(self, origin: Origin, limit: int, cycle: Cycle | None = None) -> Source:
        return Source(origin, f"{origin}:{limit}", {"calls": Grant(limit=limit)}, cycle=cycle)

    def test_that_of_the_plan_that_counts_whatever_is_added_to_it(self) -> None:
        small, large = self.source(Origin.PLAN, 1, self.early), self.source(Origin.PLAN, 2, self.late)
        more = self.source(Origin.ADD_ON, 100, self.early)
        assert self.found(small, large, more) == self.late

    def test_beneath_an_override_that_of_the_plans(self) -> None:
        override = self.source(Origin.OVERRIDE, 9)
        assert self.found(override, self.source(Origin.PLAN, 1, self.early)) == self.early
        assert self.found(override) is None

    def test_a_default_plan_has_none(self) -> None:
        assert self.found(self.source(Origin.DEFAULT_PLAN, 1)) is None
        assert self.found() is None
