"""The pages on which a member works."""

import re
import runpy
import sys
from types import SimpleNamespace
from typing import Any

import pytest
from django.test import Client

from apps.core.actors import Actor
from apps.credits.models import LedgerEntry
from apps.showcase import services
from apps.showcase.models import Project, Task
from apps.tenants import context
from apps.tenants.models import Tenant
from tests.factories import NOW, make_tenant
from tests.pages.reading import text


@pytest.fixture
def project(acme: Tenant, actor: Actor) -> Project:
    """A project that is there already."""
    with context.enter(acme):
        return services.create_project(tenant=acme, name="Relaunch", actor=actor, by="max", now=NOW)


def read(answer: Any) -> str:
    """What is read on a page that was answered, refused or not."""
    answer.status_code = 200
    return text(answer)


def key_of(page: Any) -> str:
    """The key in a page's form."""
    found = re.search(r'name="key" value="([0-9a-f-]{36})"', page.content.decode())
    assert found
    return found[1]


def counted(tenant: Tenant) -> tuple[int, int]:
    with context.enter(tenant):
        return Project.objects.count(), Task.objects.count()


@pytest.mark.parametrize("path", ["/app/", "/app/new/", "/app/projects/00000000-0000-0000-0000-000000000000/"])
def test_strangers_are_asked_to_sign_in(acme: Tenant, path: str) -> None:
    answer = Client(HTTP_HOST="acme.localhost").get(path)

    assert answer["Location"] == f"/accounts/login/?next={path}"


def test_a_member_creates_a_project_and_its_tasks(acme: Tenant, client: Client) -> None:
    assert "No projects yet" in text(client.get("/app/"))
    page = client.get("/app/new/")
    assert "Costs 2 credits; 10 are left." in text(page)

    made = client.post("/app/new/", {"name": "Relaunch", "description": "<b>All</b>", "key": key_of(page)})
    shown = client.get(made["Location"])
    client.post(made["Location"], {"title": "Write the brief", "key": key_of(shown)})

    assert "Costs 1 credit; 8 are left." in text(shown)
    page = client.get(made["Location"]).content.decode()
    assert "Write the brief" in page
    assert "&lt;b&gt;All&lt;/b&gt;" in page
    listed = text(client.get("/app/"))
    assert "1 project of Acme." in listed
    assert "0 of 1 task done" in listed


def test_sent_twice_it_is_made_and_charged_once(acme: Tenant, client: Client) -> None:
    form = {"name": "Relaunch", "key": key_of(client.get("/app/new/"))}

    first, second = client.post("/app/new/", form), client.post("/app/new/", form)

    assert first["Location"] == second["Location"]
    assert counted(acme) == (1, 0)
    assert LedgerEntry.objects.filter(kind="burn").count() == 1


def test_sent_again_with_another_name_it_asks_once_more(acme: Tenant, client: Client) -> None:
    key = key_of(client.get("/app/new/"))
    client.post("/app/new/", {"name": "One", "key": key})

    again = client.post("/app/new/", {"name": "Two", "key": key})

    assert "This form has made “One” already." in text(again)
    assert 'value="Two"' in again.content.decode()
    client.post("/app/new/", {"name": "Two", "key": key_of(again)})
    assert counted(acme) == (2, 0)


def test_at_the_limit_the_page_says_so_and_shows_the_way_to_more(acme: Tenant, client: Client, settings: Any) -> None:
    settings.TENANTRY_UPGRADE_URL = "/settings/?more"
    for name in ("One", "Two"):
        client.post("/app/new/", {"name": name})
    assert '<button class="button" disabled' in client.get("/app/").content.decode()

    answer = client.post("/app/new/", {"name": "Three"})

    page = answer.content.decode()
    assert answer.status_code == 403
    assert "The limit for projects is reached" in page
    assert 'href="/settings/?more"' in page
    assert 'value="Three"' in page
    assert counted(acme) == (2, 0)


def test_without_credits_the_form_says_so_in_its_place(acme: Tenant, client: Client, project: Project) -> None:
    path = f"/app/projects/{project.pk}/"
    for number in range(10):
        client.post(path, {"title": f"Task {number}"})
    before = counted(acme)

    answer = client.post(path, {"title": "One too many"})

    assert answer.status_code == 403
    assert 'value="One too many"' in answer.content.decode()
    said = read(answer)
    assert "needed, 0 left. They are granted anew in" in said
    assert "See your plan, and how to get more" in said
    assert "Costs 1 credit; none are left." in said
    assert counted(acme) == before == (1, 10)


def test_an_empty_name_is_told_beside_its_field(client: Client) -> None:
    assert "This field is required." in text(client.post("/app/new/", {"name": " "}))


def test_a_task_is_done_and_to_be_done_again(acme: Tenant, client: Client, project: Project) -> None:
    path = f"/app/projects/{project.pk}/"
    client.post(path, {"title": "Brief"})
    with context.enter(acme):
        task = Task.objects.get()

    client.post(f"/app/tasks/{task.pk}/done/", {"done": "yes"})
    assert "1 of 1 done" in text(client.get(path))
    back = client.post(f"/app/tasks/{task.pk}/done/", {"done": ""})
    assert back["Location"] == f"{path}#task-{task.pk}"
    assert "0 of 1 done" in text(client.get(path))


def test_deleting_asks_once_more(acme: Tenant, client: Client, project: Project) -> None:
    client.post(f"/app/projects/{project.pk}/", {"title": "Brief"})
    with context.enter(acme):
        task = Task.objects.get()

    assert "“Relaunch” and its 1 task will be gone for ever." in text(client.get(f"/app/projects/{project.pk}/delete/"))
    assert "“Brief” will be gone" in text(client.get(f"/app/tasks/{task.pk}/delete/"))
    assert counted(acme) == (1, 1)
    client.post(f"/app/tasks/{task.pk}/delete/")
    assert counted(acme) == (1, 0)
    client.post(f"/app/projects/{project.pk}/delete/")
    assert counted(acme) == (0, 0)


def test_what_is_anothers_is_not_found(client: Client, actor: Actor) -> None:
    other = make_tenant("other")
    with context.enter(other):
        theirs = services.create_project(tenant=other, name="Secret", actor=actor, by="eve", now=NOW)

    for path in ("", "delete/"):
        assert client.get(f"/app/projects/{theirs.pk}/{path}").status_code == 404
    assert "Secret" not in text(client.get("/app/"))


def test_where_it_is_not_installed_nothing_links_to_it(
    client: Client, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert 'href="/app/"' in client.get("/settings/").content.decode()
    monkeypatch.setattr("django.apps.apps.is_installed", lambda name: name != "apps.showcase")
    without = SimpleNamespace(**runpy.run_path("config/urls/tenant.py"))
    monkeypatch.setitem(sys.modules, "urls_without_showcase", without)
    settings.ROOT_URLCONF = "urls_without_showcase"

    answer = client.get("/settings/")

    assert answer.status_code == 200
    assert "/app/" not in answer.content.decode()
    assert client.get("/app/").status_code == 404
