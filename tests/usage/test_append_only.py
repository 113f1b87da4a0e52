"""Events cannot be edited: for want of the privilege, and besides by a trigger, each of which would do alone."""

from collections.abc import Iterator

import pytest
from django.core.checks import Error, Warning
from django.db import ProgrammingError, connection, transaction
from django.db.utils import DatabaseError

from apps.core import append_only
from apps.usage import checks
from apps.usage.models import UsageEvent
from tests.usage.calling import a_tenant, consume

pytestmark = pytest.mark.django_db
EDITS = ["UPDATE usage_usageevent SET amount = 0", "DELETE FROM usage_usageevent"]
TRIGGER = "usage_events_are_append_only"


@pytest.fixture(autouse=True)
def booked(db: None) -> Iterator[None]:
    consume(a_tenant(), 3)
    yield
    assert [each.amount for each in UsageEvent.objects.all()] == [3]


def run(sql: str) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(sql)


@pytest.mark.parametrize("edit", EDITS)
def test_the_privilege_is_missing_also_to_the_owner(edit: str) -> None:
    run(f"ALTER TABLE usage_usageevent DISABLE TRIGGER {TRIGGER}")
    with pytest.raises(ProgrammingError, match="permission denied for table usage_usageevent"):
        run(edit)


@pytest.mark.parametrize("edit", EDITS)
def test_with_the_privilege_the_trigger_says_what_to_do(edit: str) -> None:
    run("GRANT UPDATE, DELETE ON usage_usageevent TO CURRENT_USER")
    with pytest.raises(DatabaseError, match=r"never changed or deleted\. Book a correction"):
        run(edit)


def test_django_cannot_edit_them_either() -> None:
    event = UsageEvent.objects.get()
    with pytest.raises(ProgrammingError, match="permission denied"), transaction.atomic():
        event.delete()
    event.amount = 4
    with pytest.raises(ProgrammingError, match="permission denied"), transaction.atomic():
        event.save()


def test_the_check_is_quiet_as_it_is() -> None:
    # What these tests empty the books with.
    run("REVOKE TRUNCATE ON usage_usageevent FROM CURRENT_USER")
    assert checks.events_are_append_only(None, databases=["default"]) == []
    assert checks.events_are_append_only(None, databases=None) == []


@pytest.mark.parametrize("privilege", ["UPDATE", "DELETE", "TRUNCATE", "UPDATE (amount)"])
def test_the_check_notices_a_privilege_that_came_back(privilege: str) -> None:
    run("REVOKE TRUNCATE ON usage_usageevent FROM CURRENT_USER")
    run(f"GRANT {privilege} ON usage_usageevent TO CURRENT_USER")
    (found,) = checks.events_are_append_only(None, databases=["default"])
    assert (found.id, type(found)) == ("usage.E001", Error)
    run(f"REVOKE {privilege} ON usage_usageevent FROM CURRENT_USER")


def test_a_superuser_is_warned_of() -> None:
    found = append_only.superuser(["usage_usageevent"], app="usage")
    assert (found.id, type(found)) == ("usage.W001", Warning)
