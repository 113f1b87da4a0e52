"""Signing in and out, and getting a new password, on either kind of host."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from apps.accounts.models import User
from apps.accounts.services import NewUser, create_administrator
from apps.accounts.tokens import welcome_path
from apps.tenants import context
from apps.tenants.models import Tenant
from tests.factories import PASSWORD, make_member

pytestmark = pytest.mark.django_db

NEW_PASSWORD = "a staple and a horse"


def link_for(tenant: Tenant, user: User) -> str:
    with context.enter(tenant):
        return welcome_path(user=user)


@pytest.mark.parametrize("host", ["localhost", "acme.localhost"])
def test_the_form_can_be_filled_in_by_a_password_manager(acme: Tenant, host: str) -> None:
    page = Client(HTTP_HOST=host).get("/accounts/login/").content.decode()

    assert '<label for="id_login">' in page
    assert '<label for="id_password">' in page
    assert re.search(r'<input[^>]*name="login"[^>]*autocomplete="username', page)
    assert re.search(r'<input[^>]*name="password"[^>]*autocomplete="current-password"', page)


@pytest.mark.parametrize("path", ["/accounts/login/", "/accounts/password/reset/", "/accounts/inactive/"])
@pytest.mark.parametrize("host", ["localhost", "acme.localhost"])
def test_nobody_is_offered_to_sign_up(acme: Tenant, host: str, path: str) -> None:
    page = Client(HTTP_HOST=host).get(path).content.decode().lower()

    assert "sign up" not in page
    assert "signup" not in page


@pytest.mark.parametrize("name", ["max", "max@acme.example"])
def test_a_member_signs_in_on_their_host(acme: Tenant, name: str) -> None:
    make_member(acme)
    client = Client(HTTP_HOST="acme.localhost")

    answer = client.post("/accounts/login/", {"login": name, "password": PASSWORD}, follow=True)

    assert answer.request["PATH_INFO"] == "/settings/"
    assert "Successfully" not in answer.content.decode()


def test_an_operator_signs_in_and_is_brought_where_they_wanted(visitor: Client, operator: User) -> None:
    asked = visitor.get("/operator/audit/alert/", follow=True)
    fields = dict(re.findall(r'name="(next)" value="([^"]+)"', asked.content.decode()))

    answer = visitor.post("/accounts/login/", {"login": "olga", "password": PASSWORD, **fields}, follow=True)

    assert answer.request["PATH_INFO"] == "/operator/audit/alert/"


def test_a_wrong_password_is_told_without_saying_which_half_is_wrong(acme: Tenant) -> None:
    answer = Client(HTTP_HOST="acme.localhost").post("/accounts/login/", {"login": "max", "password": "wrong"})

    assert 'role="alert"' in answer.content.decode()


def test_an_error_stands_beside_its_field_and_is_read_with_it(acme: Tenant) -> None:
    page = Client(HTTP_HOST="acme.localhost").post("/accounts/login/", {"login": "", "password": "x"}).content.decode()

    field = re.search(r'<input[^>]*name="login"[^>]*>', page)
    assert field
    assert 'aria-invalid="true"' in field[0]
    assert 'aria-describedby="id_login_error"' in field[0]
    assert 'id="id_login_error"' in page


@pytest.mark.parametrize("method", ["get", "post"])
def test_signing_out_takes_a_click(acme: Tenant, member_at: Callable[..., Client], method: str) -> None:
    client = member_at(acme)

    getattr(client, method)("/accounts/logout/")

    still_in = client.get("/settings/").status_code == 200
    assert still_in is (method == "get")


def test_a_one_time_link_lets_choose_a_password_and_signs_in(acme: Tenant) -> None:
    client = Client(HTTP_HOST="acme.localhost")
    with context.enter(acme):
        ann = User.objects.get(username="ann")
    link = link_for(acme, ann)
    assert "Choose a password for <strong>ann</strong>" in client.get(link).content.decode()

    answer = client.post(link, {"new_password1": NEW_PASSWORD, "new_password2": NEW_PASSWORD}, follow=True)

    assert answer.request["PATH_INFO"] == "/settings/"
    assert Client(HTTP_HOST="acme.localhost").get(link).status_code == 410


def test_a_used_up_link_offers_what_else_there_is(acme: Tenant) -> None:
    answer = Client(HTTP_HOST="acme.localhost").get("/welcome/abc/def/")

    assert answer.status_code == 410
    assert "/accounts/password/reset/" in answer.content.decode()


def test_a_forgotten_password_is_replaced_by_mail(acme: Tenant, outbox: list[Any]) -> None:
    client = Client(HTTP_HOST="acme.localhost")
    member = make_member(acme)
    sent_before = len(outbox)

    client.post("/accounts/password/reset/", {"email": member.email})

    mail = outbox[sent_before]
    assert mail.subject == "Reset your password for acme.localhost"
    link = re.search(r"http://acme\.localhost(/\S+)", mail.body)
    assert link
    form = client.get(link[1], follow=True)
    assert "Choose a new password" in form.content.decode()
    saved = client.post(form.request["PATH_INFO"], {"password1": NEW_PASSWORD, "password2": NEW_PASSWORD}, follow=True)
    assert "Your new password is saved" in saved.content.decode()
    answer = client.post("/accounts/login/", {"login": "max", "password": NEW_PASSWORD})
    assert answer.status_code == 302


def test_a_reset_link_is_worth_nothing_twice(acme: Tenant) -> None:
    page = Client(HTTP_HOST="acme.localhost").get("/accounts/password/reset/key/abc-def/").content.decode()

    assert "This link no longer works" in page


def test_changing_the_password_keeps_the_session(acme: Tenant, member_at: Callable[..., Client]) -> None:
    client = member_at(acme)
    fields = {"oldpassword": PASSWORD, "password1": NEW_PASSWORD, "password2": NEW_PASSWORD}

    answer = client.post("/accounts/password/change/", fields, follow=True)

    assert "Your password has been changed." in answer.content.decode()
    assert client.get("/settings/").status_code == 200


def test_somebody_who_is_no_operator_is_told_so(visitor: Client, db: None) -> None:
    user = User(username="nobody", email="nobody@vendor.example")
    user.save()
    visitor.force_login(user)

    answer = visitor.get("/operator/", follow=True)

    assert answer.status_code == 403
    assert "is not an operator" in answer.content.decode()


def test_too_many_tries_are_slowed_down_in_words(acme: Tenant, settings: Any) -> None:
    client = Client(HTTP_HOST="acme.localhost")
    pages = [client.post("/accounts/login/", {"login": f"max{i}", "password": "wrong"}) for i in range(40)]

    refused = [page for page in pages if page.status_code == 429]
    assert refused
    assert "Too many tries" in refused[0].content.decode()


@pytest.mark.parametrize(
    "elsewhere",
    ["http://globex.localhost/z", "http://localhost/operator/", "https://evil.example/", "//globex.localhost/z"],
)
def test_signing_in_leads_to_no_other_host(acme: Tenant, elsewhere: str) -> None:
    make_member(acme)
    client = Client(HTTP_HOST="acme.localhost")
    answer = client.post("/accounts/login/", {"login": "max", "password": PASSWORD, "next": elsewhere})
    assert answer["Location"] == "/"


def test_an_address_in_any_case_signs_in_and_gets_its_reset(acme: Tenant, outbox: list[Any]) -> None:
    with context.enter(acme):
        user = create_administrator(new=NewUser(username="boss", email="Boss@Acme.example"))
        user.set_password(PASSWORD)
        user.save()
    for address in ("Boss@Acme.example", "boss@acme.example"):
        client = Client(HTTP_HOST="acme.localhost")
        assert client.post("/accounts/login/", {"login": address, "password": PASSWORD}).status_code == 302
        before = len(outbox)
        Client(HTTP_HOST="acme.localhost").post("/accounts/password/reset/", {"email": address})
        assert len(outbox) == before + 1


def test_a_changed_password_is_told_by_mail(acme: Tenant, member_at: Callable[..., Client], outbox: list[Any]) -> None:
    given = {"oldpassword": PASSWORD, "password1": NEW_PASSWORD, "password2": NEW_PASSWORD}
    member_at(acme).post("/accounts/password/change/", given)
    assert outbox[-1].to == ["max@acme.example"]
    assert "password" in outbox[-1].subject.lower()
