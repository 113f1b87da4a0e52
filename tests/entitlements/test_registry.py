"""What may be counted."""

import pytest
from django.contrib.auth.models import Group
from django.db.models import Q

from apps.accounts.models import User
from apps.entitlements import registry
from apps.entitlements.errors import EntityRegisteredTwice, InvalidEntity, NotATenantModel
from apps.tenants.models import Tenant

pytestmark = pytest.mark.usefixtures("only_users")


def test_the_tenants_own_users_are_counted_from_the_start() -> None:
    users = registry.counted_entities()["users"]
    assert (users.model, users.filter) == (User, Q(is_active=True))


def test_an_entity_is_counted_from_one_model() -> None:
    registry.register(entity="teams", model=Group)
    with pytest.raises(EntityRegisteredTwice, match=r"'teams' is counted from auth\.Group already"):
        registry.register(entity="teams", model=Group)
    with pytest.raises(EntityRegisteredTwice, match="'users'"):
        registry.register(entity="users", model=Group)


@pytest.mark.parametrize("entity", ["", "end_devices", "End-devices", "-teams", "teams-", "a--b", "x" * 81, "te ams"])
def test_an_entity_is_written_as_in_metadata(entity: str) -> None:
    with pytest.raises(InvalidEntity, match="end-devices"):
        registry.register(entity=entity, model=Group)
    assert entity not in registry.counted_entities()


def test_a_model_of_the_public_side_is_refused() -> None:
    with pytest.raises(NotATenantModel, match=r"tenants\.Tenant is of no app in TENANT_APPS"):
        registry.register(entity="tenants", model=Tenant)


def test_nobody_changes_the_registry_from_outside() -> None:
    with pytest.raises(TypeError):
        registry.counted_entities()["teams"] = registry.counted_entities()["users"]  # type: ignore[index]
