"""Many at one wallet at the same moment."""

import threading
from collections.abc import Callable
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction

from apps.credits import books, selectors
from apps.credits.models import Account, LedgerEntry, Operation
from apps.credits.types import Outcome, Spent
from apps.credits.verifying import verify
from tests.credits.conftest import PRO, Purse
from tests.tenants.probes import at_once

THREADS = 32
THERE_IS = 20


@pytest.fixture
def purse(transactional_db: None) -> Purse:
    """As everywhere, but seen from all connections."""
    return Purse()


def together(threads: int, work: Callable[[], Any]) -> list[Any]:
    """What came of so many that begin at one moment, each with a connection of its own."""
    ready = threading.Barrier(threads)

    def start() -> Any:
        connection.ensure_connection()
        ready.wait(30)
        return work()

    return at_once(*[start] * threads)


def booked(outcomes: list[Any]) -> int:
    assert all(isinstance(each, Spent) for each in outcomes), outcomes
    return sum(each.outcome == Outcome.BOOKED for each in outcomes)


def test_exactly_what_is_there_is_spent(purse: Purse) -> None:
    purse.grant(THERE_IS - 5)
    purse.grant(5)
    assert booked(together(THREADS, lambda: purse.spend(1))) == THERE_IS
    assert purse.balance().amount == 0 and verify() == []


def test_whoever_reads_first_and_writes_then_spends_more_than_there_is(purse: Purse) -> None:
    """What the lock is for: the same number of buyers without it."""
    purse.grant(THERE_IS)
    all_have_read = threading.Barrier(THREADS)

    def buy() -> bool:
        found = purse.balance().amount
        all_have_read.wait(30)
        if found:
            Account.objects.filter(tenant_uuid=purse.tenant.pk).update(balance=found - 1)
        return found > 0

    assert sum(together(THREADS, buy)) == THREADS > THERE_IS
    assert Account.objects.get().balance == THERE_IS - 1


def test_with_the_lock_off_they_meet_the_numbering_of_the_ledger(purse: Purse, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second wall: what slips past the lock is an error, never credits that were not there."""
    purse.grant(THERE_IS)
    all_have_read = threading.Barrier(4)
    read = books.read

    def read_together(*args: Any) -> Any:
        found = read(*args)
        all_have_read.wait(30)
        return found

    monkeypatch.setattr(books, "_locked", lambda *args: True)
    monkeypatch.setattr(books, "read", read_together)
    outcomes = together(4, lambda: purse.spend(1))
    assert sum(isinstance(each, IntegrityError) for each in outcomes) == 3
    monkeypatch.undo()
    assert purse.balance().amount == THERE_IS - 1 and verify() == []


def test_the_first_use_of_a_wallet_opens_it_once_and_grants_once(purse: Purse) -> None:
    purse.plan = PRO
    assert booked(together(8, lambda: purse.spend(2))) == 5
    assert list(LedgerEntry.objects.filter(kind="grant").values_list("amount", flat=True)) == [10]
    assert verify() == []


def test_one_key_a_hundred_times_at_once_is_booked_once_and_answered_alike(purse: Purse) -> None:
    purse.grant(THERE_IS)

    def five_times() -> list[Spent]:
        return [purse.spend(3, key="order-1") for _ in range(5)]

    answers = [answer for each in together(20, five_times) for answer in each]
    assert booked(answers) == 1
    assert {(each.balance, each.used, each.limit, each.operation_id) for each in answers} == {
        (THERE_IS - 3, 3, THERE_IS, Operation.objects.get(kind="spend").id)
    }
    assert purse.entries()[1:] == [("burn", -3, THERE_IS - 3)]


def test_a_repeated_and_a_refused_call_leave_the_transaction_to_go_on_and_commit(purse: Purse) -> None:
    purse.grant(5)
    purse.spend(1, key="order-1")
    with transaction.atomic():
        assert purse.spend(1, key="order-1").outcome == Outcome.REPEATED
        assert purse.spend(9).outcome == Outcome.REFUSED
        assert purse.spend(2, key="order-2").outcome == Outcome.BOOKED
    (seen,) = at_once(
        lambda: selectors.balance(tenant=purse.tenant, feature="credits", plan=None, now=PRO.recurrence.anchor)
    )
    assert seen.amount == 2


def test_whoever_rolls_back_has_spent_nothing_and_may_use_the_key_again(purse: Purse) -> None:
    purse.grant(5)
    with transaction.atomic():
        purse.spend(3, key="order-1")
        transaction.set_rollback(True)
    assert purse.balance().amount == 5
    assert purse.spend(4, key="order-1").outcome == Outcome.BOOKED
