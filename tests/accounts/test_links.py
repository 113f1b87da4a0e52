"""One-time links: they open a door once, for a while, for one user of one host."""

from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.conf import settings
from django.test import Client

from apps.accounts import services
from apps.accounts.models import User
from apps.accounts.tokens import link_tokens, welcome_path
from apps.lifecycle.provisioning import welcome_link
from apps.tenants.context import enter
from tests.factories import NOW
from tests.tenants.house import House, browser, sign_in, who_is
from tests.tenants.probes import dump_all

NEW = "a brand new phrase"
CHOICE = {"new_password1": NEW, "new_password2": NEW}
HOST = "acme.localhost"


def link_of(house: House, username: str = "max") -> str:
    with enter(house.acme):
        return welcome_path(user=User.objects.get(username=username))


def open_link(path: str) -> int:
    return browser(HOST).get(path).status_code


def use_link(path: str, choice: dict[str, str] = CHOICE) -> Client:
    client = browser(HOST)
    client.post(path, choice)
    return client


@pytest.mark.django_db
class TestALink:
    def test_lets_its_holder_choose_a_password_and_signs_them_in(self, house: House) -> None:
        assert who_is(use_link(link_of(house)), HOST) == "max"
        assert who_is(sign_in(HOST, "max", NEW), HOST) == "max"

    def test_works_once(self, house: House) -> None:
        path = link_of(house)
        use_link(path)
        before = dump_all()
        again = {"new_password1": "somebody elses", "new_password2": "somebody elses"}
        assert browser(HOST).post(path, again).status_code == 410
        assert open_link(path) == 410
        assert dump_all() == before

    def test_is_not_used_up_by_looking(self, house: House) -> None:
        path = link_of(house)
        before = dump_all()
        assert [open_link(path), browser(HOST).head(path).status_code, open_link(path)] == [200, 200, 200]
        assert dump_all() == before
        assert who_is(use_link(path), HOST) == "max"

    @pytest.mark.parametrize(
        "choice",
        [
            {},
            {"new_password1": NEW, "new_password2": NEW + "x"},
            {"new_password1": "short", "new_password2": "short"},
            {"new_password1": "password123", "new_password2": "password123"},
        ],
    )
    def test_is_not_used_up_by_a_password_that_will_not_do(self, house: House, choice: dict[str, str]) -> None:
        path = link_of(house)
        assert who_is(use_link(path, choice), HOST) is None
        assert who_is(use_link(path), HOST) == "max"

    def test_lives_as_many_days_as_are_set(self, house: House, settings: Any) -> None:
        settings.PASSWORD_RESET_TIMEOUT = 2 * 86400
        with time_machine.travel(NOW, tick=False):
            path = link_of(house)
        with time_machine.travel(NOW + timedelta(days=2), tick=False):
            assert open_link(path) == 200
        with time_machine.travel(NOW + timedelta(days=2, seconds=1), tick=False):
            assert open_link(path) == 410
            assert who_is(use_link(path), HOST) is None

    def test_lives_three_days_unless_set_otherwise(self) -> None:
        assert settings.PASSWORD_RESET_TIMEOUT == 3 * 86400

    def test_is_dead_once_the_password_is_another(self, house: House) -> None:
        path = link_of(house)
        with enter(house.acme):
            user = User.objects.get(username="max")
            user.set_password("changed elsewhere")
            user.save()
        assert open_link(path) == 410

    def test_is_dead_once_its_user_has_signed_in(self, house: House) -> None:
        path = link_of(house)
        sign_in(HOST, "max")
        assert open_link(path) == 410

    def test_is_dead_once_the_address_is_another(self, house: House) -> None:
        path = link_of(house)
        with enter(house.acme):
            User.objects.filter(username="max").update(email="new@acme.example")
        assert open_link(path) == 410

    def test_opens_nothing_for_a_user_who_was_deactivated(self, house: House) -> None:
        path = link_of(house)
        with enter(house.acme):
            services.deactivate_user(user=User.objects.get(username="max"))
        before = dump_all()
        assert who_is(use_link(path), HOST) is None
        assert open_link(path) == 410
        assert dump_all() == before

    def test_opens_nothing_for_another_user_of_the_same_tenant(self, house: House) -> None:
        token = link_of(house, "max").split("/")[-2]
        path = link_of(house, "twin").replace(link_of(house, "twin").split("/")[-2], token)
        assert open_link(path) == 410

    def test_ends_the_session_of_whoever_was_signed_in_before(self, house: House) -> None:
        client = sign_in(HOST, "twin")
        client.post(link_of(house, "max"), CHOICE)
        assert who_is(client, HOST) == "max"

    def test_is_not_kept_by_the_browser(self, house: House) -> None:
        assert "no-store" in browser(HOST).get(link_of(house))["Cache-Control"]


@pytest.mark.django_db
class TestGarbage:
    @pytest.mark.parametrize(
        "path",
        [
            "/welcome/x/y/",
            "/welcome/AAAA/set-password/",
            "/welcome/====/a-b/",
            "/welcome/é/ü/",
            "/welcome/%00/%00/",
            "/welcome/{key}/x/",
            "/welcome/{key}/%F0%9F%94%91/",
            "/welcome/{key}/zzzzzz-2efb6d4b16f8b4f6e32182913c985281/",
            "/welcome/AAAAAAAAAAAAAAAAAAAAAA/cqv1xk-2efb6d4b16f8b4f6e32182913c985281/",
            "/welcome/" + "A" * 2000 + "/x/",
        ],
    )
    @pytest.mark.parametrize("host", ["acme.localhost", "localhost"])
    def test_is_answered_kindly(self, house: House, path: str, host: str) -> None:
        key = link_of(house).split("/")[2]
        answer = browser(host).get(path.format(key=key))
        text = answer.content.decode()
        assert answer.status_code == 410
        assert "no longer works" in text
        assert "/accounts/login/" in text
        assert "/accounts/password/reset/" in text


@pytest.mark.django_db
class TestWhoseLinkItIs:
    def test_the_welcome_link_is_the_first_administrators_on_their_own_host(self, house: House) -> None:
        link = welcome_link(house.acme)
        assert link.startswith("http://acme.localhost:8000/welcome/")
        assert who_is(use_link(link.removeprefix("http://acme.localhost:8000")), HOST) == "ann"

    def test_an_operators_link_works_on_the_operators_host(self, house: House) -> None:
        client = browser("localhost")
        client.post(welcome_path(user=services.create_operator(username="otto", email="otto@vendor.example")), CHOICE)
        assert who_is(client, "localhost") == "otto"

    def test_the_same_user_has_another_token_on_each_side(self, house: House) -> None:
        with time_machine.travel(NOW, tick=False):
            tokens = {link_tokens.make_token(house.twin)}
            for tenant in (house.acme, house.beta):
                with enter(tenant):
                    tokens.add(link_tokens.make_token(house.twin))
        assert len(tokens) == 3
