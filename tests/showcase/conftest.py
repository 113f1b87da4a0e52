"""A tenant whose members make projects."""

from collections.abc import Iterator

import pytest
from django.test import Client

from apps.accounts.models import User
from apps.core.actors import Actor
from apps.entitlements import snapshot
from apps.plans.terms import Kind
from apps.tenants import context
from apps.tenants.models import Tenant
from tests.entitlements.granting import define, fresh, give_everybody
from tests.factories import make_member, make_tenant


@pytest.fixture
def acme(db: None) -> Tenant:
    """A tenant with ten credits a month, and room for two projects."""
    snapshot.kept.clear()
    define("credits", Kind.CREDITS, unit="credit", units="credits")
    define("projects", Kind.COUNT)
    give_everybody(credits="10/month", projects="2")
    return fresh(make_tenant())


@pytest.fixture
def inside(acme: Tenant) -> Iterator[None]:
    """The tenant's schema has been entered."""
    with context.enter(acme):
        yield


@pytest.fixture
def max_(acme: Tenant) -> User:
    """A member."""
    return make_member(acme)


@pytest.fixture
def actor(acme: Tenant, max_: User) -> Actor:
    return Actor.member(tenant_id=acme.tenant_id, user_key=max_.pk)


@pytest.fixture
def client(acme: Tenant, max_: User) -> Client:
    """The member, signed in on the tenant's host."""
    client = Client(HTTP_HOST="acme.localhost")
    with context.enter(acme):
        client.force_login(max_)
    return client
