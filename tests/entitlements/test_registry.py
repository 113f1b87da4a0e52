"""What may be counted."""

import pytest
from django.contrib.auth.models import Group
from django.db.models import Exists, F, Q
from django.db.models.functions import Lower, Now, Random
from django.db.models.lookups import In

from apps.accounts.models import User
from apps.entitlements import registry
from apps.entitlements.errors import EntityRegisteredTwice, InvalidEntity, NotATenantModel, UnsteadyFilter
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


@pytest.mark.parametrize(
    "unsteady",
    [
        Q(date_joined__lt=Now()),
        ~Q(is_active=True) | Q(is_active=True, pk__lt=Random()),
        Q(Exists(Group.objects.all())),
        Q(pk__in=User.objects.values("pk")),
        Q(In(F("role"), {"administrator", "member"})),
    ],
)
def test_what_counts_depends_on_the_rows_alone(unsteady: Q) -> None:
    with pytest.raises(UnsteadyFilter, match="Which rows count as 'teams' depends on"):
        registry.register(entity="teams", model=User, filter=unsteady)
    assert "teams" not in registry.counted_entities()


def test_one_of_several_is_written_alike_by_every_process() -> None:
    """The order of a set is another in each."""
    roles = {"member", "administrator", "guest", "owner"}
    registry.register(entity="teams", model=User, filter=~Q(role__in=roles) & (Q(is_active=True) | Q(role__in=roles)))
    registry.register(entity="names", model=User, filter=Q(username=Lower("username")))
    in_order = ["administrator", "guest", "member", "owner"]
    assert registry.counted_entities()["teams"].filter == ~Q(role__in=in_order) & (
        Q(is_active=True) | Q(role__in=in_order)
    )
