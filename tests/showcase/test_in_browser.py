"""A member at work on a telephone, in a real browser without scripts."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from apps.entitlements import snapshot
from apps.plans.terms import Kind
from tests.entitlements.granting import define, give_everybody
from tests.factories import PASSWORD, make_member, make_tenant
from tests.pages.test_in_browser import browser, complaints, open_page, overflow, port  # noqa: F401

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_member_makes_a_project_and_finds_it_in_the_ledger(
    open_page: Callable[..., Page],  # noqa: F811
    complaints: list[str],  # noqa: F811
    port: int,  # noqa: F811
) -> None:
    snapshot.kept.clear()
    define("credits", Kind.CREDITS)
    define("projects", Kind.COUNT)
    define("calls")
    give_everybody(credits="10/month", projects="1", calls="100/month")
    make_member(make_tenant("acme"))
    page = open_page(viewport={"width": 360, "height": 740}, color_scheme="dark", java_script_enabled=False)
    page.goto(f"http://acme.localhost:{port}/app/")
    page.get_by_label("Username or e-mail address").fill("max")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()

    page.get_by_role("link", name="New project").click()
    page.get_by_label("Name").fill("Relaunch")
    page.get_by_role("button", name="Create project").click()
    page.get_by_label("New task").fill("Write the brief")
    page.get_by_role("button", name="Add task").click()
    page.get_by_role("button", name="Done: Write the brief").click()
    expect(page.get_by_text("1 of 1 done")).to_be_visible()
    page.get_by_role("link", name="App").click()
    expect(page.get_by_role("button", name="New project")).to_be_disabled()

    for path in ("app", "app/new", "settings/limits", "settings/usage", "settings/credits"):
        page.goto(f"http://acme.localhost:{port}/{path}/")
        assert overflow(page) <= 0, path
    page.get_by_role("link", name="Create a project").click()
    expect(page.get_by_role("heading", name="Relaunch")).to_be_visible()
    assert complaints == []
