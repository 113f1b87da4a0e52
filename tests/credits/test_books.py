"""The books can only be added to, and tell when something in them is not what it was booked as."""

from collections.abc import Callable

import pytest
from django.core.management import call_command
from django.db import DatabaseError, IntegrityError, ProgrammingError, transaction

from apps.credits.checks import books_are_append_only
from apps.credits.models import Account, Grant, LedgerEntry, Reservation
from apps.credits.verifying import verify
from tests.credits.conftest import PRO, Purse
from tests.tenants.probes import execute

TABLES = ("credits_ledgerentry", "credits_operation")
CHANGES = ("UPDATE {} SET amount = 0", "DELETE FROM {}")


@pytest.fixture(autouse=True)
def booked(purse: Purse) -> None:
    purse.plan = PRO
    purse.grant(10)
    purse.spend(3)
    purse.reserve(2)


class TestOnlyEverAddedTo:
    @pytest.mark.parametrize("table", TABLES)
    @pytest.mark.parametrize("change", CHANGES)
    def test_by_privilege_alone(self, table: str, change: str) -> None:
        execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
        with pytest.raises(ProgrammingError, match="permission denied"), transaction.atomic():
            execute(change.format(table))

    @pytest.mark.parametrize("table", TABLES)
    @pytest.mark.parametrize("change", CHANGES)
    def test_by_trigger_alone(self, table: str, change: str) -> None:
        execute(f"GRANT UPDATE, DELETE ON {table} TO CURRENT_USER")
        with pytest.raises(IntegrityError, match="only ever added to"), transaction.atomic():
            execute(change.format(table))

    @pytest.mark.parametrize("table", TABLES)
    def test_without_both_it_could_be_changed(self, table: str) -> None:
        execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
        execute(f"GRANT UPDATE, DELETE ON {table} TO CURRENT_USER")
        for change in CHANGES:
            execute(change.format(table))

    @pytest.mark.parametrize(
        "act", [lambda: LedgerEntry.objects.update(amount=0), lambda: LedgerEntry.objects.get(seq=1).delete()]
    )
    def test_also_through_the_models(self, act: Callable[[], object]) -> None:
        with pytest.raises(DatabaseError), transaction.atomic():
            act()

    @pytest.mark.parametrize("right", ["UPDATE", "UPDATE (amount)", "DELETE", "TRUNCATE"])
    @pytest.mark.parametrize("whom", ["CURRENT_USER", "PUBLIC"])
    def test_a_check_tells_when_the_role_may_do_more(self, right: str, whom: str) -> None:
        # The tests' own role may empty the tables between them.
        execute(f"REVOKE TRUNCATE ON {', '.join(TABLES)} FROM CURRENT_USER")
        assert books_are_append_only(None, databases=["default"]) == []
        execute(f"GRANT {right} ON credits_operation TO {whom}")
        (found,) = books_are_append_only(None, databases=["default"])
        assert found.id == "credits.E001" and "credits_operation" in found.msg

    def test_the_check_asks_no_database_when_none_is_to_be_asked(self) -> None:
        assert books_are_append_only(None) == []


class TestVerifying:
    def whats(self) -> list[str]:
        return [each.what for each in verify()]

    def test_what_was_booked_is_found_to_be_right(self, purse: Purse) -> None:
        assert verify() == [] == verify(purse.tenant)

    def test_a_falsified_balance(self, purse: Purse) -> None:
        Account.objects.update(balance=99)
        (found,) = verify()
        assert (found.tenant_uuid, found.feature, found.what) == (purse.tenant.pk, "credits", "the balance")
        assert (found.expected, found.found) == (15, 99)
        assert verify(Purse().tenant) == []

    def test_a_falsified_grant(self) -> None:
        changed = Grant.objects.get(category="manual")
        Grant.objects.filter(id=changed.id).update(remaining=changed.remaining - 1)
        assert self.whats() == [f"what remains of the grant {changed.id}", "what remains of the grants, less the debt"]

    def test_a_grant_that_nobody_made(self, purse: Purse) -> None:
        made = Grant.objects.get(category="manual")
        made.id, made.held = Reservation.objects.get().id, 0
        made.save(force_insert=True)
        assert f"what remains of the grant {made.id}" in self.whats()

    def test_a_falsified_debt_and_use(self) -> None:
        Account.objects.update(debt=1, spent=0, last_seq=0)
        assert self.whats() == [
            "the debt",
            "the number of the last entry",
            "what remains of the grants, less the debt",
            "what was spent in the period",
        ]

    def test_a_falsified_reservation(self) -> None:
        Reservation.objects.update(state="released")
        assert self.whats() == ["what is set aside of the grants"]

    def test_a_falsified_or_missing_entry(self) -> None:
        execute("ALTER TABLE credits_ledgerentry DISABLE TRIGGER USER")
        execute("GRANT UPDATE, DELETE ON credits_ledgerentry TO CURRENT_USER")
        LedgerEntry.objects.filter(seq=3).update(amount=-1)
        assert "the balance after entry 3" in self.whats()
        LedgerEntry.objects.filter(seq=3).delete()
        assert {"the balance", "the number of entries", "the balance after entry 4"} <= set(self.whats())

    def test_an_account_that_is_gone(self) -> None:
        Account.objects.all().delete()
        assert "the balance" in self.whats()


def test_the_migration_can_be_taken_back_and_made_again(transactional_db: None) -> None:
    call_command("migrate", "credits", "zero", verbosity=0)
    call_command("migrate", "credits", verbosity=0)
    try:
        assert books_are_append_only(None, databases=["default"]) == []
    finally:
        execute(f"GRANT TRUNCATE ON {', '.join(TABLES)} TO CURRENT_USER")
