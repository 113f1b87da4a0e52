"""In which order credits are spent, and that none appears or disappears."""

from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.credits.engine.wallet import Lot, Wallet, burn_order
from apps.credits.types import Category, EntryKind, HoldState
from tests.credits.wallets import AMOUNTS, DAY, START, assert_sound, lot_of, lots, wallet_of

THREE = st.tuples(AMOUNTS, st.integers(0, 40), AMOUNTS)
SOON, LATER = START + 10 * DAY, START + 20 * DAY


def first_of(*given: Lot) -> int:
    """Which of these lots is spent first, by its place."""
    wallet = wallet_of(*given)
    assert wallet.burn(1, overdraft=False, at=START)
    return [each.id for each in given].index(wallet.movements[-1].lot)  # type: ignore[arg-type]


class TestOrder:
    """Each rule decides only where all those before it leave both equal."""

    def test_the_lower_priority_first(self) -> None:
        assert first_of(lot_of(priority=50, expires_at=SOON), lot_of(priority=10)) == 1

    def test_then_what_expires_sooner_and_what_never_does_last(self) -> None:
        promotional = lot_of(category=Category.PROMOTIONAL)
        assert first_of(promotional, lot_of(expires_at=LATER), lot_of(expires_at=SOON)) == 2

    def test_then_what_was_given_away_before_what_was_paid(self) -> None:
        paid_last = [Category.PAID, Category.MANUAL, Category.PLAN, Category.ROLLOVER, Category.PROMOTIONAL]
        spent = [lot_of(1, each) for each in paid_last]
        wallet = wallet_of(*spent)
        wallet.burn(5, overdraft=False, at=START)
        burnt = [
            wallet.lots[each.lot].category for each in wallet.movements if each.kind == EntryKind.BURN and each.lot
        ]
        assert burnt == paid_last[::-1]

    def test_then_what_was_effective_earlier(self) -> None:
        assert first_of(lot_of(created_at=START - DAY), lot_of(effective_at=START - DAY)) == 1

    def test_then_what_was_made_earlier(self) -> None:
        assert first_of(lot_of(), lot_of(created_at=START - DAY)) == 1


class TestSpending:
    @given(st.lists(lots(), max_size=6), st.lists(AMOUNTS, max_size=6))
    def test_it_goes_lot_by_lot_with_one_movement_for_each(self, given: list[Lot], amounts: list[int]) -> None:
        wallet = wallet_of(*given)
        for amount in amounts:
            before, balance = {each.id: each.remaining for each in wallet.spendable()}, wallet.balance
            done = len(wallet.movements)
            accepted = wallet.burn(amount, overdraft=False, at=START)
            assert accepted == (amount <= balance)
            fresh = wallet.movements[done:]
            assert -sum(each.amount for each in fresh) == (amount if accepted else 0)
            touched = [each.lot for each in fresh]
            assert touched == list(before)[: len(touched)]
            # All but the last are used up.
            assert all(-each.amount == before[each.lot] for each in fresh[:-1] if each.lot)
            assert_sound(wallet)

    @given(st.lists(lots(), max_size=4), st.lists(AMOUNTS, max_size=6))
    def test_without_overdraft_it_never_goes_below_nothing(self, given: list[Lot], amounts: list[int]) -> None:
        wallet = wallet_of(*given)
        spent = sum(each for each in amounts if wallet.burn(each, overdraft=False, at=START))
        assert wallet.balance == sum(each.amount for each in given) - spent >= 0
        assert wallet.used == spent and wallet.limit == sum(each.amount for each in given)

    @given(st.lists(lots(), max_size=4), st.lists(AMOUNTS, max_size=6), st.lists(lots(), max_size=4))
    def test_with_it_it_does_and_what_comes_next_settles_that_first(
        self, given: list[Lot], amounts: list[int], later: list[Lot]
    ) -> None:
        wallet = wallet_of(*given)
        assert all(wallet.burn(each, overdraft=True, at=START) for each in amounts)
        for lot in later:
            wallet.add(lot, at=START)
            assert_sound(wallet)
        assert wallet.balance == sum(each.amount for each in (*given, *later)) - sum(amounts)

    def test_what_is_overdrawn_stands_in_the_ledger_without_a_grant_and_is_settled_in_pairs(self) -> None:
        wallet = wallet_of(lot_of(5))
        wallet.burn(8, overdraft=True, at=START)
        wallet.add(lot_of(10), at=START)
        told = [(each.kind, each.amount, each.lot is not None, each.balance_after) for each in wallet.movements[1:]]
        assert told == [
            (EntryKind.BURN, -5, True, 0),
            (EntryKind.BURN, -3, False, -3),
            (EntryKind.GRANT, 10, True, 7),
            (EntryKind.SETTLE, -3, True, 4),
            (EntryKind.SETTLE, 3, False, 7),
        ]


class TestSettingAside:
    @given(
        st.lists(lots(), max_size=4),
        st.tuples(AMOUNTS, st.integers(0, 40), AMOUNTS),
        st.booleans(),
        st.sampled_from([0, 90]),
    )
    def test_however_it_ends_nothing_is_lost(
        self, given: list[Lot], amounts: tuple[int, int, int], overdraft: bool, days: int
    ) -> None:
        wallet, key = wallet_of(*given), uuid4()
        total, (amount, confirmed, meanwhile) = wallet.balance, amounts
        if not wallet.hold(key, amount, overdraft=overdraft, at=START, expires_at=LATER):
            assert amount > total and not wallet.movements[len(given) :]
            return
        assert_sound(wallet)
        spent = meanwhile if wallet.burn(meanwhile, overdraft=overdraft, at=START) else 0
        late = START + days * DAY
        if min(confirmed, amount):
            wallet.confirm(key, min(confirmed, amount), at=late)
            spent += min(confirmed, amount)
        else:
            wallet.release(key, state=HoldState.RELEASED, at=late)
        assert_sound(wallet)
        assert wallet.spent == spent and not wallet.held
        gone = sum(-each.amount for each in wallet.movements if each.kind == EntryKind.EXPIRE)
        assert wallet.balance == total - spent - gone

    def test_what_is_set_aside_nobody_else_spends(self) -> None:
        wallet, key = wallet_of(lot_of(10)), uuid4()
        wallet.hold(key, 7, overdraft=False, at=START, expires_at=LATER)
        assert not wallet.burn(4, overdraft=False, at=START)
        assert (wallet.balance, wallet.used, wallet.limit) == (3, 7, 10)

    def test_it_is_spent_also_when_its_grant_is_over_by_then_and_only_the_rest_is_over_too(self) -> None:
        wallet, key = wallet_of(lot_of(10, expires_at=SOON)), uuid4()
        wallet.hold(key, 10, overdraft=False, at=START, expires_at=LATER)
        wallet.confirm(key, 6, at=SOON)
        assert [(each.kind, each.amount) for each in wallet.movements[2:]] == [
            (EntryKind.RELEASE, 10),
            (EntryKind.BURN, -6),
            (EntryKind.EXPIRE, -4),
        ]

    def test_of_a_voided_grant_it_does_not_come_back(self) -> None:
        lot, key = lot_of(10), uuid4()
        wallet = wallet_of(lot)
        wallet.hold(key, 4, overdraft=False, at=START, expires_at=LATER)
        wallet.end(lot, EntryKind.VOID, at=START)
        lot.voided_at = START
        wallet.release(key, state=HoldState.RELEASED, at=START)
        assert (wallet.balance, wallet.movements[-1].kind) == (0, EntryKind.VOID)


class TestThresholds:
    def crossed(self, *amounts: int) -> list[tuple[str, ...]]:
        wallet = wallet_of(lot_of(10))
        told = []
        for amount in amounts:
            wallet.burn(amount, overdraft=True, at=START)
            told.append(wallet.cross((100, 80)))
        return told

    def test_each_is_told_when_it_is_reached_and_once(self) -> None:
        assert self.crossed(7, 1, 1, 1, 1, 1) == [(), ("80",), (), ("100",), ("over",), ()]

    def test_several_at_once(self) -> None:
        assert self.crossed(11) == [("80", "100", "over")]

    def test_nothing_used_is_below_every_one(self) -> None:
        assert Wallet().cross((0, 80)) == ()


def test_two_that_are_equal_in_all_are_spent_in_one_order_everywhere() -> None:
    one, other = lot_of(), lot_of()
    assert sorted([one, other], key=burn_order) == sorted([other, one], key=burn_order)


@pytest.mark.parametrize("amount", [0, 1])
def test_nothing_is_taken_away_that_is_not_there(amount: int) -> None:
    wallet = wallet_of(lot_of(5))
    assert wallet.take_away(5 + amount, at=START, note="wrong") == (not amount)
    assert wallet.balance == (5 if amount else 0) and wallet.used == 0
