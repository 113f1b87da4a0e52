"""A house with two tenants and an operator, made once for all tests of a module."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from allauth.account.models import EmailAddress
from django.core.cache import cache
from django.test import Client

from apps.accounts.models import User
from apps.tenants import context
from apps.tenants.models import Tenant
from tests.factories import PASSWORD, make_member, make_operator, make_tenant
from tests.support import databases


@dataclass(frozen=True)
class House:
    """`twin` lives in both tenants and in public, with the same key, name, address and password."""

    acme: Tenant
    beta: Tenant
    operator: User
    twin: User

    def hosts(self) -> list[str]:
        return ["localhost", "acme.localhost", "beta.localhost"]


def browser(host: str) -> Client:
    """A browser that has a host open."""
    return Client(HTTP_HOST=host)


def sign_in(host: str, username: str, password: str = PASSWORD) -> Client:
    """A browser in which somebody has signed in on a host."""
    client = browser(host)
    answer = client.post("/accounts/login/", {"login": username, "password": password})
    assert answer.status_code == 302, "the sign-in that the test rests on was refused"
    return client


def who_is(client: Client, host: str) -> str | None:
    """Whom a host takes the browser's user for."""
    answer = client.get("/accounts/password/change/", HTTP_HOST=host)
    return str(answer.context["user"].get_username()) if answer.status_code == 200 else None


@pytest.fixture(scope="module")
def house(django_db_setup: None, django_db_blocker: Any) -> Iterator[House]:
    """Stays in the database for a module whose tests each roll back what they do."""
    with django_db_blocker.unblock():
        made = _build()
    yield made
    with django_db_blocker.unblock():
        databases.clean()


@pytest.fixture(autouse=True)
def without_rate_limits() -> None:
    """What earlier tests tried does not count against this one."""
    cache.clear()


def _build() -> House:
    acme, beta = make_tenant("acme"), make_tenant("beta")
    operator = make_operator()
    twin = make_member(acme, "twin")
    for tenant in (acme, beta):
        with context.enter(tenant):
            _copy(twin)
    _copy(twin)
    make_member(acme, "max")
    return House(acme=acme, beta=beta, operator=operator, twin=twin)


def _copy(user: User) -> None:
    if not User.objects.filter(pk=user.pk).exists():
        User.objects.bulk_create([user])
    EmailAddress.objects.create(user=user, email="twin@example.com", primary=True, verified=True)
