"""Many at once against one limit."""

import threading
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection, transaction
from django.db.models import F

from apps.core import clock
from apps.credits.models import Account
from apps.entitlements import settling, snapshot
from apps.entitlements.errors import LimitReached
from apps.entitlements.limiting import ceilings, guarding
from apps.entitlements.limiting.ceilings import Held
from apps.entitlements.models import Ceiling
from apps.entitlements.snapshot import snapshot_of
from apps.plans import catalogue, renewing
from apps.plans.resolution import Grant
from apps.showcase.models import Project
from apps.tenants import context, schema
from apps.tenants.models import Tenant
from tests.entitlements.limits import (
    allow,
    count,
    define_projects,
    insert,
    make_limited,
    project,
    without_triggers,
)
from tests.factories import NOW, SOMEBODY, make_tenant
from tests.tenants.probes import at_once, execute, wait_for_waiter

MANY = 32
LIMIT = 10


@pytest.fixture
def acme(transactional_db: None) -> Tenant:
    return make_limited(projects=LIMIT)


def outcomes(work: Callable[[], Any], times: int = MANY) -> Counter[str]:
    """What came of each: `ok`, or the name of what it raised."""
    found = at_once(*[work] * times)
    return Counter("ok" if each is None else type(each).__name__ for each in found)


def save(tenant: Tenant) -> None:
    with context.enter(tenant):
        project().save()


class TestThirtyTwoAtOnce:
    def test_exactly_the_limit_is_accepted(self, acme: Tenant) -> None:
        assert outcomes(lambda: save(acme)) == {"ok": LIMIT, "LimitReached": MANY - LIMIT}
        assert count(acme) == LIMIT

    def test_by_the_model_alone(self, acme: Tenant) -> None:
        """As on an engine that has no triggers."""
        without_triggers(acme)
        assert outcomes(lambda: save(acme)) == {"ok": LIMIT, "LimitReached": MANY - LIMIT}
        assert count(acme) == LIMIT

    def test_by_the_last_wall_alone(self, acme: Tenant) -> None:
        assert outcomes(lambda: insert(acme)) == {"ok": LIMIT, "LimitReached": MANY - LIMIT}
        assert count(acme) == LIMIT

    def test_with_both_switched_off_there_are_too_many(self, acme: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
        """Each counts, and inserts when all have counted: that is what the lock is there against."""
        everybody = threading.Barrier(MANY, timeout=20)
        fits = guarding._fits
        without_triggers(acme)
        monkeypatch.setattr(guarding, "hold", lambda **asked: [Held("projects", LIMIT, "a plan")])
        monkeypatch.setattr(guarding, "_fits", lambda *asked: (fits(*asked), everybody.wait())[0])
        assert outcomes(lambda: save(acme)) == {"ok": MANY}
        assert count(acme) == MANY > LIMIT

    def test_several_rows_each_are_all_or_none(self, acme: Tenant) -> None:
        def save_four() -> None:
            with context.enter(acme):
                Project.objects.bulk_create(project(number) for number in range(4))

        assert outcomes(save_four, times=8) == {"ok": 2, "LimitReached": 6}
        assert count(acme) == 8

    def test_within_longer_transactions(self, acme: Tenant) -> None:
        def save_two() -> None:
            with context.enter(acme), transaction.atomic():
                save(acme)
                save(acme)

        assert outcomes(save_two, times=12) == {"ok": 5, "LimitReached": 7}
        assert count(acme) == LIMIT


class TestTwo:
    """One holds the limit while another comes."""

    def test_the_second_waits_for_the_first_and_finds_its_row(self, acme: Tenant) -> None:
        allow(acme, 1)
        inserted = threading.Event()

        def first() -> None:
            with context.enter(acme), transaction.atomic():
                project().save()
                inserted.set()
                wait_for_waiter()

        def second() -> None:
            inserted.wait(10)
            save(acme)

        done, refused = at_once(first, second)
        assert done is None and isinstance(refused, LimitReached)

    def test_what_the_first_takes_back_the_second_gets(self, acme: Tenant) -> None:
        allow(acme, 1)
        inserted = threading.Event()

        def first() -> None:
            with context.enter(acme), transaction.atomic():
                project().save()
                inserted.set()
                wait_for_waiter()
                transaction.set_rollback(True)

        def second() -> None:
            inserted.wait(10)
            insert(acme)

        assert at_once(first, second) == [None, None]
        assert count(acme) == 1

    def test_a_limit_that_is_lowered_meanwhile_is_the_one_that_counts(self, acme: Tenant) -> None:
        saved = threading.Event()

        def lower() -> None:
            with transaction.atomic():
                allow(acme, 0)
                saved.set()
                wait_for_waiter()

        def second() -> None:
            saved.wait(10)
            save(acme)

        lowered, refused = at_once(lower, second)
        assert lowered is None and isinstance(refused, LimitReached)

    def test_who_is_not_limited_waits_for_nobody(self, acme: Tenant) -> None:
        allow(acme, None)
        inserted, other_done = threading.Event(), threading.Event()

        def first() -> None:
            with context.enter(acme), transaction.atomic():
                project().save()
                inserted.set()
                assert other_done.wait(10)

        def second() -> None:
            inserted.wait(10)
            save(acme)
            other_done.set()

        assert at_once(first, second) == [None, None]

    def test_renewing_what_stays_as_it_is_waits_for_nobody(self, acme: Tenant) -> None:
        inserted, renewed = threading.Event(), threading.Event()

        def first() -> None:
            with context.enter(acme), transaction.atomic():
                project().save()
                inserted.set()
                assert renewed.wait(10)

        def second() -> None:
            inserted.wait(10)
            allow(acme, 5, "users")
            renewed.set()

        assert at_once(first, second) == [None, None]

    def test_another_tenant_does_not_wait(self, acme: Tenant) -> None:
        beta = make_limited("beta")
        with context.enter(acme), transaction.atomic():
            project().save()
            assert at_once(lambda: save(beta)) == [None]


def test_several_limits_are_held_in_one_order(acme: Tenant) -> None:
    allow(acme, 5, "users")
    with transaction.atomic():
        held = ceilings.hold(tenant_key=acme.pk, features=["users", "projects", "nothing"])
        assert [(each.feature, each.most) for each in held] == [("projects", LIMIT), ("users", 5)]
        assert connection.in_atomic_block


def test_they_are_locked_in_key_order_however_they_are_found(acme: Tenant) -> None:
    """Who waits for the first holds none of the others."""
    allow(acme, 5, "users")
    # So that the first is found last.
    Ceiling.objects.filter(tenant_uuid=acme.pk, feature="projects").update(version=F("version") + 1)

    def hold_both() -> None:
        with transaction.atomic():
            execute("SET LOCAL enable_indexscan = off; SET LOCAL enable_bitmapscan = off")
            ceilings.hold(tenant_key=acme.pk, features=["users", "projects"])

    def hold_the_first() -> list[str]:
        with transaction.atomic():
            ceilings.hold(tenant_key=acme.pk, features=["projects"])
            holding.set()
            wait_for_waiter()
            free = Ceiling.objects.select_for_update(skip_locked=True).filter(tenant_uuid=acme.pk)
            return sorted(each.feature for each in free)

    def then_both() -> None:
        holding.wait(10)
        hold_both()

    holding = threading.Event()
    assert at_once(hold_the_first, then_both) == [["projects", "users"], None]


def test_what_is_worked_out_while_a_limit_changes_is_the_new_one(acme: Tenant) -> None:
    """As `migrate` does at its end, of a tenant whose ceilings are not there yet."""
    Ceiling.objects.all().delete()
    changed = threading.Event()

    def change() -> None:
        with transaction.atomic():
            allow(acme, 5)
            changed.set()
            wait_for_waiter()

    def work_out() -> None:
        changed.wait(10)
        ceilings.keep_of(acme)

    assert at_once(change, work_out) == [None, None]
    assert Ceiling.objects.get(tenant_uuid=acme.pk, feature="projects").limit == 5


@pytest.mark.parametrize("guarded", [False, True])
def test_a_tenant_made_while_the_default_plan_changes(
    transactional_db: None, monkeypatch: pytest.MonkeyPatch, guarded: bool
) -> None:
    """Its entitlements are never of a version that was worked out before the change."""
    if not guarded:
        monkeypatch.setattr(ceilings, "lock_until_commit", lambda *asked, **shared: None)
    define_projects()
    publish(50)
    catalogue.set_default_plan(key="free", actor=SOMEBODY, now=NOW)
    published, made = threading.Event(), threading.Event()

    def change() -> None:
        with transaction.atomic():
            publish(2)
            published.set()
            if guarded:
                wait_for_waiter()
            else:
                made.wait(10)

    def make() -> int | None:
        published.wait(10)
        tenant = make_tenant("late", ready=False)
        known = snapshot_of(tenant, now=NOW).features["projects"].entitlement.limit
        schema.create(tenant)
        made.set()
        return known

    snapshot.kept.clear()
    _, known = at_once(change, make)
    late = Tenant.objects.get(tenant_id="late")
    kept = snapshot_of(late, now=NOW).features["projects"].entitlement.limit
    enforced = Ceiling.objects.get(tenant_uuid=late.pk, feature="projects").limit
    assert (known, kept, enforced) == ((2, 2, 2) if guarded else (50, 50, 50))


def publish(projects: int) -> None:
    catalogue.publish_plan(key="free", grants={"projects": Grant(limit=projects)}, actor=SOMEBODY, now=NOW)


@pytest.mark.parametrize("guarded", [False, True])
def test_who_saves_and_spends_while_the_plan_changes(
    acme: Tenant, monkeypatch: pytest.MonkeyPatch, guarded: bool
) -> None:
    """Both take the ceilings before the wallet; the other way round is a deadlock."""
    if not guarded:
        monkeypatch.setattr(renewing, "_hooks_before", [settling.before_change])
    catalogue.define_feature(key="credits", kind="credits", actor=SOMEBODY, now=NOW)
    allow(acme, 100, "credits")
    settling.settle(tenants=[acme], now=clock.now())
    saved = threading.Event()

    def save_and_spend() -> None:
        with context.enter(acme), transaction.atomic():
            project().save()
            saved.set()
            wait_for_waiter()
            Account.objects.select_for_update().get(tenant_uuid=acme.pk)

    def change() -> None:
        saved.wait(10)
        allow(acme, 3)

    outcomes = at_once(save_and_spend, change)
    assert [type(each).__name__ for each in outcomes if each] == ([] if guarded else ["OperationalError"])
