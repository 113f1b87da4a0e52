"""Who looks at the pages, and from which host."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from apps.accounts.models import User
from apps.plans.models import PlanVersion
from apps.tenants.models import Tenant
from tests.factories import PASSWORD, give_plan_to, make_member, make_operator, make_tenant
from tests.support.counting import only_users

__all__ = ["only_users"]


@pytest.fixture
def acme(db: None) -> Tenant:
    """A tenant that is ready."""
    return make_tenant("acme")


@pytest.fixture
def visitor() -> Client:
    """Somebody on the operator's host who has not signed in."""
    return Client(HTTP_HOST="localhost")


@pytest.fixture
def operator(db: None) -> User:
    return make_operator()


@pytest.fixture
def staff(operator: User) -> Client:
    """An operator who has signed in."""
    client = Client(HTTP_HOST="localhost")
    client.force_login(operator)
    return client


@pytest.fixture
def at() -> Callable[[Tenant], Client]:
    """A stranger on a tenant's host."""
    return lambda tenant: Client(HTTP_HOST=f"{tenant.tenant_id}.localhost")


@pytest.fixture
def member_at(at: Callable[[Tenant], Client]) -> Callable[..., Client]:
    """A member who has signed in on their tenant's host."""

    def sign_in(tenant: Tenant, **details: Any) -> Client:
        user = make_member(tenant, **details)
        client = at(tenant)
        answer = client.post("/accounts/login/", {"login": user.username, "password": PASSWORD})
        assert answer.status_code == 302
        return client

    return sign_in


@pytest.fixture
def give_plan(db: None) -> Callable[..., PlanVersion]:
    """Let a tenant hold a plan with these limits."""
    return give_plan_to
