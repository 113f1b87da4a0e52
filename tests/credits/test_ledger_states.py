"""Whatever is done to a wallet, in whatever order: the books hold together."""

from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from typing import Any

from django.db import transaction
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from apps.core.errors import IdempotencyKeyReused, ReservationClosed
from apps.credits.errors import NotEnoughCredits, NothingLeft
from apps.credits.models import Account, LedgerEntry, Operation
from apps.credits.types import Category, Granted, Outcome, Spent
from apps.credits.verifying import verify
from tests.credits.conftest import HOUR, PRO, Purse
from tests.factories import NOW

AMOUNTS = st.integers(1, 12)
KEYS = st.sampled_from("abc")
CATEGORIES = st.sampled_from([Category.PAID, Category.PROMOTIONAL, Category.MANUAL])


class Ledger(RuleBasedStateMachine):
    """One wallet on the real database. `answers` are those of the keyed calls, by key."""

    def __init__(self) -> None:
        super().__init__()
        self.undone = transaction.atomic()
        self.undone.__enter__()
        self.purse = Purse()
        self.now = NOW
        self.answers: dict[str, tuple[str, int, Spent | Granted]] = {}
        self.grants: list[Any] = []
        self.reservations: list[Any] = []

    def teardown(self) -> None:
        transaction.set_rollback(True)
        self.undone.__exit__(None, None, None)

    @initialize(plan=st.sampled_from([None, PRO, replace(PRO, overdraft=True)]))
    def begin(self, plan: Any) -> None:
        self.purse.plan = plan

    @rule(days=st.sampled_from([0.02, 1, 31, 100]))
    def time_passes(self, days: float) -> None:
        self.now += timedelta(days=days)

    @rule(amount=AMOUNTS, category=CATEGORIES, lasts=st.none() | st.integers(1, 40), starts=st.integers(0, 2))
    def grant(self, amount: int, category: str, lasts: int | None, starts: int) -> None:
        start = self.now + timedelta(days=starts)
        end = start + timedelta(days=lasts) if lasts else None
        made = self.purse.grant(amount, category=category, effective_at=start, expires_at=end, now=self.now)
        self.grants.append(made.grant_id)

    @rule(amount=AMOUNTS)
    def spend(self, amount: int) -> None:
        before = self.purse.balance(now=self.now)
        spent = self.purse.spend(amount, now=self.now)
        may = amount <= before.amount or (self.purse.plan is not None and self.purse.plan.overdraft)
        assert spent.outcome == (Outcome.BOOKED if may else Outcome.REFUSED)
        assert spent.balance == before.amount - (amount if may else 0)
        assert spent.used == before.used + (amount if may else 0)

    @rule(amount=AMOUNTS, key=KEYS, kind=st.sampled_from(["spend", "grant", "adjust"]))
    def with_a_key(self, amount: int, key: str, kind: str) -> None:
        entries = LedgerEntry.objects.count()
        known = self.answers.get(key)
        try:
            answer = getattr(self.purse, kind)(amount, key=key, now=self.now)
        except IdempotencyKeyReused:
            assert known and known[:2] != (kind, amount)
            assert LedgerEntry.objects.count() == entries
            return
        if known:
            assert known[:2] == (kind, amount) and answer == replace(known[2], outcome=Outcome.REPEATED)
            assert LedgerEntry.objects.count() == entries
        elif answer.outcome == Outcome.BOOKED:
            self.answers[key] = (kind, amount, answer)

    @rule(amount=AMOUNTS, hours=st.integers(1, 48))
    def reserve(self, amount: int, hours: int) -> None:
        held = self.purse.reserve(amount, expires_at=self.now + hours * HOUR, now=self.now)
        if held.reservation_id:
            self.reservations.append(held.reservation_id)

    @precondition(lambda self: self.reservations)
    @rule(data=st.data(), how=st.sampled_from(["confirm", "release"]))
    def end_reservation(self, data: Any, how: str) -> None:
        reservation = data.draw(st.sampled_from(self.reservations))
        with suppress(ReservationClosed):
            getattr(self.purse, how)(reservation, now=self.now)

    @precondition(lambda self: self.grants)
    @rule(data=st.data())
    def void(self, data: Any) -> None:
        grant = data.draw(st.sampled_from(self.grants))
        with suppress(NothingLeft):
            self.purse.void(grant, now=self.now)

    @rule(amount=AMOUNTS)
    def take_away(self, amount: int) -> None:
        before = self.purse.balance(now=self.now).amount
        try:
            assert self.purse.adjust(-amount, now=self.now).balance == before - amount
        except NotEnoughCredits:
            assert amount > max(before, 0)

    @invariant()
    def the_balance_is_the_sum_of_the_ledger(self) -> None:
        assert verify(self.purse.tenant) == []

    @invariant()
    def it_is_not_negative_unless_it_may_be_overdrawn(self) -> None:
        if not (self.purse.plan and self.purse.plan.overdraft):
            assert not Account.objects.filter(balance__lt=0).exists()
            assert not LedgerEntry.objects.filter(balance_after__lt=0).exists()

    @invariant()
    def each_key_was_booked_once(self) -> None:
        keys = list(Operation.objects.filter(idempotency_key__in="abc").values_list("idempotency_key", flat=True))
        assert sorted(keys) == sorted(self.answers)


def test_the_books_hold_together(db: None) -> None:
    run_state_machine_as_test(  # type: ignore[no-untyped-call]
        Ledger,
        settings=settings(
            max_examples=8,
            stateful_step_count=12,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow],
        ),
    )
