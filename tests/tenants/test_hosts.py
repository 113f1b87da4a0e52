"""Which host is answered by whom, and what is refused before a session is read."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.conf import settings
from django.core.cache import cache
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils.http import urlencode

from apps.accounts.tokens import welcome_path
from apps.tenants import cache as tenant_cache
from apps.tenants.context import enter
from apps.tenants.models import Domain, Tenant, Tombstone
from tests.factories import NOW, PASSWORD, make_tenant
from tests.tenants.house import House, browser, sign_in, who_is
from tests.tenants.probes import dump, dump_all, execute

pytestmark = pytest.mark.django_db

PERSONAL = re.compile(r"django_session|accounts_user|account_emailaddress", re.IGNORECASE)


def in_status(status: str) -> Callable[[Tenant], None]:
    return lambda tenant: change(tenant, provisioning=status)


def before_its_domain(tenant: Tenant) -> None:
    change(tenant, provisioning="running")
    Domain.objects.filter(tenant=tenant).delete()


def drop_schema(tenant: Tenant) -> None:
    execute(f'DROP SCHEMA "{tenant.schema_name}" CASCADE')


def close(state: str) -> Callable[[Tenant], None]:
    return lambda tenant: change(tenant, state=state, state_description="Ask Olga about the invoice")


def close_before_it_was_ready(tenant: Tenant) -> None:
    before_its_domain(tenant)
    close("suspended")(tenant)


def bury(tenant: Tenant) -> None:
    Tombstone.objects.create(
        tenant_id=tenant.tenant_id,
        tenant_uuid=tenant.pk,
        schema_name=tenant.schema_name,
        hosts=["acme.localhost"],
        buried_at=NOW,
    )
    drop_schema(tenant)
    Tenant.objects.filter(pk=tenant.pk).delete()


def change(tenant: Tenant, **values: str) -> None:
    Tenant.objects.filter(pk=tenant.pk).update(**values)


UNREACHABLE = {
    "pending": (in_status("pending"), 503),
    "running": (in_status("running"), 503),
    "failed": (in_status("failed"), 503),
    "without its domain yet": (before_its_domain, 503),
    "with its schema dropped": (drop_schema, 503),
    "suspended": (close("suspended"), 403),
    "rejected": (close("rejected"), 403),
    "suspended before it was ready": (close_before_it_was_ready, 403),
    "buried": (bury, 410),
}


@pytest.fixture(params=UNREACHABLE, ids=lambda name: name.replace(" ", "_"))
def unreachable(request: pytest.FixtureRequest, house: House) -> int:
    """Acme in one of the conditions in which nobody may enter; the status it answers."""
    make_so, status = UNREACHABLE[request.param]
    make_so(house.acme)
    return status


class TestAnUnreachableTenant:
    def test_answers_without_reading_a_session(self, unreachable: int, house: House) -> None:
        operator = sign_in("localhost", "olga")
        assert who_is(operator, "localhost") == "olga"
        before = dump("public")
        with CaptureQueriesContext(connection) as log:
            answer = operator.get("/accounts/login/", HTTP_HOST="acme.localhost")
        assert answer.status_code == unreachable
        assert not answer.cookies
        assert [query["sql"] for query in log if PERSONAL.search(query["sql"])] == []
        assert dump("public") == before

    @pytest.mark.parametrize("path", ["/", "/settings/", "/operator/", "/accounts/password/reset/", "/no/such/page"])
    def test_answers_every_page_alike(self, unreachable: int, house: House, path: str) -> None:
        assert browser("acme.localhost").get(path).status_code == unreachable

    @pytest.mark.parametrize("login", ["olga", "olga@vendor.example", "ann", "twin"])
    def test_refuses_credentials_unread(self, unreachable: int, house: House, login: str) -> None:
        before = dump("public")
        with CaptureQueriesContext(connection) as log:
            answer = browser("acme.localhost").post("/accounts/login/", {"login": login, "password": PASSWORD})
        assert answer.status_code == unreachable
        assert not answer.cookies
        assert [query["sql"] for query in log if PERSONAL.search(query["sql"])] == []
        assert dump("public") == before

    def test_is_not_remembered_by_any_browser(self, unreachable: int, house: House) -> None:
        assert "no-store" in browser("acme.localhost").get("/")["Cache-Control"]

    def test_does_not_keep_others_from_being_served(self, unreachable: int, house: House) -> None:
        assert browser("acme.localhost").get("/").status_code == unreachable
        assert who_is(sign_in("beta.localhost", "twin"), "beta.localhost") == "twin"
        assert who_is(sign_in("localhost", "olga"), "localhost") == "olga"


class TestWhatIsSaid:
    def page(self, host: str = "acme.localhost", path: str = "/accounts/login/") -> Any:
        return browser(host).get(path)

    @pytest.mark.parametrize("status", ["pending", "running", "failed"])
    def test_a_tenant_in_the_making_is_to_be_tried_again(self, house: House, status: str) -> None:
        change(house.acme, provisioning=status)
        assert self.page()["Retry-After"].isdigit()

    @pytest.mark.parametrize("state", ["suspended", "rejected"])
    def test_a_closed_tenant_says_why_and_whom_to_ask(self, house: House, state: str) -> None:
        close(state)(house.acme)
        text = self.page().content.decode()
        assert "Ask Olga about the invoice" in text
        assert settings.TENANTRY_SUPPORT_CONTACT.replace("'", "&#x27;") in text

    def test_a_reason_is_text_and_not_markup(self, house: House) -> None:
        change(house.acme, state="suspended", state_description="<script>alert(1)</script>")
        text = self.page().content.decode()
        assert "<script>alert" not in text
        assert "&lt;script&gt;alert" in text

    def test_a_flagged_tenant_works_and_warns_on_every_page(self, house: House) -> None:
        change(house.acme, state="flagged", state_description="Stripe subscription past due")
        assert "Stripe subscription past due" in self.page().content.decode()
        client = sign_in("acme.localhost", "twin")
        for path in ("/settings/", "/accounts/password/change/", "/accounts/logout/"):
            answer = client.get(path)
            assert (answer.status_code, "Stripe subscription past due" in answer.content.decode()) == (200, True), path

    def test_an_approved_tenant_does_not_warn(self, house: House) -> None:
        change(house.acme, state="approved", state_description="Stripe subscription past due")
        assert "Stripe subscription past due" not in self.page().content.decode()

    def test_a_ready_tenant_that_has_left_its_first_host_is_not_said_to_be_coming(self, house: House) -> None:
        Domain.objects.filter(tenant=house.acme).update(domain="acme.example")
        assert self.page("acme.localhost").status_code == 404


def tenant_of(answer: Any) -> Tenant:
    found: Tenant = answer.wsgi_request.tenant
    return found


class TestHostNames:
    @pytest.mark.parametrize(
        "host", ["acme.localhost", "ACME.localhost", "acme.LOCALHOST", "acme.localhost.", "acme.localhost:8000"]
    )
    def test_ways_to_write_one_host(self, house: House, host: str) -> None:
        answer = browser(host).get("/accounts/login/")
        assert (answer.status_code, tenant_of(answer)) == (200, house.acme)

    @pytest.mark.parametrize(
        "host",
        [
            "",
            " ",
            "nobody.localhost",
            "evil.com",
            "acme.localhost.evil.com",
            "evil.com:acme.localhost",
            "acme.localhost@evil.com",
            "acme.localhost/",
            "acme.localhost:80:80",
            "acme.localhost:evil",
            "x.acme.localhost",
            "acme.localhost, beta.localhost",
            "acme%2elocalhost",
            "acme\x00.localhost",
            ".localhost",
            "acme..localhost",
            "[::1]",
            "localhost.evil.com",
        ],
    )
    def test_hosts_on_which_nothing_lives(self, house: House, host: str) -> None:
        with CaptureQueriesContext(connection) as log:
            answer = browser(host).get("/accounts/login/")
        assert answer.status_code == 404
        assert not answer.cookies
        assert [query["sql"] for query in log if PERSONAL.search(query["sql"])] == []

    @pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "LOCALHOST:8000"])
    def test_the_operators_host_is_served_from_public(self, house: House, host: str) -> None:
        answer = browser(host).get("/operator/")
        assert answer.status_code == 302
        assert who_is(sign_in(host, "olga"), host) == "olga"

    def test_the_operators_admin_is_on_no_tenants_host(self, house: House) -> None:
        assert sign_in("acme.localhost", "twin").get("/operator/").status_code == 404

    @pytest.mark.parametrize("header", ["X-Forwarded-Host", "X-Host", "Forwarded"])
    def test_no_other_header_chooses_the_tenant(self, house: House, header: str) -> None:
        answer = browser("acme.localhost").get("/accounts/login/", headers={header: "beta.localhost"})
        assert tenant_of(answer) == house.acme

    def test_a_host_of_its_own_serves_the_tenant_too(self, house: House) -> None:
        Domain.objects.create(domain="app.acme.localhost", tenant=house.acme, is_primary=False)
        assert tenant_of(browser("app.acme.localhost").get("/accounts/login/")) == house.acme


def with_cookies_of(client: Client) -> Client:
    """Another browser with the same cookies: an answer to it takes none away from the first."""
    other = Client()
    other.cookies.load(client.cookies.output(header="", sep=";"))
    return other


PAIRS = [
    ("acme.localhost", "beta.localhost"),
    ("localhost", "acme.localhost"),
    ("acme.localhost", "localhost"),
]


@pytest.mark.parametrize(("home", "abroad"), PAIRS)
class TestAbroad:
    """What opens one host opens no other, though the user there has the same key, name, address and password."""

    def schema_of(self, host: str, house: House) -> str:
        schemas = {tenant: each.schema_name for tenant, each in (("acme", house.acme), ("beta", house.beta))}
        return str(schemas.get(host.removesuffix(".localhost"), "public"))

    def test_a_session_is_nobodys(self, house: House, home: str, abroad: str) -> None:
        client = sign_in(home, "twin")
        assert who_is(client, home) == "twin"
        before = dump(self.schema_of(abroad, house))
        assert who_is(with_cookies_of(client), abroad) is None
        assert dump(self.schema_of(abroad, house)) == before
        assert who_is(client, home) == "twin"

    def test_a_one_time_link_is_dead(self, house: House, home: str, abroad: str) -> None:
        path = self.made_at(home, house, lambda: welcome_path(user=house.twin))
        before = dump_all()
        answer = browser(abroad).post(path, {"new_password1": "x y z 1 2 3 4", "new_password2": "x y z 1 2 3 4"})
        assert answer.status_code == 410
        assert not answer.cookies.get("sessionid")
        assert dump_all() == before
        assert browser(home).get(path).status_code == 200

    def test_a_password_reset_is_dead(self, house: House, home: str, abroad: str, mailoutbox: list[Any]) -> None:
        browser(home).post("/accounts/password/reset/", {"email": "twin@example.com"})
        assert len(mailoutbox) == 1
        path = re.findall(r"http://[^/\s]+(/accounts/password/reset/key/\S+/)", str(mailoutbox[0].body))[0]
        before = dump(self.schema_of(abroad, house))

        refused = browser(abroad).get(path)
        assert (refused.status_code, refused.context["token_fail"]) == (200, True)
        client = browser(home)
        accepted = client.get(path)
        assert accepted.status_code == 302

        new = {"password1": "quite another one", "password2": "quite another one"}
        answer = with_cookies_of(client).post(accepted["Location"], new, HTTP_HOST=abroad)
        assert (answer.status_code, answer.context["token_fail"]) == (200, True)
        assert dump(self.schema_of(abroad, house)) == before
        assert client.post(accepted["Location"], new).status_code == 302

    def test_a_password_of_one_side_is_unknown_on_the_other(self, house: House, home: str, abroad: str) -> None:
        with_other_password = {"localhost": "olga", "acme.localhost": "max"}[home]
        assert who_is(sign_in(home, with_other_password), home) == with_other_password
        client = browser(abroad)
        answer = client.post("/accounts/login/", {"login": with_other_password, "password": PASSWORD})
        assert answer.status_code == 200
        assert who_is(client, abroad) is None

    def made_at(self, host: str, house: House, make: Callable[[], str]) -> str:
        if host == "localhost":
            return make()
        with enter({"acme.localhost": house.acme, "beta.localhost": house.beta}[host]):
            path: str = make()
        return path


class TestCaches:
    def test_one_tenants_entry_is_no_others(self, house: House) -> None:
        with enter(house.acme):
            cache.set("greeting", "for acme")
        with enter(house.beta):
            assert cache.get("greeting") is None
            cache.set("greeting", "for beta")
        assert cache.get("greeting") is None
        with enter(house.acme):
            assert cache.get("greeting") == "for acme"

    def test_the_key_names_the_tenant_for_good(self, house: House) -> None:
        with enter(house.acme):
            assert str(house.acme.pk) in tenant_cache.make_key("greeting", "", 1)
        assert tenant_cache.make_key("greeting", "", 1).startswith("public:")


def test_after_a_page_that_breaks_the_thread_is_back_in_public(house: House) -> None:
    client = Client(HTTP_HOST="acme.localhost", raise_request_exception=False)
    drop = f'DROP TABLE "{house.acme.schema_name}".accounts_user CASCADE'
    execute(drop + "; DROP TABLE public.accounts_user CASCADE")
    answer = client.post("/accounts/login/", {"login": "twin", "password": PASSWORD})
    assert answer.status_code == 500
    wrapper: Any = connection
    assert wrapper.schema_name == "public"


def test_pages_cost_the_same_number_of_queries_however_many_tenants_there_are(house: House) -> None:
    def cost() -> int:
        cache.clear()
        with CaptureQueriesContext(connection) as log:
            browser("acme.localhost").get(f"/accounts/login/?{urlencode({'next': '/settings/'})}")
        return len(log)

    before = cost()
    for number in range(20):
        make_tenant(f"tenant-{number}", ready=False)
    assert cost() == before
