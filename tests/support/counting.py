"""What is counted from tenants' models during a test."""

import pytest

from apps.entitlements import registry
from apps.tenants import schema


@pytest.fixture
def only_users(monkeypatch: pytest.MonkeyPatch) -> None:
    """As without the sample app: users alone are counted, and what a test teaches the registry is forgotten."""
    # What is counted is part of the version, which this process works out once.
    schema.current_version()
    monkeypatch.setattr(registry, "_counted", {"users": registry.counted_entities()["users"]})
