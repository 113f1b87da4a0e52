"""A tenant's credits of one feature, and what can happen to them.

Each change is a movement: so many credits into or out of one lot (a grant), or, without
a lot, out of or back into the overdraft. The balance is the sum of all movements, and at
the same time what remains of the lots that count, less the debt. As long as there is
debt nothing remains.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime
from uuid import UUID, uuid4

from apps.core.periods import BEGINNING, FOREVER, Period
from apps.credits.types import ORDINARY_PRIORITY, Category, EntryKind, HoldState

# Of what expires together: first what was given away, last what was paid for.
CATEGORY_ORDER = {
    Category.PROMOTIONAL: 0,
    Category.ROLLOVER: 1,
    Category.PLAN: 2,
    Category.MANUAL: 3,
    Category.PAID: 4,
}


@dataclass
class Lot:
    """One grant. `counted_at` None: it is not effective yet; all of it remains, outside of the balance."""

    category: str
    amount: int
    effective_at: datetime
    created_at: datetime
    expires_at: datetime | None = None
    priority: int = ORDINARY_PRIORITY
    remaining: int = 0
    held: int = 0
    counted_at: datetime | None = None
    voided_at: datetime | None = None
    period: Period | None = None
    reason: str = ""
    author: str = ""
    id: UUID = field(default_factory=uuid4)

    @property
    def is_counted(self) -> bool:
        """Whether it is part of the balance."""
        return self.counted_at is not None

    def is_over(self, at: datetime) -> bool:
        """Whether it has no say any more; it ends before `expires_at`, not with it."""
        return self.voided_at is not None or (self.expires_at is not None and self.expires_at <= at)


@dataclass(frozen=True)
class Hold:
    """Credits set aside: how many of which lot. What was not there is in no part, and overdrawn when it is spent."""

    amount: int
    parts: tuple[tuple[UUID, int], ...]
    expires_at: datetime


@dataclass(frozen=True)
class Movement:
    """One line of the ledger."""

    seq: int
    kind: EntryKind
    amount: int
    balance_after: int
    lot: UUID | None
    at: datetime
    note: str = ""


def burn_order(lot: Lot) -> tuple[int, datetime, int, datetime, datetime, int]:
    """Lowest first: priority, expiry, category, effective, created."""
    return (
        lot.priority,
        lot.expires_at or FOREVER,
        CATEGORY_ORDER[Category(lot.category)],
        lot.effective_at,
        lot.created_at,
        lot.id.int,
    )


@dataclass
class Wallet:
    """The state, changed by its methods. `at`: up to when time has been taken into account.

    `spent` counts what was spent since the movement `spent_after`, with which the plan's
    `period` began; `granted` is what the plan has given in it. `full` is what there was when
    the period began and what has come in since; without a plan, what there was when something
    came in last, at `full_at`.
    """

    lots: dict[UUID, Lot] = field(default_factory=dict)
    holds: dict[UUID, Hold] = field(default_factory=dict)
    debt: int = 0
    at: datetime = BEGINNING
    period: Period | None = None
    granted: int = 0
    spent: int = 0
    spent_after: int = 0
    full: int = 0
    full_at: datetime | None = None
    crossed: tuple[str, ...] = ()
    seq: int = 0
    movements: list[Movement] = field(default_factory=list)
    closed: dict[UUID, tuple[HoldState, datetime]] = field(default_factory=dict)
    balance: int = field(init=False)

    def __post_init__(self) -> None:
        self.balance = self.available - self.debt

    @property
    def available(self) -> int:
        """What can be spent without overdraft."""
        return sum(lot.remaining for lot in self.lots.values() if lot.is_counted)

    @property
    def held(self) -> int:
        """What is set aside."""
        return sum(lot.held for lot in self.lots.values())

    @property
    def used(self) -> int:
        """What was spent in the plan's period, or is set aside."""
        return self.spent + sum(each.amount for each in self.holds.values())

    @property
    def limit(self) -> int:
        """What there was to spend in the plan's period."""
        return self.spent + self.held + self.balance

    def spendable(self) -> list[Lot]:
        """The lots of which something can be spent, in the order in which it is."""
        return sorted((lot for lot in self.lots.values() if lot.is_counted and lot.remaining), key=burn_order)

    def schedule(self, lot: Lot) -> None:
        """Take in a lot that is not effective yet."""
        lot.remaining = lot.amount
        self.lots[lot.id] = lot

    def add(self, lot: Lot, *, kind: EntryKind = EntryKind.GRANT, at: datetime, note: str = "") -> None:
        """Let a lot count from now on; what is overdrawn it settles first."""
        self.lots[lot.id] = lot
        lot.counted_at, lot.remaining = at, 0
        self._move(kind, lot.amount, lot, at=at, note=note)
        self._fill(lot.amount, at)
        self._settle_debt(at)

    def _fill(self, amount: int, at: datetime) -> None:
        """Without a plan whoever is running low is told anew each time that something has come in."""
        if self.period:
            self.full += amount
        else:
            self.full, self.full_at, self.crossed = self.balance, at, ()

    def burn(self, amount: int, *, overdraft: bool, at: datetime) -> bool:
        """Spend; False: there is not enough, and nothing has changed."""
        if amount > self.available and not overdraft:
            return False
        self._spend(amount, at)
        return True

    def take_away(self, amount: int, *, at: datetime, note: str) -> bool:
        """Correct downwards; False: there is not enough, and nothing has changed."""
        if amount > self.available:
            return False
        self._take(amount, EntryKind.ADJUST, at, note)
        return True

    def end(self, lot: Lot, kind: EntryKind, *, at: datetime, note: str = "") -> None:
        """Take what remains of a lot out of the balance."""
        if lot.is_counted:
            self._move(kind, -lot.remaining, lot, at=at, note=note)
        lot.remaining = 0

    def roll(self, lots: Iterable[Lot], amount: int, *, at: datetime) -> None:
        """End lots with their period; up to `amount` of what remains is kept, which a new lot takes over."""
        for lot in sorted(lots, key=burn_order):
            kept = min(amount, lot.remaining)
            self._move(EntryKind.ROLLOVER, -kept, lot, at=at)
            amount -= kept
            self.end(lot, EntryKind.EXPIRE, at=at)

    def aside(self) -> list[Lot]:
        """What the plan has given in its period, as far as it is set aside."""
        return [lot for lot in self.lots.values() if lot.held and lot.period and lot.period == self.period]

    def take_along(self, amount: int, *, at: datetime) -> list[tuple[UUID, int]]:
        """Take up to so much of `aside` out of its lots, for `set_aside_again`; returns how much of which hold."""
        lots, taken = {lot.id for lot in self.aside()}, []
        for key, hold in sorted(self.holds.items(), key=lambda each: (each[1].expires_at, each[0])):
            for lot, there in hold.parts:
                part = min(amount, there) if lot in lots else 0
                if not part:
                    continue
                self._repart(key, lot, -part)
                self._move(EntryKind.RELEASE, part, self.lots[lot], at=at)
                self._move(EntryKind.ROLLOVER, -part, self.lots[lot], at=at)
                taken.append((key, part))
                amount -= part
        return taken

    def set_aside_again(self, taken: Iterable[tuple[UUID, int]], lot: Lot, *, at: datetime) -> None:
        """Set the same aside of the lot that takes over."""
        for key, part in taken:
            self._move(EntryKind.HOLD, -part, lot, at=at)
            self._repart(key, lot.id, part)

    def _repart(self, key: UUID, lot: UUID, change: int) -> None:
        hold = self.holds[key]
        self.lots[lot].held += change
        parts = dict(hold.parts)
        parts[lot] = parts.get(lot, 0) + change
        self.holds[key] = replace(hold, parts=tuple(each for each in parts.items() if each[1]))

    def hold(self, key: UUID, amount: int, *, overdraft: bool, at: datetime, expires_at: datetime) -> bool:
        """Set aside; False: there is not enough, and nothing has changed."""
        if amount > self.available and not overdraft:
            return False
        parts = self._take(min(amount, self.available), EntryKind.HOLD, at)
        for lot, part in parts:
            self.lots[lot].held += part
        self.holds[key] = Hold(amount, parts, expires_at)
        return True

    def release(self, key: UUID, *, state: HoldState, at: datetime) -> None:
        """Give back what was set aside. Of a lot that is over by then it is over too."""
        self._give_back(self._close(key, state, at), at)
        self.sweep(at)
        self._settle_debt(at)

    def confirm(self, key: UUID, amount: int, *, at: datetime) -> None:
        """Spend of what was set aside, also where its lot is over by now, and give back the rest."""
        hold = self._close(key, HoldState.CONFIRMED, at)
        self._give_back(hold, at)
        left = amount
        for lot, part in hold.parts:
            spent = min(left, part)
            self._move(EntryKind.BURN, -spent, self.lots[lot], at=at)
            left -= spent
        self.spent += amount - left
        self.sweep(at)
        self._settle_debt(at)
        self._spend(left, at)

    def begin(self, period: Period | None) -> None:
        """Let the plan's period begin, in which nothing has been granted or spent."""
        self.period, self.granted, self.spent, self.crossed = period, 0, 0, ()
        self.spent_after = self.seq
        self.full, self.full_at = self.balance, None if period else self.at

    def cross(self, thresholds: Iterable[int]) -> tuple[str, ...]:
        """The thresholds reached that have not been told in this period, by name; they are told with this.

        They are per cent of `full`, and it does not matter what became of the credits.
        """
        gone = self.full - self.balance
        names = [str(each) for each in sorted(thresholds) if gone > 0 and gone * 100 >= each * self.full]
        if self.balance < 0:
            names.append("over")
        fresh = tuple(each for each in names if each not in self.crossed)
        self.crossed += fresh
        return fresh

    def _spend(self, amount: int, at: datetime) -> None:
        there = min(amount, self.available)
        self._take(there, EntryKind.BURN, at)
        self._move(EntryKind.BURN, there - amount, None, at=at)
        self.spent += amount

    def _take(self, amount: int, kind: EntryKind, at: datetime, note: str = "") -> tuple[tuple[UUID, int], ...]:
        parts = []
        for lot in self.spendable():
            if not amount:
                break
            part = min(amount, lot.remaining)
            self._move(kind, -part, lot, at=at, note=note)
            amount -= part
            parts.append((lot.id, part))
        return tuple(parts)

    def _close(self, key: UUID, state: HoldState, at: datetime) -> Hold:
        self.closed[key] = (state, at)
        return self.holds.pop(key)

    def _give_back(self, hold: Hold, at: datetime) -> None:
        for lot, part in hold.parts:
            self.lots[lot].held -= part
            self._move(EntryKind.RELEASE, part, self.lots[lot], at=at)

    def sweep(self, at: datetime) -> None:
        """End what came back to lots that are over."""
        for lot in self.spendable():
            if lot.is_over(max(at, self.at)):
                self.end(lot, EntryKind.VOID if lot.voided_at else EntryKind.EXPIRE, at=at)

    def _settle_debt(self, at: datetime) -> None:
        if not self.debt:
            return
        for lot in self.spendable():
            part = min(self.debt, lot.remaining)
            self._move(EntryKind.SETTLE, -part, lot, at=at)
            self._move(EntryKind.SETTLE, part, None, at=at)

    def _move(self, kind: EntryKind, amount: int, lot: Lot | None, *, at: datetime, note: str = "") -> None:
        if not amount:
            return
        if lot is None:
            self.debt -= amount
        else:
            lot.remaining += amount
        self.balance += amount
        self.seq += 1
        self.movements.append(Movement(self.seq, kind, amount, self.balance, lot.id if lot else None, at, note))
