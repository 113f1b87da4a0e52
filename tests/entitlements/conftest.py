"""What the tests of the entitlements share."""

import pytest
from django.contrib.auth.models import Group
from django.db.models import Q

from apps.entitlements import registry


@pytest.fixture
def only_users(monkeypatch: pytest.MonkeyPatch) -> None:
    """A registry that forgets after the test what it is taught."""
    monkeypatch.setattr(registry, "_counted", dict(registry.counted_entities()))


@pytest.fixture
def teams(only_users: None) -> None:
    """Another model of the tenants', counted as teams; the hidden ones are not."""
    registry.register(entity="teams", model=Group, filter=~Q(name__startswith="hidden"))
