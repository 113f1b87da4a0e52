"""One-time links in the hands of those they were made for, and of two at once."""

import threading
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.forms import SetPasswordForm

from apps.accounts import views
from apps.accounts.models import User
from apps.accounts.tokens import welcome_path
from tests.factories import make_operator, make_tenant
from tests.tenants.house import browser, who_is
from tests.tenants.probes import at_once, wait_for_waiter

CHOICE = {"new_password1": "a brand new phrase", "new_password2": "a brand new phrase"}


@pytest.mark.django_db(transaction=True)
class TestTwoWhoUseOneLinkAtOnce:
    """The second comes after the first was found to hold a fresh link and before it is used up."""

    def race(self, monkeypatch: pytest.MonkeyPatch, before_saving: Callable[[], object]) -> list[int]:
        path = welcome_path(user=make_operator())
        save = SetPasswordForm.save

        def save_later(form: Any) -> Any:
            before_saving()
            return save(form)

        monkeypatch.setattr(SetPasswordForm, "save", save_later)
        return sorted(answer.status_code for answer in at_once(*[lambda: browser("localhost").post(path, CHOICE)] * 2))

    def test_without_the_lock_both_are_let_in(self, monkeypatch: pytest.MonkeyPatch) -> None:
        both_are_there = threading.Barrier(2)
        monkeypatch.setattr(views, "_user_of", lambda key: User.objects.get(username="olga"))
        assert self.race(monkeypatch, lambda: both_are_there.wait(10)) == [302, 302]

    def test_with_it_one_is(self, monkeypatch: pytest.MonkeyPatch) -> None:
        assert self.race(monkeypatch, wait_for_waiter) == [302, 410]


@pytest.mark.django_db
def test_provisioning_mails_a_link_that_works(mailoutbox: list[Any]) -> None:
    make_tenant("acme")
    (mail,) = mailoutbox
    assert mail.to == ["ann@acme.example"]
    path = "/welcome/" + mail.body.split("http://acme.localhost:8000/welcome/")[1].split()[0]
    client = browser("acme.localhost")
    client.post(path, CHOICE)
    assert who_is(client, "acme.localhost") == "ann"
