"""What follows from everything that has a say: the rules alone."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.core.periods import Unit
from apps.plans.metadata import MAX_LIMIT
from apps.plans.resolution import Entitlement, Grant, Grantable, Origin, Source, Terms, generosity, resolve
from apps.plans.terms import Cycle, Kind

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
SECOND = timedelta(seconds=1)

GATEWAYS = Grantable("gateways", "Gateways", Kind.COUNT, unlimited_when_absent=True)
SEATS = Grantable("seats", "Seats", Kind.COUNT)
CALLS = Grantable("calls", "Calls", Kind.METERED)
SSO = Grantable("sso", "Single sign-on", Kind.SWITCH)
THEME = Grantable("theme", "Theme", Kind.CONFIG)
FEATURES = (GATEWAYS, SEATS, CALLS, SSO, THEME)


def grant_of(said: Any) -> Grant:
    if isinstance(said, Grant):
        return said
    return Grant(limit=said) if said is None or type(said) is int else Grant(value=said)


def source(origin: Origin, ref: str, *, quantity: int = 1, until: datetime | None = None, **said: Any) -> Source:
    grants = {key: grant_of(each) for key, each in said.items()}
    return Source(origin, ref, grants, order=(ref,), quantity=quantity, until=until, reason="they asked")


def plan(ref: str = "plan:pro@1", **said: Any) -> Source:
    return source(Origin.PLAN, ref, **said)


def add_on(ref: str = "plan:extra@1", quantity: int = 1, **said: Any) -> Source:
    return source(Origin.ADD_ON, ref, quantity=quantity, **said)


def default(**said: Any) -> Source:
    return source(Origin.DEFAULT_PLAN, "plan:free@1", **said)


def override(until: datetime | None = None, **said: Any) -> Source:
    return source(Origin.OVERRIDE, "override by olga", until=until, **said)


def found(feature: Grantable, *sources: Source, at: datetime = NOW) -> Entitlement:
    return resolve(FEATURES, sources, at=at)[feature.key]


def traced(entitlement: Entitlement) -> list[tuple[str, str, bool, str]]:
    return [(each.ref, each.says, each.counts, each.why) for each in entitlement.trace]


class TestAbsent:
    def test_an_entity_is_unlimited_without_a_plan_and_in_a_plan_that_is_silent(self) -> None:
        assert found(GATEWAYS).says == "unlimited"
        assert found(GATEWAYS, plan(seats=3)).says == "unlimited"

    @pytest.mark.parametrize("feature", [SEATS, CALLS, SSO, THEME])
    def test_anything_else_is_denied(self, feature: Grantable) -> None:
        assert found(feature).says == "not granted"
        assert found(feature, plan(gateways=3)).most == 0

    def test_a_plan_that_is_silent_about_an_entity_makes_it_unlimited_beside_one_that_limits_it(self) -> None:
        entitlement = found(GATEWAYS, plan("plan:a@1", gateways=5), plan("plan:b@1"))
        assert (entitlement.says, entitlement.source) == ("unlimited", "plan:b@1")
        assert traced(entitlement) == [
            ("plan:a@1", "5", False, "another grants as much or more"),
            ("plan:b@1", "not limited", True, "the most generous"),
        ]


class TestSeveralPlans:
    def test_the_larger_number_counts(self) -> None:
        entitlement = found(SEATS, plan("plan:a@1", seats=5), plan("plan:b@1", seats=9))
        assert (entitlement.limit, entitlement.source) == (9, "plan:b@1")

    def test_unlimited_is_more_than_any_number(self) -> None:
        assert found(SEATS, plan("plan:a@1", seats=None), plan("plan:b@1", seats=10**9)).says == "unlimited"

    def test_on_is_more_than_silent(self) -> None:
        assert found(SSO, plan("plan:a@1"), plan("plan:b@1", sso=True)).granted

    def test_what_starts_anew_more_often_is_compared_by_the_year(self) -> None:
        daily = Grant(limit=100, terms=Terms(reset_period="day"))
        monthly = Grant(limit=1000, terms=Terms(reset_period="month"))
        entitlement = found(CALLS, plan("plan:a@1", calls=monthly), plan("plan:b@1", calls=daily))
        assert (entitlement.limit, entitlement.terms.reset_period) == (100, "day")

    def test_a_highest_value_is_not_more_because_it_is_forgotten_more_often(self) -> None:
        daily = Grant(limit=100, terms=Terms(reset_period="day"))
        monthly = Grant(limit=101, terms=Terms(reset_period="month"))
        said = (plan("plan:a@1", calls=monthly), plan("plan:b@1", calls=daily))
        assert resolve([replace(CALLS, aggregate="max")], said, at=NOW)["calls"].limit == 101

    def test_soft_is_more_than_hard(self) -> None:
        soft = Grant(limit=5, terms=Terms(enforcement="soft"))
        assert found(CALLS, plan("plan:a@1", calls=5), plan("plan:b@1", calls=soft)).terms.enforcement == "soft"

    def test_of_configurations_the_one_that_was_subscribed_first_counts_and_the_trace_says_so(self) -> None:
        entitlement = found(THEME, plan("plan:b@1", theme="red"), plan("plan:a@1", theme="blue"))
        assert entitlement.value == "blue"
        assert traced(entitlement) == [
            ("plan:a@1", "blue", True, "it was subscribed first"),
            ("plan:b@1", "red", False, "the plan that was subscribed first counts"),
        ]


class TestAddOns:
    def test_they_are_added_times_their_quantity(self) -> None:
        entitlement = found(SEATS, plan(seats=5), add_on(quantity=3, seats=10), add_on("plan:more@1", seats=1))
        assert (entitlement.limit, entitlement.origin) == (36, Origin.PLAN)
        assert entitlement.source == "plan:pro@1 + plan:extra@1 + plan:more@1"
        assert [each.says for each in entitlement.trace if each.origin == Origin.ADD_ON] == ["10 × 3", "1"]

    @pytest.mark.parametrize(("base", "more"), [(None, 5), (5, None), (None, None)])
    def test_unlimited_and_anything_is_unlimited(self, base: int | None, more: int | None) -> None:
        assert found(SEATS, plan(seats=base), add_on(seats=more)).says == "unlimited"

    def test_they_are_added_to_the_default_plan_where_there_is_no_other(self) -> None:
        assert found(SEATS, default(seats=1), add_on(seats=10)).limit == 11

    def test_alone_they_are_no_free_pass(self) -> None:
        assert found(GATEWAYS, add_on(gateways=2, quantity=2)).limit == 4
        assert found(GATEWAYS, add_on(seats=2)).most == 0

    def test_they_switch_on_what_no_plan_does(self) -> None:
        assert found(SSO, plan(), add_on(sso=True)).source == "plan:extra@1"

    def test_they_are_added_to_what_counts_in_the_same_period(self) -> None:
        monthly, daily = (Terms(reset_period=each) for each in ("month", "day"))
        entitlement = found(
            CALLS,
            plan(calls=Grant(1000, terms=monthly)),
            add_on("plan:a@1", calls=Grant(500, terms=monthly)),
            add_on("plan:b@1", calls=Grant(1, terms=daily)),
        )
        assert (entitlement.limit, entitlement.terms.reset_period) == (1500, "month")
        assert ("plan:b@1", "1", False, "it counts in another period") in traced(entitlement)

    @pytest.mark.parametrize(("unit", "count", "limit"), [("month", 1, 1600), ("month", 3, 1000), ("year", 1, 1000)])
    def test_a_billing_period_of_one_month_is_a_month(self, unit: str, count: int, limit: int) -> None:
        monthly, billed = (Terms(reset_period=each) for each in ("month", "billing_period"))
        extra = replace(add_on(quantity=2, calls=Grant(300, terms=billed)), cycle=Cycle(NOW, Unit(unit), count))
        entitlement = found(CALLS, plan(calls=Grant(1000, terms=monthly)), extra)
        assert (entitlement.limit, entitlement.terms.reset_period) == (limit, "month")

    def test_a_billing_period_of_one_year_is_a_year_and_no_more_generous(self) -> None:
        yearly, billed = (Terms(reset_period=each) for each in ("year", "billing_period"))
        paid = replace(plan(calls=Grant(500, terms=billed)), cycle=Cycle(NOW, Unit.YEAR))
        assert found(CALLS, paid, add_on(calls=Grant(70, terms=yearly))).limit == 570
        assert found(CALLS, paid, plan("plan:b@1", calls=Grant(600, terms=yearly))).limit == 600

    def test_they_never_come_to_more_than_can_be_counted(self) -> None:
        assert found(SEATS, plan(seats=MAX_LIMIT), add_on(seats=5)).limit == MAX_LIMIT
        assert found(SEATS, add_on(seats=MAX_LIMIT, quantity=2)).limit == MAX_LIMIT


class TestDefaultPlan:
    def test_it_is_for_whoever_holds_no_plan(self) -> None:
        entitlement = found(SEATS, default(seats=2))
        assert (entitlement.limit, entitlement.origin) == (2, Origin.DEFAULT_PLAN)

    def test_a_plan_of_its_own_displaces_it_also_where_that_says_less(self) -> None:
        entitlement = found(SEATS, default(seats=2), plan())
        assert not entitlement.granted
        assert ("plan:free@1", "2", False, "the tenant holds a plan of its own") in traced(entitlement)


class TestOverrides:
    @pytest.mark.parametrize("limit", [0, 3, None])
    def test_it_wins_over_every_plan_for_better_and_for_worse(self, limit: int | None) -> None:
        entitlement = found(SEATS, override(seats=limit), plan(seats=50), add_on(seats=5))
        assert (entitlement.most, entitlement.origin) == (limit, Origin.OVERRIDE)
        assert traced(entitlement)[0] == ("override by olga", entitlement.says, True, WHY)

    def test_it_may_switch_off(self) -> None:
        assert not found(SSO, override(sso=False), plan(sso=True)).granted

    def test_it_limits_an_entity_that_nobody_limits(self) -> None:
        assert found(GATEWAYS, override(gateways=7)).limit == 7

    def test_it_leaves_when_a_number_starts_anew(self) -> None:
        monthly = Grant(limit=1000, terms=Terms(reset_period="month", enforcement="soft"))
        terms = found(CALLS, override(calls=5000), plan(calls=monthly)).terms
        assert (terms.reset_period, terms.enforcement) == ("month", "soft")

    def test_it_ends_by_itself_at_the_very_second(self) -> None:
        until = NOW + 10 * SECOND
        said = (override(until=until, seats=99), plan(seats=5))
        assert found(SEATS, *said, at=until - SECOND).limit == 99
        assert found(SEATS, *said, at=until - timedelta(microseconds=1)).until == until
        over = found(SEATS, *said, at=until)
        assert (over.limit, over.until) == (5, None)
        assert ("override by olga", "99", False, "it is over") in traced(over)


WHY = "it wins over every plan: they asked"

LIMITS = st.none() | st.integers(0, 1000)
GRANTS = st.fixed_dictionaries(
    {},
    optional={
        "gateways": st.builds(Grant, limit=LIMITS),
        "seats": st.builds(Grant, limit=LIMITS),
        "calls": st.builds(
            Grant,
            limit=LIMITS,
            terms=st.builds(
                Terms,
                reset_period=st.sampled_from(["hour", "month", "billing_period", "never"]),
                enforcement=st.sampled_from(["hard", "soft"]),
            ),
        ),
        "sso": st.just(Grant(value=True)),
        "theme": st.builds(Grant, value=st.sampled_from(["red", "blue"])),
    },
)


def sources_of(*origins: Origin) -> Any:
    made = st.builds(
        Source,
        origin=st.sampled_from(origins),
        ref=st.just("plan:any@1"),
        grants=GRANTS,
        quantity=st.integers(1, 4),
        cycle=st.sampled_from([None, Cycle(NOW), Cycle(NOW, count=3), Cycle(NOW, Unit.YEAR)]),
        until=st.none() | st.datetimes(datetime(2026, 1, 1), datetime(2026, 12, 1), timezones=st.just(UTC)),
    )
    return st.lists(made, max_size=6).map(
        lambda found: [
            replace(each, order=(f"{number}",), ref=f"plan:p{number}@1") for number, each in enumerate(found)
        ]
    )


class TestAlways:
    @given(st.data(), sources_of(*(set(Origin) - {Origin.ABSENT})))
    def test_the_order_of_the_sources_is_of_no_account(self, data: st.DataObject, sources: list[Source]) -> None:
        shuffled = data.draw(st.permutations(sources))
        assert resolve(FEATURES, shuffled, at=NOW) == resolve(FEATURES, sources, at=NOW)

    @given(sources_of(Origin.PLAN, Origin.ADD_ON), sources_of(Origin.PLAN, Origin.ADD_ON))
    def test_a_further_plan_or_add_on_never_makes_it_less(self, held: list[Source], further: list[Source]) -> None:
        before = resolve(FEATURES, [*held, plan("plan:held@1")], at=NOW)
        after = resolve(FEATURES, [*held, plan("plan:held@1"), *further], at=NOW)
        for feature in FEATURES:
            assert _amount(feature, after[feature.key]) >= _amount(feature, before[feature.key])

    @given(sources_of(*(set(Origin) - {Origin.ABSENT})))
    def test_what_is_granted_has_a_source_and_every_source_is_in_the_trace(self, sources: list[Source]) -> None:
        for key, entitlement in resolve(FEATURES, sources, at=NOW).items():
            considered = {each.ref for each in entitlement.trace}
            assert considered == {each.ref for each in sources if each.origin != Origin.OVERRIDE or key in each.grants}
            counted = [each.ref for each in entitlement.trace if each.counts]
            assert bool(counted) == (entitlement.origin != Origin.ABSENT)
            assert all(each.why for each in entitlement.trace)

    @given(st.datetimes(datetime(2026, 1, 1), datetime(2026, 12, 1), timezones=st.just(UTC)), st.integers(-5, 5))
    def test_an_override_counts_before_its_end_and_not_from_then_on(self, until: datetime, seconds: int) -> None:
        entitlement = found(SEATS, override(until=until, seats=9), plan(seats=1), at=until + seconds * SECOND)
        assert entitlement.limit == (9 if seconds < 0 else 1)


def _amount(feature: Grantable, entitlement: Entitlement) -> tuple[int, int, int, bool]:
    terms, cycle = entitlement.terms, entitlement.cycle
    if cycle and cycle.count == 1 and terms.reset_period == "billing_period":
        terms = replace(terms, reset_period=cycle.unit.value)
    grant = Grant(entitlement.limit, entitlement.value, terms)
    return generosity(feature, grant if entitlement.granted else None)
