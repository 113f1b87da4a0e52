"""Deleting a user on one side changes no row on any other."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext

import pytest
from allauth.account.models import EmailAddress
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth.models import Group, Permission
from django.contrib.contenttypes.models import ContentType
from django.contrib.sessions.models import Session

from apps.accounts import services
from apps.accounts.models import User
from apps.core import schemas
from apps.tenants.context import enter
from tests.factories import PASSWORD
from tests.tenants.house import House, browser, sign_in, who_is
from tests.tenants.probes import dump, dump_all, execute

pytestmark = pytest.mark.django_db

SIDES = {"public": "localhost", "acme": "acme.localhost"}
WAYS: dict[str, Callable[[User], object]] = {
    "services.erase_user": lambda user: services.erase_user(user=user),
    "user.delete": lambda user: user.delete(),
    "queryset.delete": lambda user: User.objects.filter(pk=user.pk).delete(),
    "related manager": lambda user: Group.objects.get().user_set.all().delete(),
}


@contextmanager
def on(side: str, house: House) -> Iterator[str]:
    """Inside one side; its schema's name."""
    with enter(house.acme) if side == "acme" else nullcontext():
        yield schemas.current_name()


@pytest.fixture
def lived_in(house: House) -> House:
    """The twin has a group, a permission, sessions on every side, and the operators' log speaks of its key."""
    content_type = ContentType.objects.get_for_model(User)
    for user in (house.twin, house.operator):
        LogEntry.objects.create(
            user_id=user.pk, content_type=content_type, object_id=str(user.pk), object_repr="x", action_flag=CHANGE
        )
    for schema in ("public", "acme", "beta"):
        host = "localhost" if schema == "public" else f"{schema}.localhost"
        sign_in(host, "twin")
        with enter(getattr(house, schema)) if schema != "public" else nullcontext():
            permission = Permission.objects.create(
                name="May sail", codename="sail", content_type=ContentType.objects.get_for_model(User)
            )
            group = Group.objects.create(name="crew")
            group.permissions.add(permission)
            house.twin.groups.add(group)
            house.twin.user_permissions.add(permission)
    return house


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("side", SIDES)
class TestErasing:
    def test_changes_no_row_on_any_other_side(self, lived_in: House, side: str, way: str) -> None:
        with on(side, lived_in) as schema:
            pass
        before = dump_all(but=schema)
        assert before[lived_in.beta.schema_name]["accounts_user"]
        with on(side, lived_in):
            WAYS[way](lived_in.twin)
            execute("SET CONSTRAINTS ALL IMMEDIATE")
        assert dump_all(but=schema) == before

    def test_takes_all_that_was_the_users_and_nothing_else(self, lived_in: House, side: str, way: str) -> None:
        other = sign_in(SIDES[side], "olga" if side == "public" else "max")
        with on(side, lived_in) as schema:
            before = dump(schema)
            WAYS[way](lived_in.twin)
            execute("SET CONSTRAINTS ALL IMMEDIATE")
        after = dump(schema)
        of_the_user = {"accounts_user", "account_emailaddress", "accounts_user_groups", "django_session"}
        of_the_user |= {"accounts_user_user_permissions"} | ({"django_admin_log"} if side == "public" else set())
        changed = {table for table in before if before[table] != after[table]}
        assert changed == of_the_user
        for table in changed:
            assert len(set(before[table]) - set(after[table])) == 1
            assert set(after[table]) <= set(before[table])
        assert str(lived_in.twin.pk) not in str({table: after[table] for table in of_the_user})
        assert who_is(other, SIDES[side]) is not None

    def test_ends_their_session_here_and_only_here(self, lived_in: House, side: str, way: str) -> None:
        client = sign_in(SIDES[side], "twin")
        elsewhere = sign_in("beta.localhost", "twin")
        with on(side, lived_in):
            WAYS[way](lived_in.twin)
        assert who_is(client, SIDES[side]) is None
        assert who_is(elsewhere, "beta.localhost") == "twin"


class TestErasingEverybody:
    def test_of_a_tenant_leaves_everybody_else(self, lived_in: House) -> None:
        before = dump_all(but=lived_in.acme.schema_name)
        with enter(lived_in.acme):
            count, _ = User.objects.all().delete()
            assert (count, User.objects.count(), Session.objects.count(), EmailAddress.objects.count()) == (3, 0, 0, 0)
        assert dump_all(but=lived_in.acme.schema_name) == before

    def test_of_the_operators_leaves_the_tenants(self, lived_in: House) -> None:
        before = dump_all(but="public")
        User.objects.all().delete()
        execute("SET CONSTRAINTS ALL IMMEDIATE")
        assert not LogEntry.objects.exists()
        assert dump_all(but="public") == before


class TestDeactivating:
    @pytest.mark.parametrize("side", SIDES)
    def test_ends_every_session_and_refuses_the_password(self, house: House, side: str) -> None:
        clients = [sign_in(SIDES[side], "twin"), sign_in(SIDES[side], "twin")]
        elsewhere = sign_in("beta.localhost", "twin")
        with on(side, house):
            services.deactivate_user(user=User.objects.get(username="twin"))
            assert not Session.objects.exists()
        assert [who_is(client, SIDES[side]) for client in clients] == [None, None]
        assert who_is(elsewhere, "beta.localhost") == "twin"
        again = browser(SIDES[side])
        again.post("/accounts/login/", {"login": "twin", "password": PASSWORD})
        assert who_is(again, SIDES[side]) is None

    def test_leaves_the_sessions_of_others(self, house: House) -> None:
        other = sign_in("acme.localhost", "max")
        with enter(house.acme):
            services.deactivate_user(user=User.objects.get(username="twin"))
        assert who_is(other, "acme.localhost") == "max"

    def test_keeps_the_user_and_what_is_theirs(self, house: House) -> None:
        with enter(house.acme):
            services.deactivate_user(user=User.objects.get(username="twin"))
            kept = User.objects.get(username="twin")
            assert (kept.is_active, EmailAddress.objects.filter(user=kept).count()) == (False, 1)


class TestTheBorderOfTheTables:
    """Why erasing can stay on its side."""

    def test_no_foreign_key_crosses_it(self, house: House) -> None:
        crossing = execute(
            """
            SELECT conrelid::regclass::text, confrelid::regclass::text FROM pg_constraint
            JOIN pg_class AS child ON child.oid = conrelid JOIN pg_class AS parent ON parent.oid = confrelid
            WHERE contype = 'f' AND child.relnamespace <> parent.relnamespace
            """
        )
        assert crossing == []

    def test_only_djangos_log_refers_to_a_user_from_a_table_that_tenants_do_not_have(self, house: House) -> None:
        referring = execute(
            """
            SELECT child.relname FROM pg_constraint JOIN pg_class AS child ON child.oid = conrelid
            WHERE contype = 'f' AND confrelid = 'public.accounts_user'::regclass AND child.relname NOT IN
              (SELECT tablename FROM pg_tables WHERE schemaname = %s)
            """,
            house.acme.schema_name,
        )
        assert referring == [("django_admin_log",)]

    def test_a_users_key_is_never_a_number(self, house: House) -> None:
        kinds = execute(
            """
            SELECT DISTINCT data_type FROM information_schema.columns
            WHERE table_name = 'accounts_user' AND column_name = 'id'
            """
        )
        assert kinds == [("uuid",)]
