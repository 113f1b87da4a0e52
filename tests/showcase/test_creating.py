"""Making projects and tasks, and what that costs."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.urls import resolve

from apps.accounts import personal
from apps.accounts.models import User
from apps.core.actors import Actor
from apps.credits.models import LedgerEntry
from apps.entitlements.facade import LimitReached, Reason, Refused, check
from apps.showcase import services
from apps.showcase.errors import AlreadyMade
from apps.showcase.models import Project, Task
from apps.tenants.models import Tenant
from tests.factories import NOW

pytestmark = pytest.mark.usefixtures("inside")


@pytest.fixture
def make(acme: Tenant, actor: Actor) -> Any:
    """Create a project."""

    def create(name: str = "Relaunch", **details: Any) -> Project:
        return services.create_project(tenant=acme, name=name, actor=actor, by="max", **{"now": NOW, **details})

    return create


@pytest.fixture
def add(acme: Tenant, actor: Actor) -> Any:
    """Create a task."""

    def create(project: Project, title: str = "Brief", **details: Any) -> Task:
        given = {"now": NOW, **details}
        return services.create_task(tenant=acme, project=project, title=title, actor=actor, by="max", **given)

    return create


def left(tenant: Tenant) -> int | None:
    return check(tenant=tenant, feature="credits", now=NOW).remaining


def test_a_project_costs_two_and_a_task_one(acme: Tenant, actor: Actor, make: Any, add: Any) -> None:
    project = make(description="All of it")
    task = add(project)

    assert left(acme) == 7
    told = LedgerEntry.objects.filter(kind="burn").order_by("seq").values_list("amount", "credit_type", "actor")
    assert list(told) == [
        (-2, "credit-project-creation", actor.label),
        (-1, "credit-task-creation", actor.label),
    ]
    assert (project.created_by, task.created_by) == ("max", "max")


def test_the_ledger_links_to_what_was_made(make: Any, add: Any) -> None:
    task = add(make())

    paths = list(LedgerEntry.objects.filter(kind="burn").order_by("seq").values_list("object_ref", flat=True))
    assert paths[1] == f"{paths[0]}#task-{task.pk}"
    found = resolve(paths[0], urlconf="config.urls.tenant")
    assert (found.view_name, found.kwargs) == ("showcase:project", {"key": task.project_id})


def test_weeks_of_history_can_be_written(acme: Tenant, make: Any, add: Any) -> None:
    long_ago = NOW - timedelta(weeks=5)
    project = make(now=long_ago)
    task = add(project, now=long_ago + timedelta(days=1))

    assert (project.created_at, task.created_at) == (long_ago, long_ago + timedelta(days=1))
    moments = LedgerEntry.objects.filter(kind="burn").order_by("seq").values_list("at", flat=True)
    assert list(moments) == [long_ago, long_ago + timedelta(days=1)]
    assert left(acme) == 10


def test_beyond_the_limit_nothing_is_made_or_charged(acme: Tenant, make: Any) -> None:
    make("One")
    make("Two")

    with pytest.raises(LimitReached) as refused:
        make("Three")

    assert refused.value.decision.limit == 2
    assert (Project.objects.count(), left(acme)) == (2, 6)


def test_without_credits_nothing_is_made(acme: Tenant, make: Any, add: Any) -> None:
    project = make()
    for number in range(8):
        add(project, f"Task {number}")

    with pytest.raises(Refused) as refused:
        make("Another")
    with pytest.raises(Refused):
        add(project, "One too many")

    assert refused.value.decision.reason == Reason.INSUFFICIENT_CREDITS
    assert (Project.objects.count(), Task.objects.count(), left(acme)) == (1, 8, 0)


def test_the_same_key_makes_and_charges_once(acme: Tenant, make: Any, add: Any) -> None:
    key = uuid4()
    project = make(key=key)
    make("Another")
    # Full by now, which does not matter to what is there already.
    assert make(key=key) == project
    task = add(project, key=uuid4())
    assert add(project, key=task.pk) == task

    assert (Project.objects.count(), Task.objects.count(), left(acme)) == (2, 1, 5)


def test_two_at_the_same_moment_make_and_charge_once(acme: Tenant, make: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    key = uuid4()
    first = make(key=key)
    look, looks = services._made_before, iter([True])
    # The other one was not there yet when this one looked.
    monkeypatch.setattr(services, "_made_before", lambda *given: None if next(looks, False) else look(*given))

    assert make(key=key) == first
    assert (Project.objects.count(), left(acme)) == (1, 8)


def test_a_key_that_has_made_something_else_is_refused(acme: Tenant, make: Any, add: Any) -> None:
    key = uuid4()
    make("One", key=key)

    with pytest.raises(AlreadyMade, match="“One” already"):
        make("Two", key=key)
    with pytest.raises(AlreadyMade, match="paid for something else"):
        add(Project.objects.get(), key=key)

    assert (Project.objects.count(), Task.objects.count(), left(acme)) == (1, 0, 8)


def test_deleting_gives_room_but_no_credits(acme: Tenant, make: Any) -> None:
    make("One")
    services.delete(make("Two"))

    make("Three")

    assert left(acme) == 4


def test_a_members_work_is_told_to_them_and_forgotten_to_be_theirs(
    acme: Tenant, make: Any, add: Any, max_: User
) -> None:
    task = add(make())

    told = personal._parts["projects"].export(max_)
    personal._parts["projects"].erase(max_)

    assert [each["title"] for each in told["tasks"]] == ["Brief"]  # type: ignore[index]
    task.refresh_from_db()
    assert (task.created_by, Project.objects.get().created_by) == ("", "")
