"""The ways that matter most, in a real browser: nothing may be refused by the content security policy."""

import json
import os
import re
import shutil
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from apps.accounts.models import User
from apps.accounts.tokens import welcome_path
from apps.plans.models import PlanVersion
from apps.tenants import context
from apps.tenants.models import Tenant
from tests.factories import PASSWORD, make_member, make_operator, make_tenant

pytestmark = pytest.mark.django_db(transaction=True)

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
NEW_PASSWORD = "a staple and a horse"
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP *.localhost 127.0.0.1",
]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("No Chromium on this machine; `apt-get install chromium` brings one.")
    # Playwright runs an event loop in this thread, which Django takes for a reason to refuse the database.
    before = os.environ.get("DJANGO_ALLOW_ASYNC_UNSAFE")
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield started
        started.close()
    if before is None:
        del os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"]


@pytest.fixture
def complaints() -> list[str]:
    """What the browser complained of, such as a violated policy."""
    return []


@pytest.fixture
def open_page(browser: Browser, complaints: list[str]) -> Iterator[Callable[..., Page]]:
    """Open a tab of somebody new, at a width and in a colour scheme."""
    contexts = []

    def open_one(**options: Any) -> Page:
        somebody = browser.new_context(**options)
        contexts.append(somebody)
        page = somebody.new_page()
        page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        return page

    yield open_one
    for somebody in contexts:
        somebody.close()


@pytest.fixture
def port(live_server: Any) -> int:
    return urlsplit(live_server.url).port or 80


def overflow(page: Page) -> int:
    """How many pixels the page is wider than its window."""
    return int(page.evaluate("document.documentElement.scrollWidth - window.innerWidth"))


def test_the_first_administrator_comes_in_by_their_link_and_goes_out(
    open_page: Callable[..., Page], complaints: list[str], port: int, give_plan: Callable[..., PlanVersion]
) -> None:
    tenant = make_tenant("acme")
    give_plan(tenant, "pro", applications=25, clients=0)
    with context.enter(tenant):
        link = welcome_path(user=User.objects.get(username="ann"))
    page = open_page(java_script_enabled=False)

    page.goto(f"http://acme.localhost:{port}{link}")
    page.get_by_label("Password", exact=True).fill(NEW_PASSWORD)
    page.get_by_label("Password, again").fill(NEW_PASSWORD)
    page.get_by_role("button", name="Save and sign in").click()

    expect(page).to_have_url(f"http://acme.localhost:{port}/settings/")
    expect(page.get_by_role("row", name="Applications")).to_contain_text("25")
    expect(page.get_by_role("row", name="Clients")).to_contain_text("none can be created")
    page.get_by_role("button", name="Sign out").first.click()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    assert complaints == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("path", ["/accounts/login/", "/accounts/password/reset/", "/settings/"])
def test_pages_fit_a_narrow_screen(
    open_page: Callable[..., Page], complaints: list[str], port: int, path: str, scheme: str
) -> None:
    tenant = make_tenant("wayne-enterprises-international-ltd")
    Tenant.objects.filter(pk=tenant.pk).update(state="flagged", state_description="Stripe subscription past due")
    page = open_page(viewport={"width": 360, "height": 740}, color_scheme=scheme)

    page.goto(f"http://{tenant.tenant_id}.localhost:{port}{path}")

    expect(page.get_by_text("Stripe subscription past due").first).to_be_visible()
    assert overflow(page) <= 0
    assert complaints == []


def test_an_operator_holds_a_tenant(open_page: Callable[..., Page], complaints: list[str], port: int) -> None:
    make_operator()
    make_tenant("acme")
    page = open_page(viewport={"width": 1280, "height": 900})

    page.goto(f"http://localhost:{port}/operator/")
    page.get_by_label("Username or e-mail address").fill("olga")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("link", name="Tenants").first.click()
    page.get_by_role("link", name="acme").click()
    page.get_by_role("link", name="Hold", exact=True).click()
    page.get_by_label("Reason").fill("Abuse of the relay")
    page.get_by_role("button", name="Hold the tenant").click()

    expect(page.get_by_text("Acme is on hold.")).to_be_visible()
    expect(page.get_by_text("An operator’s hold, which wins over Stripe")).to_be_visible()
    assert complaints == []
    theirs = open_page()
    theirs.goto(f"http://acme.localhost:{port}/")
    expect(theirs.get_by_text("Abuse of the relay")).to_be_visible()


@pytest.mark.parametrize("width", [390, 1280])
def test_the_operators_lists_open_without_a_complaint(
    open_page: Callable[..., Page], complaints: list[str], port: int, width: int
) -> None:
    make_operator()
    make_tenant("acme")
    page = open_page(viewport={"width": width, "height": 900}, color_scheme="dark")
    page.goto(f"http://localhost:{port}/operator/")
    page.get_by_label("Username or e-mail address").fill("olga")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()

    for path in ("tenants/tenant", "audit/alert", "audit/entry", "plans/managedprice", "billing/event"):
        page.goto(f"http://localhost:{port}/operator/{path}/")
        assert overflow(page) <= 0, path

    assert complaints == []


@pytest.mark.parametrize("width", [360, 1280])
def test_a_member_downloads_their_data(
    open_page: Callable[..., Page], complaints: list[str], port: int, width: int
) -> None:
    make_member(make_tenant("acme"))
    page = open_page(viewport={"width": width, "height": 740}, java_script_enabled=False)
    page.goto(f"http://acme.localhost:{port}/settings/")
    page.get_by_label("Username or e-mail address").fill("max")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()

    page.get_by_role("link", name="My data").click()
    expect(page.get_by_role("heading", name="My data")).to_be_visible()
    assert overflow(page) <= 0
    with page.expect_download() as download:
        page.get_by_role("button", name="Download my data").click()

    assert re.fullmatch(r"acme-my-data-\d{4}-\d\d-\d\d\.json", download.value.suggested_filename)
    document = json.loads(download.value.path().read_text())
    assert document["sections"]["account"]["data"]["email"] == "max@acme.example"
    expect(page.get_by_role("heading", name="My data")).to_be_visible()
    assert complaints == []
