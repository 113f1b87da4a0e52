"""The only way into a tenant's schema."""

import threading
from collections.abc import Callable
from typing import Any

import pytest
from django.conf import settings
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext
from django_tenants.models import TenantMixin

from apps.accounts.models import User
from apps.tenants import context
from apps.tenants.context import enter
from apps.tenants.errors import TenantNotReady
from apps.tenants.models import Tenant
from tests.factories import make_tenant
from tests.tenants.house import House, sign_in
from tests.tenants.probes import at_once, dump, execute, search_path, tables_of


@pytest.mark.django_db
class TestRefuses:
    @pytest.mark.parametrize("status", ["pending", "running", "failed"])
    def test_a_tenant_that_is_not_ready(self, house: House, status: str) -> None:
        house.acme.provisioning = status
        with pytest.raises(TenantNotReady, match=status), enter(house.acme):
            pytest.fail("it was entered")
        house.acme.provisioning = "ready"
        assert search_path() == ["public"]

    def test_a_ready_tenant_whose_schema_is_not_there(self, house: House) -> None:
        execute(f'DROP SCHEMA "{house.acme.schema_name}" CASCADE')
        with pytest.raises(TenantNotReady, match=house.acme.schema_name), enter(house.acme):
            pytest.fail("it was entered")
        assert search_path() == ["public"]

    def test_without_that_postgresql_falls_through_to_public(self, house: House) -> None:
        """Why it refuses: the operator is found inside the tenant."""
        execute(f'DROP SCHEMA "{house.acme.schema_name}" CASCADE')
        wrapper: Any = connection
        wrapper.set_tenant(house.acme)
        try:
            assert User.objects.filter(username=house.operator.username).exists()
        finally:
            wrapper.set_schema_to_public()

    def test_the_ways_of_the_library_that_look_at_nothing(self, house: House) -> None:
        with pytest.raises(TypeError, match=r"tenants\.context\.enter"), house.acme:
            pytest.fail("it was entered")
        with pytest.raises(TypeError, match=r"tenants\.context\.enter"):
            house.acme.activate()
        assert search_path() == ["public"]


@pytest.mark.django_db
class TestEntering:
    def test_puts_the_tenant_before_public_and_takes_it_away_again(self, house: House) -> None:
        with enter(house.acme):
            assert search_path() == [house.acme.schema_name, "public"]
            assert not User.objects.filter(username="olga").exists()
        assert search_path() == ["public"]
        assert User.objects.filter(username="olga").exists()

    def test_nested_each_is_left_to_where_it_was_entered_from(self, house: House) -> None:
        with enter(house.acme):
            with enter(house.beta):
                assert search_path()[0] == house.beta.schema_name
                with enter(house.acme):
                    assert search_path()[0] == house.acme.schema_name
                assert search_path()[0] == house.beta.schema_name
            assert search_path()[0] == house.acme.schema_name
        assert search_path() == ["public"]

    def test_an_error_inside_leaves_it_too(self, house: House) -> None:
        with enter(house.acme), pytest.raises(ZeroDivisionError), enter(house.beta):
            raise ZeroDivisionError
        with pytest.raises(ZeroDivisionError), enter(house.beta):
            raise ZeroDivisionError
        assert search_path() == ["public"]


def fail_inside(tenant: Tenant) -> None:
    with enter(tenant), transaction.atomic():
        break_a_rule()


def fail_around(tenant: Tenant) -> None:
    with transaction.atomic(), enter(tenant):
        break_a_rule()


def fail_after(tenant: Tenant) -> None:
    """The path that public queries set inside the transaction is rolled back to the tenant's."""
    with enter(tenant):
        execute("SELECT 1")
    with transaction.atomic():
        execute("SELECT 1")
        break_a_rule()


def fail_in_a_savepoint(tenant: Tenant) -> None:
    with transaction.atomic():
        execute("SELECT 1")
        try:
            with transaction.atomic(), enter(tenant):
                break_a_rule()
        finally:
            assert search_path()[0] == getattr(connection, "schema_name")  # noqa: B009


def break_a_rule() -> None:
    execute("SELECT 1")
    raise IntegrityError


def break_a_rule_of_the_database() -> None:
    execute("INSERT INTO django_session SELECT NULL")


FAILURES = [fail_inside, fail_around, fail_after, fail_in_a_savepoint]


@pytest.mark.django_db(transaction=True)
class TestAfterARollback:
    """`SET search_path` is undone with its transaction, and django-tenants keeps what it has set in mind."""

    @pytest.mark.parametrize("fail", FAILURES)
    @pytest.mark.parametrize("broken_by", ["the code", "the database"])
    def test_the_search_path_is_right_again(
        self, fail: Callable[[Tenant], None], broken_by: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        assert settings.TENANT_LIMIT_SET_CALLS
        if broken_by == "the database":
            monkeypatch.setitem(globals(), "break_a_rule", break_a_rule_of_the_database)
        acme = bare_tenant("acme")
        beta = bare_tenant("beta")

        with pytest.raises(IntegrityError):
            fail(acme)
        assert search_path() == ["public"]

        with enter(beta):
            with pytest.raises(IntegrityError):
                fail(acme)
            assert search_path() == [beta.schema_name, "public"]
        assert search_path() == ["public"]


@pytest.mark.django_db(transaction=True)
class TestThreads:
    """One thread is inside while another enters and leaves."""

    def dance(
        self, acme: Tenant, beta: Tenant, enter_it: Callable[[Tenant], object], leave: Callable[[Tenant], object]
    ) -> str:
        entered, other_entered, left = threading.Barrier(2), threading.Barrier(2), threading.Barrier(2)

        def first() -> str:
            with enter(acme):
                enter_it(beta)
                entered.wait(20)
                other_entered.wait(20)
                leave(beta)
                left.wait(20)
                return search_path()[0]

        def second() -> str:
            with enter(beta):
                entered.wait(20)
                enter_it(acme)
                other_entered.wait(20)
                left.wait(20)
                leave(acme)
                return search_path()[0]

        first_ends_in, second_ends_in = at_once(first, second)
        assert {first_ends_in, second_ends_in} <= {acme.schema_name, beta.schema_name}
        return str(first_ends_in)

    def test_with_the_librarys_own_way_a_thread_ends_up_in_the_others_tenant(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.delattr(Tenant, "activate")
        acme, beta = bare_tenant("acme"), bare_tenant("beta")
        ends_in = self.dance(
            acme, beta, TenantMixin.__enter__, lambda each: TenantMixin.__exit__(each, None, None, None)
        )
        assert ends_in == beta.schema_name

    def test_with_enter_each_is_left_to_where_it_was(self) -> None:
        acme, beta = bare_tenant("acme"), bare_tenant("beta")
        inside = threading.local()

        def enter_it(tenant: Tenant) -> None:
            inside.manager = enter(tenant)
            inside.manager.__enter__()

        ends_in = self.dance(acme, beta, enter_it, lambda each: inside.manager.__exit__(None, None, None))
        assert ends_in == acme.schema_name

    def test_a_new_thread_starts_in_public(self) -> None:
        with enter(bare_tenant("acme")):
            assert at_once(search_path) == [["public"]]


def bare_tenant(tenant_id: str) -> Tenant:
    """A tenant whose schema holds one table only: what is tested here needs no more."""
    tenant = make_tenant(tenant_id, ready=False)
    execute(f'CREATE SCHEMA "{tenant.schema_name}"')
    execute(f'CREATE TABLE "{tenant.schema_name}".django_session (LIKE public.django_session INCLUDING ALL)')
    Tenant.objects.filter(pk=tenant.pk).update(provisioning="ready")
    return Tenant.objects.get(pk=tenant.pk)


@pytest.mark.django_db(transaction=True)
class TestStatementsForOneTenant:
    def test_touch_nothing_of_another(self) -> None:
        """Somebody else holds every table of beta: a statement that touches one would wait, and fail."""
        make_tenant("acme")
        beta = make_tenant("beta")
        held = threading.Event()
        done = threading.Event()

        def hold_every_table() -> None:
            with transaction.atomic():
                for table in tables_of(beta.schema_name):
                    execute(f'LOCK TABLE "{beta.schema_name}"."{table}" IN ACCESS EXCLUSIVE MODE')
                held.set()
                done.wait(60)

        def work_in_acme() -> list[str]:
            execute("SET lock_timeout = '2s'")
            with CaptureQueriesContext(connection) as log:
                self.one_life("acme")
            return [query["sql"] for query in log.captured_queries]

        def work() -> list[str]:
            try:
                held.wait(60)
                with pytest.raises(Exception, match="lock timeout"):
                    execute(f"SET lock_timeout = '50ms'; SELECT * FROM \"{beta.schema_name}\".accounts_user")
                return work_in_acme()
            finally:
                done.set()

        _, statements = at_once(hold_every_table, work)
        assert isinstance(statements, list), statements
        assert len(statements) > 20
        assert [sql for sql in statements if beta.schema_name in sql] == []

    def one_life(self, tenant_id: str) -> None:
        """Make somebody, sign them in, look at every page, change, erase."""
        tenant = Tenant.objects.get(tenant_id=tenant_id)
        with enter(tenant):
            user = User(username="max", email="max@acme.example")
            user.set_password("correct horse battery")
            user.save()
        client = sign_in(f"{tenant_id}.localhost", "max")
        for path in ("/settings/", "/accounts/password/change/", "/accounts/logout/"):
            assert client.get(path).status_code == 200
        with enter(tenant):
            user.delete()


@pytest.mark.django_db
def test_what_is_written_inside_a_tenant_stands_there_and_nowhere_else(house: House) -> None:
    public, beta = dump("public"), dump(house.beta.schema_name)
    with context.enter(house.acme):
        User.objects.bulk_create([User(username="new")])
    assert (dump("public"), dump(house.beta.schema_name)) == (public, beta)
    assert len(dump(house.acme.schema_name)["accounts_user"]) == 4
