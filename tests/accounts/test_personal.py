"""What is held about one person in one schema: whom a word means, what is told, what is erased."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from allauth.account.models import EmailAddress
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth.models import Group, Permission
from django.contrib.contenttypes.models import ContentType
from django.contrib.sessions.models import Session
from django.core.cache import cache
from django.core.exceptions import ImproperlyConfigured
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from apps.accounts import personal, services
from apps.accounts.errors import AmbiguousUser, LastAdministrator, LastOperator, StillReferredTo, UserNotFound
from apps.accounts.models import User
from apps.core import schemas
from apps.tenants.context import enter
from tests.factories import make_member, make_operator
from tests.tenants.house import House, sign_in
from tests.tenants.probes import dump_all, execute, tables_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a test registers is forgotten after it."""
    monkeypatch.setattr(personal, "_parts", {})


@contextmanager
def notes_about(house: House, *usernames: str) -> Iterator[None]:
    """Inside acme, whose vendor's app has a table that refers to users."""
    with enter(house.acme):
        execute(
            "CREATE TABLE notes (author uuid NOT NULL REFERENCES accounts_user (id) DEFERRABLE INITIALLY DEFERRED, "
            "text text)"
        )
        for username in usernames:
            key = User.objects.get(username=username).pk
            execute("INSERT INTO notes VALUES (%s, %s)", key, f"by {username}")
        yield


def register_notes(
    export: Callable[[User], object] = lambda user: execute("SELECT text FROM notes WHERE author = %s", user.pk),
    erase: Callable[[User], object] = lambda user: execute("DELETE FROM notes WHERE author = %s", user.pk),
) -> None:
    personal.register(name="notes", description="Your notes.", export=export, erase=erase)


def member(house: House, username: str) -> User:
    with enter(house.acme):
        return User.objects.get(username=username)


class TestRegistering:
    def test_one_name_belongs_to_one_part(self, parts: None) -> None:
        register_notes()
        with pytest.raises(ImproperlyConfigured, match="'notes' of personal data already"):
            personal.register(name="notes", description="", export=str, erase=str)

    def test_the_same_again_changes_nothing(self, parts: None) -> None:
        personal.register(name="notes", description="", export=str, erase=str)
        personal.register(name="notes", description="", export=str, erase=str)

    @pytest.mark.parametrize("name", personal.OWN_SECTIONS)
    def test_tenantrys_own_names_are_taken(self, parts: None, name: str) -> None:
        with pytest.raises(ImproperlyConfigured, match=f"'{name}'"):
            personal.register(name=name, description="", export=str, erase=str)


class TestFinding:
    def find(self, house: House, word: str) -> str:
        with enter(house.acme):
            return personal.find_user(word=word, where="in tenant 'acme'").username

    @pytest.mark.parametrize("word", ["max", "MAX", "max@acme.example", "Max@ACME.example"])
    def test_by_name_or_address_in_any_case(self, house: House, word: str) -> None:
        assert self.find(house, word) == "max"

    def test_by_id(self, house: House) -> None:
        assert self.find(house, str(member(house, "max").pk)) == "max"

    def test_by_an_address_that_is_not_their_main_one(self, house: House) -> None:
        with enter(house.acme):
            EmailAddress.objects.create(user=User.objects.get(username="max"), email="m2@acme.example")
        assert self.find(house, "m2@acme.example") == "max"

    def test_one_with_two_addresses_is_one(self, house: House) -> None:
        with enter(house.acme):
            for number in range(2):
                EmailAddress.objects.create(user=User.objects.get(username="max"), email=f"{number}@acme.example")
        assert self.find(house, "max") == "max"

    @pytest.mark.parametrize("word", ["nobody", "ma", "%", "", "olga", "00000000-0000-0000-0000-000000000000"])
    def test_nobody_else(self, house: House, word: str) -> None:
        with enter(house.acme):
            User.objects.filter(username="max").update(email="")
        with pytest.raises(UserNotFound, match=f"no user '{word}' in tenant 'acme'"):
            self.find(house, word)

    def test_of_two_with_one_address_the_id_is_wanted(self, house: House) -> None:
        with enter(house.acme):
            User.objects.filter(username="max").update(email="twin@acme.example")
        with pytest.raises(AmbiguousUser, match=rf"max \({member(house, 'max').pk}\), twin \({house.twin.pk}\)"):
            self.find(house, "twin@acme.example")

    def test_a_user_name_that_is_anothers_address_means_both(self, house: House) -> None:
        impostor = make_member(house.acme, "max@acme.example")
        with pytest.raises(AmbiguousUser, match=str(impostor.pk)):
            self.find(house, "max@acme.example")


class TestTelling:
    def test_all_that_tenantry_holds(self, house: House) -> None:
        sign_in("acme.localhost", "twin")
        with enter(house.acme):
            permission = Permission.objects.create(
                name="May sail", codename="sail", content_type=ContentType.objects.get_for_model(User)
            )
            house.twin.groups.add(Group.objects.create(name="crew"))
            house.twin.user_permissions.add(permission)
            told = {name: each.data for name, each in personal.sections_of(user=house.twin).items()}
            until = Session.objects.get().expire_date
        assert told.pop("account").items() >= {"id": house.twin.pk, "username": "twin", "role": "member"}.items()  # type: ignore[attr-defined]
        assert told == {
            "email_addresses": [{"email": "twin@example.com", "verified": True, "primary": True}],
            "rights": {"groups": ["crew"], "permissions": ["accounts.sail"]},
            "sessions": [{"expires_at": until}],
            "projects": {"projects": [], "tasks": []},
        }

    def test_of_the_users_row_all_but_the_password(self, house: House) -> None:
        with enter(house.acme):
            account: Any = personal.sections_of(user=house.twin)["account"].data
        assert set(account) == {field.attname for field in User._meta.concrete_fields} - {"password"} | {"has_password"}

    def test_nothing_of_anybody_else(self, house: House) -> None:
        sign_in("acme.localhost", "max")
        with enter(house.acme):
            told = str(personal.sections_of(user=house.twin))
        assert "max" not in told
        assert personal.sections_of(user=house.twin)["sessions"].data == []

    def test_no_table_of_a_tenant_refers_to_users_that_is_not_told(self, house: House) -> None:
        """Whoever adds such a table adds it here, to the export and to the erasure."""
        referring = execute(
            """
            SELECT DISTINCT child.relname FROM pg_constraint JOIN pg_class AS child ON child.oid = conrelid
            WHERE contype = 'f' AND confrelid = %s::regclass
            """,
            f"{house.acme.schema_name}.accounts_user",
        )
        assert {name for (name,) in referring} & tables_of(house.acme.schema_name) == {
            "account_emailaddress",
            "accounts_user_groups",
            "accounts_user_user_permissions",
        }

    def test_a_part_is_asked_inside_the_tenants_schema(self, house: House, parts: None) -> None:
        personal.register(
            name="where", description="", export=lambda user: [schemas.current_name(), user.pk], erase=str
        )
        with enter(house.acme):
            told = personal.sections_of(user=house.twin)["where"].data
        assert told == [house.acme.schema_name, house.twin.pk]

    def test_an_operator_has_djangos_log_and_no_tenants_parts(self, house: House, parts: None) -> None:
        register_notes()
        LogEntry.objects.create(
            user_id=house.operator.pk, object_id="1", object_repr="Acme", action_flag=CHANGE, change_message="held"
        )
        told = personal.sections_of(user=house.operator)
        assert set(told) == {*personal.OWN_SECTIONS, "admin_log"}
        (line,) = told["admin_log"].data  # type: ignore[misc, attr-defined]
        assert (line["object"], line["message"]) == ("Acme", "held")

    def test_one_who_has_gone_is_told_so(self, house: House) -> None:
        with enter(house.acme):
            services.erase_user(user=house.twin)
            with pytest.raises(UserNotFound, match="no user 'twin' any more"):
                personal.sections_of(user=house.twin)


class TestErasingAMember:
    def erase(self, user: User, *, even_the_last: bool = False) -> None:
        personal.erase_member(user=user, even_the_last=even_the_last)

    def test_takes_the_registered_parts_with_it(self, house: House, parts: None) -> None:
        register_notes()
        with notes_about(house, "twin", "max"):
            self.erase(house.twin)
            assert execute("SELECT text FROM notes") == [("by max",)]
            assert not User.objects.filter(username="twin").exists()

    def test_each_part_erases_inside_the_tenants_schema_while_the_user_is_there(
        self, house: House, parts: None
    ) -> None:
        seen: list[object] = []
        register_notes(erase=lambda user: seen.append((schemas.current_name(), User.objects.get(pk=user.pk).username)))
        with enter(house.acme):
            self.erase(house.twin)
        assert seen == [(house.acme.schema_name, "twin")]

    def test_a_part_that_fails_leaves_everything(self, house: House, parts: None) -> None:
        def fail(user: User) -> None:
            raise RuntimeError("disk full")

        register_notes()
        personal.register(name="second", description="", export=str, erase=fail)
        with notes_about(house, "twin"):
            before = dump_all()
            with pytest.raises(RuntimeError, match="disk full"):
                self.erase(house.twin)
            assert dump_all() == before

    def test_rows_that_no_part_erases_are_named_and_everything_is_left(self, house: House, parts: None) -> None:
        with notes_about(house, "twin"):
            before = dump_all()
            with pytest.raises(StillReferredTo, match=r"twin was not erased: the table notes still refers"):
                self.erase(house.twin)
            assert dump_all() == before

    def test_the_last_active_administrator_stays(self, house: House) -> None:
        before = dump_all()
        with enter(house.acme), pytest.raises(LastAdministrator, match="ann is the last active administrator"):
            self.erase(member(house, "ann"))
        assert dump_all() == before

    def test_unless_that_is_meant(self, house: House) -> None:
        with enter(house.acme):
            self.erase(member(house, "ann"), even_the_last=True)
            assert not User.objects.filter(username="ann").exists()

    def test_one_of_two_can_go(self, house: House) -> None:
        make_member(house.acme, "eve", role=User.Role.ADMINISTRATOR)
        with enter(house.acme):
            self.erase(member(house, "ann"))
            assert User.objects.get(role=User.Role.ADMINISTRATOR).username == "eve"

    def test_a_deactivated_administrator_is_no_second_one(self, house: House) -> None:
        eve = make_member(house.acme, "eve", role=User.Role.ADMINISTRATOR)
        with enter(house.acme):
            services.deactivate_user(user=eve)
            with pytest.raises(LastAdministrator):
                self.erase(member(house, "ann"))
            self.erase(eve)
            assert not User.objects.filter(username="eve").exists()

    def test_what_counts_is_what_they_are_now(self, house: House) -> None:
        """An administrator read before they became an ordinary member, and the other way round."""
        stale = member(house, "max")
        with enter(house.acme):
            User.objects.filter(username="ann").update(is_active=False)
            User.objects.filter(username="max").update(role=User.Role.ADMINISTRATOR)
            with pytest.raises(LastAdministrator):
                self.erase(stale)

    def test_a_second_time_there_is_nobody(self, house: House) -> None:
        with enter(house.acme):
            self.erase(house.twin)
            with pytest.raises(UserNotFound, match="no user 'twin' any more"):
                self.erase(house.twin)


class TestErasingAnOperator:
    def test_the_last_active_one_stays(self, house: House) -> None:
        User.objects.filter(pk=house.twin.pk).update(is_staff=True, is_active=False)
        before = dump_all()
        with pytest.raises(LastOperator, match="olga is the last active operator"):
            personal.erase_operator(user=house.operator)
        assert dump_all() == before

    def test_one_of_two_can_go_and_no_tenants_part_is_asked(self, house: House, parts: None) -> None:
        register_notes(erase=lambda user: pytest.fail("a tenant's part was asked about an operator"))
        make_operator("otto")
        personal.erase_operator(user=house.operator)
        assert set(User.objects.filter(is_staff=True).values_list("username", flat=True)) == {"otto"}


TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=30)


@given(full_name=TEXTS, password=st.none() | TEXTS, sign_ins=st.integers(0, 2))
@hypothesis_settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_password_hash_and_no_session_key_is_ever_told(
    house: House, full_name: str, password: str | None, sign_ins: int
) -> None:
    cache.clear()  # of the attempts that are counted
    with enter(house.acme):
        User.objects.filter(username="max").update(full_name=full_name)
        max_ = User.objects.get(username="max")
        max_.set_password("known while signing in")
        max_.save()
    for _ in range(sign_ins):
        sign_in("acme.localhost", "max", "known while signing in")
    with enter(house.acme):
        max_.set_password(password)
        max_.save()
        told = repr(personal.sections_of(user=max_))
        secrets = [max_.password, *Session.objects.values_list("session_key", flat=True)]
        secrets += Session.objects.values_list("session_data", flat=True)
        services.end_sessions(user_id=max_.pk)
    assert len(secrets) == 1 + 2 * sign_ins
    assert [secret for secret in secrets if secret in told] == []
