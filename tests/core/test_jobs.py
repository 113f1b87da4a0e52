"""Background work: enqueued in the caller's transaction, never lost with its worker."""

from typing import Any

import pytest
from django.db import connection, transaction
from procrastinate.contrib.django import app

from apps.core.jobs import SILENCE_OF_THE_DEAD, enqueue, hold_back, job, purge, retry_stalled
from apps.tenants.context import enter
from tests.factories import make_tenant
from tests.support.working import drain_jobs, failed_jobs
from tests.tenants.probes import at_once, execute

pytestmark = pytest.mark.django_db(transaction=True)

done: list[str] = []


@job(name="tests.note")
def note(text: str) -> None:
    """Notes where it ran."""
    wrapper: Any = connection
    done.append(f"{text} in {wrapper.schema_name}")


@pytest.fixture(autouse=True)
def nothing_done_yet() -> None:
    done.clear()


def jobs() -> list[tuple[str, str]]:
    return [
        (task, status) for task, status in execute("SELECT task_name, status::text FROM procrastinate_jobs ORDER BY id")
    ]


class TestEnqueue:
    def test_goes_away_with_the_callers_transaction(self) -> None:
        with transaction.atomic():
            enqueue("tests.note", text="lost")
            assert jobs() == [("tests.note", "todo")]
            transaction.set_rollback(True)
        assert jobs() == []

    def test_is_seen_by_no_worker_before_the_commit(self) -> None:
        with transaction.atomic():
            enqueue("tests.note", text="hidden")
            assert at_once(jobs) == [[]]
        assert at_once(jobs) == [[("tests.note", "todo")]]

    def test_goes_away_with_a_savepoint_too(self) -> None:
        with transaction.atomic():
            enqueue("tests.note", text="kept")
            with transaction.atomic():
                enqueue("tests.note", text="lost")
                transaction.set_rollback(True)
        drain_jobs()
        assert done == ["kept in public"]

    def test_many_with_one_lock_spoil_no_transaction_and_run_in_their_order(self) -> None:
        with transaction.atomic():
            for number in range(5):
                enqueue("tests.note", lock="customer:cus_1", text=str(number))
        drain_jobs()
        assert done == [f"{number} in public" for number in range(5)]

    def test_works_from_inside_a_tenant(self) -> None:
        with enter(make_tenant()):
            enqueue("tests.note", text="from inside")
        execute("DELETE FROM procrastinate_jobs WHERE task_name <> 'tests.note'")
        drain_jobs()
        assert done == ["from inside in public"]


def test_a_job_starts_in_public_whatever_its_thread_did_before() -> None:
    with enter(make_tenant()):
        app.tasks["tests.note"](text="here")
    assert done == ["here in public"]


class TestRetryStalled:
    def job_of_a_worker(self, *, silent_for: int | None) -> None:
        """A job that a worker has begun; None: a worker whose row was pruned."""
        enqueue("tests.note", lock="customer:cus_1", text="stalled")
        worker = None
        if silent_for is not None:
            heard = "now() - %s * interval '1 second'"
            sql = f"INSERT INTO procrastinate_workers (last_heartbeat) VALUES ({heard}) RETURNING id"
            ((worker,),) = execute(sql, silent_for)
        execute("UPDATE procrastinate_jobs SET status = 'doing', worker_id = %s", worker)

    @pytest.mark.parametrize("silent_for", [SILENCE_OF_THE_DEAD + 1, 3600, None])
    def test_has_the_job_of_a_dead_worker_done(self, silent_for: int | None) -> None:
        self.job_of_a_worker(silent_for=silent_for)
        assert retry_stalled() == 1
        drain_jobs()
        assert done == ["stalled in public"]
        assert failed_jobs() == []

    def test_leaves_the_job_of_a_living_worker_alone(self) -> None:
        self.job_of_a_worker(silent_for=SILENCE_OF_THE_DEAD - 10)
        assert retry_stalled() == 0
        assert jobs() == [("tests.note", "doing")]

    def test_frees_the_lock_so_that_those_behind_it_run(self) -> None:
        self.job_of_a_worker(silent_for=3600)
        enqueue("tests.note", lock="customer:cus_1", text="behind")
        retry_stalled()
        drain_jobs()
        assert done == ["stalled in public", "behind in public"]

    def test_with_nothing_stalled_does_nothing(self) -> None:
        enqueue("tests.note", text="waiting")
        assert retry_stalled() == 0
        assert jobs() == [("tests.note", "todo")]


@job(name="tests.changes_its_mind")
def change_mind() -> None:
    """Asks for a job in a transaction that comes to nothing."""
    done.append("asked")
    with transaction.atomic():
        enqueue("tests.note", text="in vain")
        transaction.set_rollback(True)


def test_a_job_enqueued_by_a_job_shares_the_fate_of_its_transaction() -> None:
    done.clear()
    enqueue("tests.changes_its_mind")
    drain_jobs()
    assert done == ["asked"]


def test_workers_that_start_together_take_over_each_job_once() -> None:
    enqueue("tests.note", text="stalled")
    execute("UPDATE procrastinate_jobs SET status = 'doing'")
    assert sorted(at_once(*[retry_stalled] * 4)) == [0, 0, 0, 1]


class TestHoldingBack:
    """A job that is held back begins after the caller's transaction, and sees what that writes."""

    def take(self) -> int | None:
        """As a worker takes its next job."""
        ((taken,),) = execute("SELECT id FROM procrastinate_fetch_job_v2(NULL, NULL)")
        return taken if taken is None else int(taken)

    def test_no_worker_takes_it_before_the_commit(self) -> None:
        enqueue("tests.note", lock="a", text="held")
        with transaction.atomic():
            assert hold_back("tests.note", lock="a")
            assert at_once(self.take) == [None]
        assert at_once(self.take) != [None]

    def test_several_may_hold_it_at_once(self) -> None:
        enqueue("tests.note", lock="a", text="held")
        with transaction.atomic():
            assert hold_back("tests.note", lock="a")
            assert at_once(lambda: hold_back("tests.note", lock="a")) == [True]

    def test_one_that_has_begun_or_is_just_being_taken_is_not_held_back(self) -> None:
        enqueue("tests.note", lock="a", text="taken")
        with transaction.atomic():
            assert self.take() is not None
            assert at_once(lambda: hold_back("tests.note", lock="a")) == [False]
        assert not hold_back("tests.note", lock="a")

    def test_another_ones_is_not_meant(self) -> None:
        enqueue("tests.note", lock="b", text="another")
        assert not hold_back("tests.note", lock="a")


def test_jobs_that_ended_long_ago_are_forgotten_and_no_others() -> None:
    for text in ("old", "recent", "waiting"):
        enqueue("tests.note", text=text)
    execute("UPDATE procrastinate_jobs SET status = 'failed' WHERE args->>'text' IN ('old', 'recent')")
    execute(
        "UPDATE procrastinate_events SET at = now() - interval '4 days'"
        " WHERE job_id = (SELECT id FROM procrastinate_jobs WHERE args->>'text' = 'old')"
    )
    purge()
    assert execute("SELECT args->>'text' FROM procrastinate_jobs ORDER BY 1") == [("recent",), ("waiting",)]
