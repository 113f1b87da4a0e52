"""What time brings: reservations that run out, grants that expire or become effective, the plan's periods.

Everything happens in the order of its moments, so it makes no difference how often, or
how late, somebody looks. At one moment: reservations end, the plan's period turns, grants
expire, grants become effective.
"""

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta
from functools import partial
from uuid import UUID

from apps.core.periods import FOREVER, Period
from apps.credits.engine.rollover import Terms, after
from apps.credits.engine.wallet import Lot, Wallet
from apps.credits.types import MOST, Category, EntryKind, HoldState, PlanCredits

PLANS_OWN = frozenset({Category.PLAN, Category.ROLLOVER})
INSTANT = timedelta(microseconds=1)

# When, before what else at the same moment, and what.
Happening = tuple[datetime, int, Callable[[datetime], None]]


def settle(wallet: Wallet, plan: PlanCredits | None, now: datetime) -> None:
    """Bring a wallet to `now`; one that is past it already stays there.

    `plan`: what the tenant's plan gives now; None: nothing any more, and what it gave last
    runs to its end.
    """
    for until, former in plan.former if plan else ():
        if wallet.at < until <= now:
            _bring(wallet, former, until - INSTANT)
            _bring(wallet, plan, until)
    _bring(wallet, plan, now)


def _bring(wallet: Wallet, plan: PlanCredits | None, now: datetime) -> None:
    now = max(now, wallet.at)
    while happening := _next(wallet, plan, now):
        moment, _, happen = happening
        # What is learned late happens late, never in the past of what has been settled.
        wallet.at = max(wallet.at, moment)
        happen(wallet.at)
    wallet.at = now
    if plan is not None:
        _follow(wallet, plan)


def _next(wallet: Wallet, plan: PlanCredits | None, now: datetime) -> Happening | None:
    happenings = (*_happenings(wallet, wallet.lots.values()), *_turns(wallet, plan, now))
    due = [each for each in happenings if each[0] <= now]
    return min(due, key=lambda each: each[:2], default=None)


def _happenings(wallet: Wallet, lots: Iterable[Lot]) -> Iterator[Happening]:
    """The ends of what is set aside, and beginnings and ends of these lots."""
    for key, hold in wallet.holds.items():
        yield hold.expires_at, 0, partial(_run_out, wallet, key)
    for lot in lots:
        if not lot.remaining:
            continue
        if not lot.is_counted:
            yield lot.effective_at, 3, partial(_count, wallet, lot)
        elif lot.expires_at:
            yield lot.expires_at, 2, partial(_expire, wallet, lot)


def _run_out(wallet: Wallet, key: UUID, at: datetime) -> None:
    wallet.release(key, state=HoldState.EXPIRED, at=at)


def _count(wallet: Wallet, lot: Lot, at: datetime) -> None:
    wallet.add(lot, at=at, note=lot.reason)


def _expire(wallet: Wallet, lot: Lot, at: datetime) -> None:
    wallet.end(lot, EntryKind.EXPIRE, at=at)


def _turns(wallet: Wallet, plan: PlanCredits | None, now: datetime) -> Iterator[Happening]:
    if wallet.period is None:
        if plan and plan.since:
            yield plan.since, 1, lambda at: _follow(wallet, plan)
    elif wallet.period.end != FOREVER:
        yield wallet.period.end, 1, partial(_turn, wallet, plan, wallet.period.end, now)


def _turn(wallet: Wallet, plan: PlanCredits | None, end: datetime, now: datetime, at: datetime) -> None:
    """Let the plan's period end, and the next begin; all at once those in which nothing else happens."""
    if plan is None or (plan.since and plan.since > end):
        wallet.begin(None)
        return
    not_plans_own = [lot for lot in wallet.lots.values() if lot.category not in PLANS_OWN]
    others = [moment for moment, _, _ in _happenings(wallet, not_plans_own)]
    until = min([now, *(moment - INSTANT for moment in others)])
    first, last = plan.recurrence.number_at(end), plan.recurrence.number_at(max(end, until))
    _change(wallet, plan, plan.recurrence.period(last), turns=last - first + 1, ended_at=at)


def _follow(wallet: Wallet, plan: PlanCredits) -> None:
    """Grant what the plan gives at the present moment and has not given yet; it takes nothing back."""
    current = plan.recurrence.period_at(wallet.at)
    if wallet.period is None:
        wallet.begin(current)
    elif wallet.period != current:
        # Its periods are others now: the former one ends before its time.
        _change(wallet, plan, current, turns=1, ended_at=wallet.at)
    _grant(wallet, plan, _terms(plan).amount - wallet.granted)


def _change(wallet: Wallet, plan: PlanCredits, period: Period, *, turns: int, ended_at: datetime) -> None:
    """From the plan's present period to another, so many turns later."""
    terms = _terms(plan)
    ending = [lot for lot in wallet.spendable() if lot.category in PLANS_OWN]
    there, aside = sum(lot.remaining for lot in ending), sum(lot.held for lot in wallet.aside())
    left, debt = after(terms, left=there, debt=wallet.debt, turns=turns - 1)
    kept = whole = terms.kept(left)
    if not wallet.debt:
        # What is set aside is kept as if it were not, so that it is there when it comes back.
        whole = terms.kept(after(terms, left=there + aside, debt=0, turns=turns - 1)[0])
    wallet.roll(ending, kept, at=ended_at)
    along = wallet.take_along(whole - kept, at=ended_at)
    wallet.at = max(ended_at, period.start)
    wallet.begin(period)
    # What the periods between have settled was granted and is gone.
    _add(wallet, plan, Category.PLAN, wallet.debt - debt, kind=EntryKind.GRANT, note=f"of {turns - 1} periods before")
    rolled = _add(wallet, plan, Category.ROLLOVER, whole, kind=EntryKind.ROLLOVER)
    if rolled:
        wallet.set_aside_again(along, rolled, at=wallet.at)
    _grant(wallet, plan, terms.amount)


def _grant(wallet: Wallet, plan: PlanCredits, amount: int) -> None:
    if amount > 0:
        wallet.granted += amount
        _add(wallet, plan, Category.PLAN, amount, kind=EntryKind.GRANT)


def _add(
    wallet: Wallet, plan: PlanCredits, category: Category, amount: int, *, kind: EntryKind, note: str = ""
) -> Lot | None:
    if not amount:
        return None
    period = wallet.period
    lot = Lot(
        category=category,
        amount=amount,
        effective_at=wallet.at,
        created_at=wallet.at,
        expires_at=period.ends if period else None,
        period=period,
        reason=plan.ref,
    )
    wallet.add(lot, kind=kind, at=wallet.at, note=note)
    return lot


def _terms(plan: PlanCredits) -> Terms:
    """What does not fit the books any more is taken for as much as fits."""
    return Terms(min(plan.amount, MOST), min(plan.min_rollover, MOST), min(plan.max_rollover, MOST))
