"""Wallets for the tests of the rules, and what must hold of each."""

from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import strategies as st

from apps.core.periods import Recurrence, Unit
from apps.credits.engine.wallet import Lot, Wallet
from apps.credits.types import Category, PlanCredits

START = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)

MONTHLY = Recurrence(Unit.MONTH, 1, START)
AMOUNTS = st.integers(1, 40)
MOMENTS = st.integers(0, 24 * 200).map(lambda hours: START + hours * HOUR)


def plan_of(amount: int = 10, recurrence: Recurrence = MONTHLY, **terms: Any) -> PlanCredits:
    return PlanCredits(amount=amount, recurrence=recurrence, ref="plan:pro@1", **terms)


def lot_of(amount: int = 10, category: str = Category.PAID, **fields: Any) -> Lot:
    return Lot(**{"category": category, "amount": amount, "effective_at": START, "created_at": START, **fields})


def wallet_of(*lots: Lot) -> Wallet:
    wallet = Wallet(at=START)
    for lot in lots:
        wallet.add(lot, at=START)
    return wallet


@st.composite
def lots(draw: Any, *, scheduled: bool = False) -> Lot:
    """Any grant that a person could make."""
    effective_at = draw(MOMENTS) if scheduled else START - draw(st.integers(0, 3)) * DAY
    lasts = draw(st.none() | st.integers(1, 24 * 60))
    return lot_of(
        draw(AMOUNTS),
        draw(st.sampled_from([Category.PROMOTIONAL, Category.MANUAL, Category.PAID])),
        priority=draw(st.sampled_from([0, 50, 50, 100])),
        effective_at=effective_at,
        expires_at=None if lasts is None else max(effective_at, START) + lasts * HOUR,
        created_at=START - draw(st.integers(0, 3)) * DAY,
    )


@st.composite
def plans(draw: Any) -> PlanCredits:
    unit = draw(st.sampled_from([Unit.DAY, Unit.WEEK, Unit.MONTH, Unit.MONTH, Unit.NEVER]))
    return plan_of(
        draw(st.integers(0, 20)),
        Recurrence(unit, draw(st.integers(1, 2)), START - draw(st.integers(0, 40)) * DAY),
        min_rollover=draw(st.integers(0, 8)),
        max_rollover=draw(st.integers(0, 60)),
        overdraft=draw(st.booleans()),
        since=START,
    )


def assert_sound(wallet: Wallet, opening: int = 0) -> None:
    """The balance is the sum of the movements, and what remains less the debt; lots are never below nothing."""
    assert wallet.balance == wallet.available - wallet.debt
    assert wallet.balance == opening + sum(each.amount for each in wallet.movements)
    assert wallet.debt >= 0
    assert not (wallet.debt and wallet.available)
    assert wallet.held == sum(part for hold in wallet.holds.values() for _, part in hold.parts)
    for lot in wallet.lots.values():
        assert lot.remaining >= 0 and lot.held >= 0 and lot.remaining + lot.held <= lot.amount
        own = sum(each.amount for each in wallet.movements if each.lot == lot.id)
        assert own == (lot.remaining if lot.is_counted else 0)
    balance = opening
    for number, each in enumerate(wallet.movements, start=1):
        balance += each.amount
        assert (each.seq, each.balance_after) == (number, balance)


def shape(wallet: Wallet) -> tuple[Any, ...]:
    """What there is, whatever way it came about."""
    there = [each for each in wallet.lots.values() if each.remaining or each.held]
    lots = [
        (each.category, each.remaining, each.held, each.expires_at, each.priority, each.is_counted)
        for each in there
        if not each.is_over(wallet.at)
    ]
    # Of what is over it only matters how much is set aside.
    over = sum(each.held for each in there if each.is_over(wallet.at))
    numbers = (wallet.balance, wallet.debt, wallet.used, wallet.limit, wallet.granted, wallet.full, over)
    return numbers, wallet.period, sorted(lots, key=str)
