"""Locks that PostgreSQL keeps."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from django.db import DataError, IntegrityError, OperationalError, connection, transaction

from apps.core.locks import advisory_lock, lock_until_commit
from tests.tenants.probes import at_once, execute

pytestmark = pytest.mark.django_db(transaction=True)


def can_have(name: str) -> bool:
    """Whether another connection gets the lock now."""

    def attempt() -> bool:
        execute("SET lock_timeout = '50ms'")
        try:
            with advisory_lock(name):
                return True
        except OperationalError:
            return False

    (outcome,) = at_once(attempt)
    assert isinstance(outcome, bool), outcome
    return outcome


class TestAdvisoryLock:
    def test_keeps_another_connection_out_until_it_is_left(self) -> None:
        with advisory_lock("customer:cus_1"):
            assert not can_have("customer:cus_1")
        assert can_have("customer:cus_1")

    def test_of_another_name_is_another_lock(self) -> None:
        with advisory_lock("customer:cus_1"):
            assert can_have("customer:cus_2")

    def test_stays_across_transactions(self) -> None:
        with advisory_lock("name"):
            with transaction.atomic():
                execute("SELECT 1")
            assert not can_have("name")
            with pytest.raises(IntegrityError), transaction.atomic():
                execute("INSERT INTO django_session SELECT NULL")
            assert not can_have("name")
        assert can_have("name")

    @pytest.mark.parametrize(("broken_by", "error"), [("SELECT 1 / 0", DataError), ("", ZeroDivisionError)])
    def test_is_released_when_the_block_fails_and_the_error_is_told(self, broken_by: str, error: type) -> None:
        def fail() -> None:
            if broken_by:
                execute(broken_by)
            raise ZeroDivisionError

        with pytest.raises(error), advisory_lock("name"):
            fail()
        assert can_have("name")

    def test_taken_twice_by_one_connection_is_kept_until_the_outer_is_left(self) -> None:
        with advisory_lock("name"):
            with advisory_lock("name"):
                assert not can_have("name")
            assert not can_have("name")
        assert can_have("name")

    @pytest.mark.parametrize("notices_inside", [True, False])
    def test_ends_with_the_connection_that_held_it(self, notices_inside: bool) -> None:
        """The holder's machine is gone; and the holder is not left in the belief that it held it."""
        with holder("name", notices_inside) as (finish, backend, outcome):
            assert not can_have("name")
            execute("SELECT pg_terminate_backend(%s, 5000)", backend)
            assert can_have("name")
            finish()
        assert isinstance(outcome[0], OperationalError)


@contextmanager
def holder(name: str, notices_inside: bool) -> Iterator[tuple[Callable[[], None], int, list[object]]]:
    """Somebody who holds the lock until told to go on; then perhaps runs a statement, and leaves."""
    holding, go_on = threading.Event(), threading.Event()
    backend: list[int] = []
    outcome: list[object] = []

    def hold() -> None:
        with advisory_lock(name):
            backend.append(connection.connection.info.backend_pid)
            holding.set()
            go_on.wait(20)
            if notices_inside:
                execute("SELECT 1")

    thread = threading.Thread(target=lambda: outcome.extend(at_once(hold)))
    thread.start()
    assert holding.wait(20)

    def finish() -> None:
        go_on.set()
        thread.join(20)

    yield finish, backend[0], outcome
    finish()


class TestLockUntilCommit:
    @pytest.mark.parametrize("ends_in", ["commit", "rollback"])
    def test_is_kept_to_the_end_of_the_transaction(self, ends_in: str) -> None:
        with transaction.atomic():
            with transaction.atomic():
                lock_until_commit("name")
            assert not can_have("name")
            transaction.set_rollback(ends_in == "rollback")
        assert can_have("name")

    def test_and_an_advisory_lock_of_one_name_exclude_each_other(self) -> None:
        with transaction.atomic():
            lock_until_commit("name")
            assert not can_have("name")
