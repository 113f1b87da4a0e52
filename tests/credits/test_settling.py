"""What time brings, however late somebody looks."""

from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from datetime import datetime
from uuid import uuid4

from hypothesis import given, settings
from hypothesis import strategies as st

from apps.core.periods import Period, Recurrence, Unit, add_months
from apps.credits.engine.rollover import Terms, after
from apps.credits.engine.settling import INSTANT, settle
from apps.credits.engine.wallet import Lot, Wallet
from apps.credits.types import Category, EntryKind, PlanCredits
from tests.credits.wallets import (
    AMOUNTS,
    DAY,
    HOUR,
    MOMENTS,
    START,
    assert_sound,
    lot_of,
    lots,
    plan_of,
    plans,
    shape,
    wallet_of,
)

NEXT = add_months(START, 1)
NUMBERS = st.integers(0, 50)
TERMS = st.builds(Terms, NUMBERS, NUMBERS, NUMBERS)


def begun(plan: PlanCredits | None, *lots: Lot, at: datetime = START) -> Wallet:
    wallet = wallet_of(*lots)
    settle(wallet, plan, at)
    return wallet


def amounts(wallet: Wallet) -> dict[str, int]:
    """What remains, by category."""
    found: dict[str, int] = {}
    for lot in wallet.spendable():
        found[lot.category] = found.get(lot.category, 0) + lot.remaining
    return found


class TestRollover:
    @given(TERMS, NUMBERS, st.integers(0, 200), st.integers(0, 30))
    def test_many_turns_at_once_are_the_same_as_one_by_one(
        self, terms: Terms, left: int, debt: int, turns: int
    ) -> None:
        left = 0 if debt else left
        assert after(terms, left=left, debt=debt, turns=turns) == one_by_one(terms, left, debt, turns)

    @given(NUMBERS, NUMBERS, NUMBERS, NUMBERS, st.integers(1, 30))
    def test_without_debt_it_is_the_closed_form(
        self, amount: int, least: int, most: int, left: int, turns: int
    ) -> None:
        rolled = min(most, max(left, least) + (turns - 1) * amount)
        assert after(Terms(amount, least, most), left=left, debt=0, turns=turns) == (rolled + amount, 0)

    def test_it_takes_no_time_however_many(self) -> None:
        assert after(Terms(1, 0, 0), left=0, debt=10**12, turns=10**12 + 5) == (1, 0)

    def test_what_is_kept_lies_between_the_least_and_the_most(self) -> None:
        kept = Terms(10, 2, 5).kept
        assert [kept(0), kept(3), kept(9)] == [2, 3, 5]


def one_by_one(terms: Terms, left: int, debt: int, turns: int) -> tuple[int, int]:
    for _ in range(turns):
        pool = min(terms.most, max(left, terms.least)) + terms.amount
        paid = min(debt, pool)
        left, debt = pool - paid, debt - paid
    return left, debt


class TestPlansPeriods:
    def test_each_grants_and_what_was_left_expires(self) -> None:
        wallet = begun(plan_of(10))
        wallet.burn(4, overdraft=False, at=START)
        settle(wallet, plan_of(10), NEXT)
        assert amounts(wallet) == {Category.PLAN: 10}
        assert [(each.kind, each.amount, each.at) for each in wallet.movements] == [
            (EntryKind.GRANT, 10, START),
            (EntryKind.BURN, -4, START),
            (EntryKind.EXPIRE, -6, NEXT),
            (EntryKind.GRANT, 10, NEXT),
        ]
        assert (wallet.used, wallet.limit) == (0, 10)

    def test_they_turn_exactly_at_their_end(self) -> None:
        wallet = begun(plan_of(10), at=NEXT - INSTANT)
        assert wallet.period == Period(START, NEXT)
        settle(wallet, plan_of(10), NEXT)
        assert wallet.period == Period(NEXT, add_months(START, 2))

    def test_what_rolls_over_is_a_grant_of_its_own_and_is_spent_first(self) -> None:
        plan = plan_of(10, max_rollover=4)
        wallet = begun(plan)
        settle(wallet, plan, NEXT)
        assert amounts(wallet) == {Category.ROLLOVER: 4, Category.PLAN: 10}
        told = [(each.kind, each.amount) for each in wallet.movements[1:]]
        assert told == [
            (EntryKind.ROLLOVER, -4),
            (EntryKind.EXPIRE, -6),
            (EntryKind.ROLLOVER, 4),
            (EntryKind.GRANT, 10),
        ]
        assert wallet.spendable()[0].category == Category.ROLLOVER

    def test_what_was_paid_for_is_none_of_it(self) -> None:
        wallet = begun(plan_of(10), lot_of(7))
        settle(wallet, plan_of(10), NEXT)
        assert amounts(wallet) == {Category.PAID: 7, Category.PLAN: 10}

    def test_a_year_nobody_looked_leaves_a_line_for_each_change_and_not_for_each_period(self) -> None:
        plan = plan_of(10, Recurrence(Unit.HOUR, 1, START), max_rollover=25)
        wallet = begun(plan)
        settle(wallet, plan, START + 365 * DAY)
        assert amounts(wallet) == {Category.ROLLOVER: 25, Category.PLAN: 10}
        assert len(wallet.movements) == 4

    def test_a_debt_is_settled_by_the_periods_between_and_their_share_is_told(self) -> None:
        plan = plan_of(10, overdraft=True)
        wallet = begun(plan)
        wallet.burn(35, overdraft=True, at=START)
        settle(wallet, plan, add_months(START, 5))
        assert (wallet.balance, wallet.debt) == (10, 0)
        assert [each.note for each in wallet.movements if each.note] == ["of 4 periods before"]
        assert_sound(wallet)

    def test_a_grant_in_between_settles_its_part_of_the_debt_in_its_own_time(self) -> None:
        wallet = begun(plan_of(10, overdraft=True))
        wallet.burn(25, overdraft=True, at=START)
        wallet.schedule(lot_of(20, effective_at=NEXT + DAY))
        settle(wallet, plan_of(10, overdraft=True), add_months(START, 3))
        assert amounts(wallet) == {Category.PAID: 15, Category.PLAN: 10}

    def test_a_bigger_plan_gives_the_rest_at_once_and_a_smaller_takes_nothing(self) -> None:
        wallet = begun(plan_of(10))
        settle(wallet, plan_of(25), START + DAY)
        assert amounts(wallet) == {Category.PLAN: 25}
        settle(wallet, plan_of(5), START + 2 * DAY)
        settle(wallet, plan_of(25), START + 3 * DAY)
        assert amounts(wallet) == {Category.PLAN: 25}
        settle(wallet, plan_of(5), NEXT)
        assert amounts(wallet) == {Category.PLAN: 5}

    def test_to_and_fro_between_plans_gives_nothing_twice(self) -> None:
        wallet = begun(plan_of(10))
        wallet.burn(10, overdraft=False, at=START)
        settle(wallet, None, START + DAY)
        settle(wallet, plan_of(10), START + 2 * DAY)
        assert wallet.balance == 0

    def test_without_a_plan_what_it_gave_last_runs_to_its_end(self) -> None:
        wallet = begun(plan_of(10))
        settle(wallet, None, NEXT - INSTANT)
        assert wallet.balance == 10
        settle(wallet, None, NEXT)
        assert (wallet.balance, wallet.period) == (0, None)

    def test_another_rhythm_ends_the_period_before_its_time(self) -> None:
        wallet = begun(plan_of(10))
        yearly = plan_of(100, Recurrence(Unit.YEAR, 1, START + DAY), max_rollover=3)
        settle(wallet, yearly, START + 2 * DAY)
        assert amounts(wallet) == {Category.ROLLOVER: 3, Category.PLAN: 100}
        assert wallet.period == yearly.recurrence.period_at(START + 2 * DAY)

    def test_what_never_starts_anew_is_given_once(self) -> None:
        once = plan_of(10, Recurrence())
        wallet = begun(once)
        wallet.burn(4, overdraft=False, at=START)
        settle(wallet, once, START + 5000 * DAY)
        assert (wallet.balance, wallet.used, wallet.limit) == (6, 4, 10)

    def test_of_a_plan_that_is_held_since_long_all_periods_count_though_nobody_looked(self) -> None:
        plan = replace(plan_of(10, max_rollover=15), since=START)
        wallet = Wallet()
        settle(wallet, plan, add_months(START, 3))
        assert amounts(wallet) == {Category.ROLLOVER: 15, Category.PLAN: 10}

    def test_of_a_plan_that_came_back_those_between_do_not(self) -> None:
        plan = plan_of(10, max_rollover=15)
        wallet = begun(plan)
        back = replace(plan, since=add_months(START, 4) + DAY)
        settle(wallet, back, add_months(START, 4) + 2 * DAY)
        assert amounts(wallet) == {Category.PLAN: 10}

    def test_more_than_fits_the_books_is_taken_for_as_much_as_fits(self) -> None:
        assert begun(plan_of(2**63 - 1)).balance == 10**15


class TestGrants:
    def test_one_expires_with_the_moment_and_not_before(self) -> None:
        wallet = wallet_of(lot_of(10, expires_at=NEXT))
        settle(wallet, None, NEXT - INSTANT)
        assert wallet.balance == 10
        settle(wallet, None, NEXT)
        assert wallet.balance == 0

    def test_a_scheduled_one_counts_from_its_moment_and_settles_what_is_overdrawn(self) -> None:
        wallet = wallet_of()
        wallet.schedule(lot_of(10, effective_at=NEXT))
        wallet.burn(4, overdraft=True, at=START)
        settle(wallet, None, NEXT - INSTANT)
        assert wallet.balance == -4
        settle(wallet, None, NEXT)
        assert (wallet.balance, wallet.debt, wallet.available) == (6, 0, 6)

    def test_one_that_was_over_before_anybody_looked_has_come_and_gone(self) -> None:
        wallet = wallet_of()
        wallet.schedule(lot_of(10, effective_at=START + DAY, expires_at=START + 2 * DAY))
        settle(wallet, None, NEXT)
        assert [(each.kind, each.at) for each in wallet.movements] == [
            (EntryKind.GRANT, START + DAY),
            (EntryKind.EXPIRE, START + 2 * DAY),
        ]

    def test_what_is_set_aside_comes_back_by_itself(self) -> None:
        wallet = wallet_of(lot_of(10))
        wallet.hold(uuid4(), 4, overdraft=False, at=START, expires_at=NEXT)
        settle(wallet, None, NEXT - INSTANT)
        assert wallet.balance == 6
        settle(wallet, None, NEXT)
        assert (wallet.balance, wallet.held) == (10, 0)

    def test_an_earlier_moment_changes_nothing(self) -> None:
        wallet = begun(plan_of(10), at=NEXT)
        before = shape(wallet)
        settle(wallet, plan_of(10), START)
        assert shape(wallet) == before and wallet.at == NEXT


@st.composite
def scenes(draw: Callable[..., object]) -> tuple[Wallet, PlanCredits | None]:
    """A wallet at START in which all kinds of things are still to come."""
    plan = draw(st.none() | plans())
    wallet = begun(plan, *draw(st.lists(lots(), max_size=3)))  # type: ignore[arg-type,misc]
    for lot in draw(st.lists(lots(scheduled=True), max_size=3)):  # type: ignore[attr-defined]
        if lot.effective_at > START:
            wallet.schedule(lot)
    overdraft = bool(plan and plan.overdraft)  # type: ignore[attr-defined]
    wallet.burn(draw(st.integers(0, 60)), overdraft=overdraft, at=START)  # type: ignore[arg-type]
    for amount, hours in draw(st.lists(st.tuples(AMOUNTS, st.integers(1, 24 * 90)), max_size=2)):  # type: ignore[attr-defined]
        wallet.hold(uuid4(), amount, overdraft=overdraft, at=START, expires_at=START + hours * HOUR)
    return wallet, plan  # type: ignore[return-value]


@settings(max_examples=100, deadline=None)
@given(scenes(), st.lists(MOMENTS, max_size=6), MOMENTS)
def test_settled_late_is_settled_on_time(
    scene: tuple[Wallet, PlanCredits | None], between: list[datetime], end: datetime
) -> None:
    """A job that never runs neither gives nor takes anything."""
    often, plan = scene
    late = deepcopy(often)
    for moment in sorted(between):
        settle(often, plan, min(moment, end))
        assert_sound(often)
    settle(often, plan, end)
    settle(late, plan, end)
    assert_sound(often)
    assert_sound(late)
    assert shape(often) == shape(late)


Stretch = tuple[datetime, PlanCredits | None, PlanCredits | None, datetime]


@st.composite
def stretches(draw: Callable[..., object]) -> list[Stretch]:
    """From when on which plan is held, and what an override gives instead until when."""
    found = []
    for start in sorted(draw(st.sets(MOMENTS, max_size=3))):  # type: ignore[call-overload]
        plan = draw(st.none() | plans())
        until = start + draw(st.integers(1, 24 * 60)) * HOUR  # type: ignore[operator]
        beneath = plan or plan_of(0, Recurrence(), since=start)
        override = draw(st.none() | st.builds(lambda amount, own=beneath: replace(own, amount=amount), NUMBERS))
        found.append((start, plan, override, until))
    return found  # type: ignore[return-value]


def held_at(stretch: Stretch, now: datetime) -> PlanCredits | None:
    """What is handed in at a moment."""
    _, plan, override, until = stretch
    if override and now < until:
        return override
    return replace(plan, former=((until, override),)) if plan and override else plan


@settings(max_examples=50, deadline=None)
@given(scenes(), stretches(), st.lists(MOMENTS, max_size=6), MOMENTS)
def test_so_it_is_when_plans_change_and_overrides_end(
    scene: tuple[Wallet, PlanCredits | None], changes: list[Stretch], between: list[datetime], end: datetime
) -> None:
    """As long as the former terms are settled when terms are changed, and the new ones from then on."""
    often, plan = scene
    late = deepcopy(often)
    present: Stretch = (START, plan, None, START)
    looks = [(moment, None) for moment in between if moment < end]
    for moment, change in sorted([*looks, *((each[0], each) for each in changes)], key=lambda each: each[0]):
        for wallet in (often, late) if change else (often,):
            settle(wallet, held_at(present, moment), moment)
            if change:
                settle(wallet, held_at(change, moment), moment)
        present = change or present
    for wallet in (often, late):
        settle(wallet, held_at(present, end), end)
        assert_sound(wallet)
    assert shape(often) == shape(late)
