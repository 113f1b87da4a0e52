"""What the tests of the entitlements share."""

import pytest
from django.contrib.auth.models import Group
from django.db.models import Q

from apps.entitlements import registry, snapshot
from apps.tenants.models import Tenant
from tests.factories import make_tenant
from tests.support.counting import only_users

__all__ = ["only_users"]


@pytest.fixture
def teams(only_users: None) -> None:
    """Another model of the tenants', counted as teams; the hidden ones are not."""
    registry.register(entity="teams", model=Group, filter=~Q(name__startswith="hidden"))


@pytest.fixture
def acme(db: None) -> Tenant:
    """A tenant, known by nothing but its row."""
    snapshot.kept.clear()
    return make_tenant(ready=False)
