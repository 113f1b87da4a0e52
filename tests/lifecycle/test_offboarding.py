"""The end of a tenant and its return, as an operator brings them about."""

import json
import stat
import zipfile
from collections.abc import Callable, Iterator
from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import psycopg
import pytest
import time_machine
from allauth.account.models import EmailAddress
from django.conf import settings as django_settings
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import connection
from django.test import Client

from apps.accounts.models import User
from apps.audit.models import Alert, Entry
from apps.core import clock, locks
from apps.lifecycle import offboarding, tasks
from apps.plans.models import Subscription as Binding
from apps.tenants import archive, burial, contents, context
from apps.tenants import services as tenants
from apps.tenants.errors import TenantBusy, TenantNotReady
from apps.tenants.models import Domain, Hold, Provisioning, Tenant, Tombstone
from tests.factories import NOW, PASSWORD, SOMEBODY, make_member, make_operator, make_tenant
from tests.support import databases
from tests.support.vendor import Vendor
from tests.support.working import failed_jobs

Settle = Callable[[], None]
STRANGE = 'Zoë\t\\N "quoted"\nsecond line \x7f \U0001f43c'


@pytest.fixture(autouse=True)
def exports(settings: Any, tmp_path: Path) -> Path:
    settings.TENANTRY_EXPORT_DIR = tmp_path / "exports"
    return tmp_path / "exports"


@pytest.fixture
def acme(transactional_db: None) -> Tenant:
    return make_tenant("acme")


def run(*words: str) -> str:
    out = StringIO()
    call_command(*words, stdout=out)
    return out.getvalue()


def run_json(*words: str) -> Any:
    return json.loads(run(*words, "--json"))


def delete(tenant_id: str = "acme", *more: str) -> Any:
    return run_json("tenant_delete", tenant_id, "--reason", "They left", "--yes", *more)


def rows_of(schema_name: str) -> dict[str, list[str]]:
    """Every row that an export carries, as text, in a fixed order."""
    found = {}
    for table, columns in contents.columns_of(schema_name).items():
        names = ", ".join(f'"{column}"' for column in columns)
        with connection.cursor() as cursor:
            cursor.execute(f'SELECT ({names})::text FROM "{schema_name}"."{table}"')
            found[table] = sorted(row[0] for row in cursor.fetchall())
    return found


def schemas() -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute(r"SELECT nspname FROM pg_namespace WHERE nspname LIKE 't\_%' ORDER BY nspname")
        return [row[0] for row in cursor.fetchall()]


def sign_in(host: str, username: str) -> int:
    answer = Client(HTTP_HOST=host).post("/accounts/login/", {"login": username, "password": PASSWORD})
    return answer.status_code


class Terminal(StringIO):
    """Somebody sits there and types this."""

    def isatty(self) -> bool:
        return True


class TestDeleting:
    def test_exports_then_leaves_a_tombstone_and_a_host_that_is_gone(self, acme: Tenant, exports: Path) -> None:
        make_member(acme, "max")
        told = delete()

        file = Path(told["export"])
        assert file.parent == exports
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert told["rows"] == sum(len(rows) for rows in rows_of_export(file).values()) > 2
        assert not Tenant.objects.exists()
        assert Client(HTTP_HOST="acme.localhost").get("/").status_code == 410
        tombstone = Tombstone.objects.get()
        assert (tombstone.tenant_id, tombstone.tenant_uuid, tombstone.hosts) == ("acme", acme.pk, ["acme.localhost"])
        assert (tombstone.reason, tombstone.buried_by) == ("They left", "tenant_delete")
        assert tombstone.export_sha256 == told["sha256"]
        entry = Entry.objects.get(action="tenant.deleted")
        assert (entry.subject, entry.reason, entry.before["schema"]) == ("tenant:acme", "They left", acme.schema_name)

    def test_its_id_is_not_given_out_again(self, acme: Tenant) -> None:
        delete()
        with pytest.raises(CommandError, match="was deleted"):
            run("tenant_create", "acme")
        with pytest.raises(CommandError, match="was deleted"):
            delete()

    def test_another_tenant_is_not_touched(self, acme: Tenant) -> None:
        beta = make_tenant("beta")
        before = rows_of(beta.schema_name)
        delete()
        assert rows_of(beta.schema_name) == before
        assert Client(HTTP_HOST="beta.localhost").get("/accounts/login/").status_code == 200

    def test_the_audit_stays(self, acme: Tenant) -> None:
        before = set(Entry.objects.values_list("pk", flat=True))
        delete()
        assert before < set(Entry.objects.values_list("pk", flat=True))

    def test_the_emptied_schema_is_dropped_later_by_the_clock(self, acme: Tenant) -> None:
        delete()
        tasks.every_minute_job()
        assert schemas() == [acme.schema_name]
        with time_machine.travel(clock.now() + burial.BEFORE_DROPPING + timedelta(minutes=1), tick=False):
            tasks.every_minute_job()
        assert schemas() == []
        assert Tombstone.objects.get().schema_dropped_at

    def test_one_that_was_never_provisioned(self, transactional_db: None) -> None:
        make_tenant("acme", ready=False)
        assert delete()["rows"] == 0
        assert Client(HTTP_HOST="acme.localhost").get("/").status_code == 410

    def test_asks_for_the_tenants_id(self, acme: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("sys.stdin", Terminal("Acme\n"))
        with pytest.raises(CommandError, match="That is not its tenant id"):
            call_command("tenant_delete", "acme", reason="x", stderr=StringIO())
        assert Tenant.objects.get().provisioning == "ready"
        monkeypatch.setattr("sys.stdin", Terminal("acme\n"))
        call_command("tenant_delete", "acme", reason="x", stderr=StringIO(), stdout=StringIO())
        assert not Tenant.objects.exists()

    def test_where_nobody_can_be_asked_it_wants_to_be_told(self, acme: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("sys.stdin", StringIO("acme\n"))
        with pytest.raises(CommandError, match="--yes"):
            run("tenant_delete", "acme", "--reason", "x")
        assert Tenant.objects.exists()

    @pytest.mark.parametrize("where", ["/proc/nowhere/x.zip", "/dev/full/x.zip"])
    def test_what_cannot_be_exported_is_not_deleted(self, acme: Tenant, where: str) -> None:
        before = rows_of(acme.schema_name)
        with pytest.raises(CommandError, match="could not be written"):
            delete("acme", "--to", where)
        assert Tenant.objects.get().provisioning == "ready"
        assert rows_of(acme.schema_name) == before

    def test_a_file_that_is_there_is_not_overwritten(self, acme: Tenant, tmp_path: Path) -> None:
        (tmp_path / "mine.zip").write_text("precious")
        with pytest.raises(CommandError, match="is not overwritten"):
            delete("acme", "--to", str(tmp_path / "mine.zip"))
        assert (tmp_path / "mine.zip").read_text() == "precious"
        assert Tenant.objects.get().provisioning == "ready"

    def test_that_was_killed_after_it_began_is_finished_by_the_next_call(self, acme: Tenant) -> None:
        burial.close_for_deletion(tenant=acme)
        assert Client(HTTP_HOST="acme.localhost").get("/").status_code == 410
        with pytest.raises(TenantNotReady), context.enter(acme):
            pass
        assert run_json("reconcile", "--all")["tenants"] == [{"tenant_id": "acme", "changes": []}]
        assert delete()["rows"] > 0
        assert not Tenant.objects.exists()

    def test_that_was_killed_is_given_up_by_the_minutes_job(self, acme: Tenant) -> None:
        burial.close_for_deletion(tenant=acme)
        tasks.every_minute_job()
        assert Tenant.objects.get().provisioning == "ready"
        assert sign_in("acme.localhost", "ann") == 200

    def test_that_goes_on_elsewhere_is_left_alone(self, acme: Tenant) -> None:
        burial.close_for_deletion(tenant=acme)
        with psycopg.connect(databases.url()) as other:
            other.execute("SELECT pg_advisory_lock(%s)", [locks._key(f"provision:{acme.pk}")])
            tasks.every_minute_job()
        assert Tenant.objects.get().provisioning == "deleting"

    @pytest.mark.parametrize("reason", ["", "  "])
    def test_without_a_reason_is_refused(self, acme: Tenant, reason: str) -> None:
        with pytest.raises(CommandError, match="reason is needed"):
            run("tenant_delete", "acme", "--reason", reason, "--yes")
        with pytest.raises(CommandError, match="reason is needed"):
            run("tenant_keep", "acme", "--reason", reason)

    def test_who_is_kept_must_be_released_first(self, acme: Tenant) -> None:
        run("tenant_keep", "acme", "--reason", "A lawsuit.")
        with pytest.raises(CommandError, match="is kept: A lawsuit"):
            delete()
        run("tenant_keep", "acme", "--release")
        delete()

    def test_a_backup_that_reads_the_emptied_schema_does_not_stop_the_minute(
        self, acme: Tenant, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(contents, "LOCK_PATIENCE", "200ms")
        delete()
        with (
            psycopg.connect(databases.url()) as other,
            time_machine.travel(clock.now() + timedelta(hours=1), tick=False),
        ):
            other.execute(f'LOCK TABLE "{acme.schema_name}".accounts_user IN ACCESS SHARE MODE')
            tasks.every_minute_job()
            assert schemas() == [acme.schema_name]
            other.rollback()
            tasks.every_minute_job()
        assert schemas() == []

    def test_a_draft_of_somebody_else_is_neither_read_nor_written(self, acme: Tenant, exports: Path) -> None:
        exports.mkdir()
        (exports / "mine.zip.part").write_text("precious")
        (exports / "mine.zip.part").chmod(0o644)
        told = delete("acme", "--to", str(exports / "mine.zip"))
        assert stat.S_IMODE(Path(told["export"]).stat().st_mode) == 0o600
        assert (exports / "mine.zip.part").read_text() == "precious"
        assert sorted(file.name for file in exports.iterdir()) == ["mine.zip", "mine.zip.part"]

    def test_where_there_are_no_links_a_file_is_not_overwritten_either(
        self, acme: Tenant, exports: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def no_links(*paths: Path) -> None:
            raise PermissionError(1, "Operation not permitted")

        monkeypatch.setattr("os.link", no_links)
        told = run_json("tenant_export", "acme")
        assert rows_of_export(Path(told["export"]))
        assert [file.name for file in exports.iterdir()] == [Path(told["export"]).name]

    def test_that_fails_after_it_was_killed_opens_the_tenant_again(self, acme: Tenant) -> None:
        burial.close_for_deletion(tenant=acme)
        with pytest.raises(CommandError):
            delete("acme", "--to", "/proc/nowhere/x.zip")
        assert Tenant.objects.get().provisioning == "ready"
        assert sign_in("acme.localhost", "ann") == 200

    def test_somebody_inside_who_does_not_end_stops_it(self, acme: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(contents, "LOCK_PATIENCE", "200ms")
        with psycopg.connect(databases.url()) as other:
            other.execute(f"UPDATE \"{acme.schema_name}\".accounts_user SET full_name = 'at work'")
            with pytest.raises(TenantBusy):
                offboarding.delete_tenant(tenant=acme, reason="x", actor=SOMEBODY, clock=clock.now)
            other.commit()
        assert Tenant.objects.get().provisioning == "ready"
        with context.enter(Tenant.objects.get()):
            assert User.objects.get().full_name == "at work"


class TestWhoWasInside:
    """A request that was let in before the tenant was closed, and looks after it was deleted."""

    @pytest.fixture
    def inside(self, acme: Tenant) -> Iterator[Any]:
        make_operator("olga")
        with psycopg.connect(databases.url(), autocommit=True) as other:
            other.execute(f'SET search_path = "{acme.schema_name}", public')
            yield other

    def names(self, inside: Any) -> list[str]:
        return [row[0] for row in inside.execute("SELECT username FROM accounts_user")]

    def test_sees_nothing(self, acme: Tenant, inside: Any) -> None:
        assert self.names(inside) == ["ann"]
        delete()
        assert self.names(inside) == []

    def test_would_see_the_operators_if_the_schema_were_dropped_at_once(self, acme: Tenant, inside: Any) -> None:
        delete()
        contents.drop(acme.schema_name)
        assert self.names(inside) == ["olga"]


class TestSubscribed:
    def test_a_living_subscription_keeps_its_tenant(self, vendor: Vendor, settle: Settle) -> None:
        subscription = vendor.subscribe(vendor.customer(), vendor.price(), metadata={"tenant-id": "acme"})
        settle()
        with pytest.raises(CommandError, match=f"{subscription}. Cancel it there first"):
            delete()
        assert Tenant.objects.get().provisioning == "ready"

        vendor.cancel(subscription)
        settle()
        delete()
        settle()
        assert not Tenant.objects.exists()
        assert not Alert.objects.open().exists()

    def test_deleted_although_subscribed_the_operator_is_told(self, vendor: Vendor, settle: Settle) -> None:
        subscription = vendor.subscribe(vendor.customer(), vendor.price(), metadata={"tenant-id": "acme"})
        settle()
        delete("acme", "--even-if-subscribed")
        settle()
        assert not Tenant.objects.exists()
        alert = Alert.objects.open().get()
        assert (alert.code, alert.subject) == ("tenant_id_refused", f"subscription:{subscription}")
        assert "was deleted" in alert.message

    def test_events_that_come_later_bring_nothing_back(self, vendor: Vendor, settle: Settle) -> None:
        customer = vendor.customer()
        vendor.cancel(vendor.subscribe(customer, vendor.price(), metadata={"tenant-id": "acme"}))
        settle()
        delete()
        vendor.client.v1.customers.update(customer, {"name": "Acme again"})
        settle()
        run("stripe_sync")
        settle()
        assert not Tenant.objects.exists()


def rows_of_export(file: Path) -> dict[str, list[bytes]]:
    with zipfile.ZipFile(file) as opened:
        names = [name for name in opened.namelist() if name.startswith("tables/")]
        return {name: opened.read(name).splitlines() for name in names}


def furnish(tenant: Tenant) -> None:
    """Rows of every kind: odd texts, numbers from sequences, links between tables."""
    from django.contrib.auth.models import Group

    make_member(tenant, "max")
    with context.enter(tenant):
        group = Group.objects.create(name=STRANGE)
        for number, user in enumerate(User.objects.order_by("username")):
            user.full_name = STRANGE
            user.save()
            user.groups.add(group)
            EmailAddress.objects.create(user=user, email=f"{number}@acme.example")


class TestUnseen:
    """What Stripe knows and nobody here has heard of yet."""

    def test_who_subscribed_again_in_stripe_is_not_deleted(self, vendor: Vendor, settle: Settle) -> None:
        customer, price = vendor.customer(), vendor.price()
        vendor.cancel(vendor.subscribe(customer, price, metadata={"tenant-id": "acme"}))
        settle()
        vendor.subscribe(customer, price)
        vendor.standin.drop()
        with pytest.raises(CommandError, match="living subscription"):
            delete()
        assert Tenant.objects.get().state == "approved"

    def test_nobody_is_deleted_of_whom_stripe_cannot_be_asked(self, vendor: Vendor, settle: Settle) -> None:
        subscription = vendor.subscribe(vendor.customer(), vendor.price(), metadata={"tenant-id": "acme"})
        settle()
        vendor.cancel(subscription)
        settle()
        vendor.standin.fail("GET", "/v1/subscriptions", status=500, times=3)
        with pytest.raises(CommandError, match="Stripe"):
            delete()
        assert Tenant.objects.get().provisioning == "ready"
        delete()

    def test_a_subscription_that_joined_a_deleted_tenant_does_not_go_to_another(
        self, vendor: Vendor, settle: Settle
    ) -> None:
        customer, price = vendor.customer(), vendor.price()
        vendor.subscribe(customer, price, metadata={"tenant-id": "acme"})
        joined = vendor.subscribe(customer, price)
        settle()
        vendor.subscribe(customer, price, metadata={"tenant-id": "beta"})
        settle()
        export = delete("acme", "--even-if-subscribed")["export"]
        settle()
        assert Binding.objects.get(stripe_id=joined).tenant is None
        assert Alert.objects.open().filter(subject=f"subscription:{joined}").exists()

        run("tenant_restore", export)
        settle()
        assert Binding.objects.get(stripe_id=joined).tenant == Tenant.objects.get(tenant_id="acme")
        assert not Alert.objects.open().exists()


class TestRestoring:
    def test_brings_back_every_row_under_the_same_id(self, acme: Tenant) -> None:
        furnish(acme)
        before = rows_of(acme.schema_name)
        export = delete()["export"]

        told = run_json("tenant_restore", export)
        tenant = Tenant.objects.get()
        assert (tenant.tenant_id, tenant.pk, tenant.name) == ("acme", acme.pk, "Acme")
        assert tenant.schema_name != acme.schema_name
        assert rows_of(tenant.schema_name) == before
        assert (told["state"], told["provisioning"], told["host"]) == ("approved", "ready", "acme.localhost")
        assert sign_in("acme.localhost", "max") == 302
        assert Entry.objects.get(action="tenant.restored").after["rows"] == sum(map(len, before.values()))

    def test_numbers_go_on_after_the_highest(self, acme: Tenant) -> None:
        furnish(acme)
        run("tenant_restore", delete()["export"])
        with context.enter(Tenant.objects.get()):
            highest = max(EmailAddress.objects.values_list("pk", flat=True))
            user = User.objects.get(username="max")
            assert EmailAddress.objects.create(user=user, email="new@acme.example").pk > highest

    def test_nobody_is_signed_in(self, acme: Tenant) -> None:
        make_member(acme, "max")
        client = Client(HTTP_HOST="acme.localhost")
        client.post("/accounts/login/", {"login": "max", "password": PASSWORD})
        assert client.get("/settings/").status_code == 200
        run("tenant_restore", delete()["export"])
        assert client.get("/settings/").status_code == 302

    def test_again_and_again(self, acme: Tenant) -> None:
        names = {acme.schema_name}
        for _ in range(2):
            run("tenant_restore", delete()["export"].replace("\n", ""))
            names.add(Tenant.objects.get().schema_name)
            with time_machine.travel(clock.now() + timedelta(days=1), tick=False):
                tasks.every_minute_job()
            time_machine_export_names_differ(Tenant.objects.get())
        assert len(names) == 3
        assert Tombstone.objects.standing().count() == 0
        assert schemas() == [Tenant.objects.get().schema_name]

    def test_an_export_of_older_tables_is_brought_to_the_present_ones(
        self, acme: Tenant, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        furnish(acme)
        file = Path(delete()["export"])
        older = tmp_path / "older.zip"
        without_the_last_of_allauth(file, older)
        run("tenant_restore", str(older), "--any-export")
        tenant = Tenant.objects.get()
        assert dict(contents.applied_migrations(tenant.schema_name)).keys() >= {"account"}
        assert sorted(contents.applied_migrations(tenant.schema_name)) == sorted(migrations_of(file))

    def test_what_an_operator_decided_comes_back_too(self, acme: Tenant) -> None:
        run("tenant_hold", "acme", "--state", "rejected", "--reason", "Fraud")
        export = delete()["export"]
        told = run_json("tenant_restore", export)
        assert (told["state"], told["state_description"]) == ("rejected", "Fraud")
        assert Hold.objects.open().get().author == "tenant_hold"

    def test_an_exception_that_an_operator_made_is_in_force_again(self, acme: Tenant) -> None:
        run("feature_define", "projects", "count")
        run("override_set", "acme", "projects", "--limit", "99", "--reason", "A friend")
        run("tenant_restore", delete()["export"])
        told = run_json("entitlement_explain", "acme", "projects")
        assert "99" in json.dumps(told)
        assert "A friend" in json.dumps(told)

    def test_a_tenant_of_stripe_is_what_stripe_says(self, vendor: Vendor, settle: Settle) -> None:
        customer = vendor.customer()
        vendor.cancel(vendor.subscribe(customer, vendor.price(), metadata={"tenant-id": "acme"}))
        settle()
        export = delete()["export"]
        settle()
        told = run_json("tenant_restore", export)
        assert (told["state"], told["plan"]) == ("suspended", None)
        settle()
        assert Tenant.objects.get().state == "suspended"
        vendor.subscribe(customer, vendor.price(name="Other"))
        settle()
        assert Tenant.objects.get().state == "approved"
        assert not Alert.objects.open().exists()
        assert failed_jobs() == []

    def test_from_an_older_export_only_when_it_is_asked_for(self, acme: Tenant, tmp_path: Path) -> None:
        older = run_json("tenant_export", "acme", "--to", str(tmp_path / "older.zip"))["export"]
        make_member(acme, "late")
        delete()
        with pytest.raises(CommandError, match="not the export that was written when 'acme' was deleted"):
            run("tenant_restore", older)
        run("tenant_restore", older, "--any-export")
        with context.enter(Tenant.objects.get()):
            assert not User.objects.filter(username="late").exists()

    def test_one_whose_first_administrator_was_erased(self, acme: Tenant) -> None:
        run("user_erase", "acme", "ann", "--yes", "--even-the-last")
        told = run_json("tenant_restore", delete()["export"])
        assert told["admin"] is None
        assert run_json("tenant_list")["tenants"][0]["admin"] is None
        link = run_json("tenant_administrator", "acme", "eve", "--email", "eve@acme.example")["sign_in_link"]
        assert Client(HTTP_HOST="acme.localhost").get(link).status_code == 200
        with pytest.raises(CommandError, match="user name already"):
            run("tenant_administrator", "acme", "EVE")

    @pytest.mark.parametrize("times", [1, 2])
    def test_while_the_tenant_is_there_is_refused(self, acme: Tenant, times: int) -> None:
        export = delete()["export"]
        for _ in range(times):
            run("tenant_restore", export) if not Tenant.objects.exists() else None
            with pytest.raises(CommandError, match="only one that was deleted is restored"):
                run("tenant_restore", export)

    def test_on_a_host_that_somebody_else_has_by_now_is_refused_whole(self, acme: Tenant) -> None:
        tenants.add_domain(tenant=acme, host="www.acme.example")
        export = delete()["export"]
        beta = make_tenant("beta")
        Domain.objects.create(domain="www.acme.example", tenant=beta, is_primary=False)
        before = schemas()
        with pytest.raises(CommandError, match=r"www\.acme\.example"):
            run("tenant_restore", export)
        assert not Tenant.objects.filter(tenant_id="acme").exists()
        assert Tombstone.objects.standing().count() == 1
        assert schemas() == before

    @pytest.mark.parametrize(
        ("spoil", "why"),
        [
            (lambda file: file.write_bytes(b"not a zip file"), "cannot be read as an export"),
            (lambda file: file.unlink(), "cannot be read as an export"),
            (lambda file: rewrite(file, manifest=None), "has no manifest.json"),
            (lambda file: rewrite(file, manifest={"version": 2}), "version"),
            (lambda file: rewrite(file, tables=b"1\t2\n"), "are not those that were exported"),
            (lambda file: rewrite(file, unknown=["accounts", "9999_tomorrow"]), "accounts.9999_tomorrow"),
        ],
        ids=["no zip", "no file", "no manifest", "other version", "changed rows", "unknown migration"],
    )
    def test_a_file_that_is_not_right_restores_nothing(
        self, acme: Tenant, spoil: Callable[[Path], None], why: str
    ) -> None:
        file = Path(delete()["export"])
        spoil(file)
        with pytest.raises(CommandError, match=why):
            run("tenant_restore", str(file), "--any-export")
        assert not Tenant.objects.exists()
        assert schemas() == [acme.schema_name]
        assert Tombstone.objects.standing().count() == 1


class TestExporting:
    def test_while_the_tenant_goes_on(self, acme: Tenant, exports: Path) -> None:
        furnish(acme)
        told = run_json("tenant_export", "acme")
        assert Tenant.objects.get().provisioning == "ready"
        assert told["rows"] == sum(map(len, rows_of(acme.schema_name).values()))
        assert Entry.objects.get(action="tenant.exported").after["sha256"] == told["sha256"]

    def test_is_of_one_moment(self, acme: Tenant, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        """Somebody writes while the file is written: none of it is in there."""
        copy_out = contents.copy_out

        def disturbed(**given: Any) -> Iterator[bytes]:
            with psycopg.connect(databases.url()) as other:
                other.execute(f"UPDATE \"{acme.schema_name}\".accounts_user SET full_name = 'changed meanwhile'")
            return copy_out(**given)

        monkeypatch.setattr(contents, "copy_out", disturbed)
        offboarding.export_tenant(tenant=acme, path=tmp_path / "x.zip", actor=SOMEBODY, clock=clock.now)
        with archive.opened(tmp_path / "x.zip") as opened:
            assert b"changed meanwhile" not in b"".join(opened.rows_of("accounts_user"))

    def test_is_not_of_what_a_deletion_is_emptying(self, acme: Tenant, tmp_path: Path) -> None:
        burial.close_for_deletion(tenant=acme)
        with pytest.raises(CommandError, match="is being deleted"):
            run("tenant_export", "acme", "--to", str(tmp_path / "x.zip"))
        assert not (tmp_path / "x.zip").exists()

    def test_keeps_others_from_remaking_the_tables(
        self, acme: Tenant, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        copy_out, refused = contents.copy_out, []

        def remade(**given: Any) -> Iterator[bytes]:
            with (
                psycopg.connect(databases.url(), options="-c lock_timeout=100ms") as other,
                pytest.raises(psycopg.errors.LockNotAvailable),
            ):
                other.execute(f'TRUNCATE "{acme.schema_name}".accounts_user CASCADE')
            refused.append(given["table"])
            return copy_out(**given)

        monkeypatch.setattr(contents, "copy_out", remade)
        offboarding.export_tenant(tenant=acme, path=tmp_path / "x.zip", actor=SOMEBODY, clock=clock.now)
        assert "accounts_user" in refused

    def test_no_password_of_the_first_administrator_is_told(self, transactional_db: None, tmp_path: Path) -> None:
        tenant = make_tenant("acme", ready=False)
        secret = tenant.first_administrator["password_hash"]
        assert secret
        offboarding.export_tenant(tenant=tenant, path=tmp_path / "x.zip", actor=SOMEBODY, clock=clock.now)
        with zipfile.ZipFile(tmp_path / "x.zip") as opened:
            assert secret not in opened.read("manifest.json").decode()


class TestKeeping:
    def test_says_why_and_until_when(self, acme: Tenant) -> None:
        assert run_json("tenant_keep", "acme", "--reason", "A lawsuit")["kept_because"] == "A lawsuit"
        entry = Entry.objects.get(action="tenant.kept")
        assert (entry.before, entry.after) == ({"kept_because": ""}, {"kept_because": "A lawsuit"})
        assert run_json("tenant_keep", "acme", "--release")["kept_because"] is None

    def test_too_late_is_told(self, acme: Tenant) -> None:
        burial.close_for_deletion(tenant=acme)
        with pytest.raises(CommandError, match="is being deleted at this moment"):
            run("tenant_keep", "acme", "--reason", "A lawsuit")


class TestByRequest:
    def test_a_job_deletes_in_the_name_of_who_asked(self, acme: Tenant, drain: Callable[[], None]) -> None:
        offboarding.request_deletion(tenant=acme, reason="They left", actor=SOMEBODY, now=NOW)
        drain()
        entry = Entry.objects.get(action="tenant.deleted")
        assert (entry.actor_kind, entry.actor_label, entry.reason) == ("person", "somebody", "They left")

    def test_who_keeps_it_before_the_job_begins_is_heard(self, acme: Tenant, drain: Callable[[], None]) -> None:
        offboarding.request_deletion(tenant=acme, reason="They left", actor=SOMEBODY, now=NOW)
        run("tenant_keep", "acme", "--reason", "A lawsuit")
        drain()
        assert Tenant.objects.get().provisioning == "ready"
        assert not Alert.objects.open().exists()

    def test_that_cannot_be_done_is_told(self, acme: Tenant, drain: Callable[[], None], settings: Any) -> None:
        settings.TENANTRY_EXPORT_DIR = "/proc/nowhere"
        offboarding.request_deletion(tenant=acme, reason="They left", actor=SOMEBODY, now=NOW)
        drain()
        assert Alert.objects.open().get().code == "deletion_failed"
        run("tenant_keep", "acme", "--reason", "Not now")
        assert not Alert.objects.open().exists()
        assert Tenant.objects.get().provisioning == Provisioning.READY


def time_machine_export_names_differ(tenant: Tenant) -> None:
    """Two exports of one second would have one name."""
    for file in Path(django_settings.TENANTRY_EXPORT_DIR).glob(f"{tenant.tenant_id}-*.zip"):
        file.rename(file.with_name(f"former-{tenant.schema_name}.zip"))


def migrations_of(file: Path) -> list[tuple[str, str]]:
    with archive.opened(file) as opened:
        return [(app, name) for app, name in opened.manifest.migrations]


def rewrite(
    file: Path,
    *,
    manifest: dict[str, Any] | None = {},  # noqa: B006
    tables: bytes | None = None,
    unknown: list[str] | None = None,
    without: tuple[str, str] | None = None,
    to: Path | None = None,
) -> None:
    """Write an export again, changed."""
    with zipfile.ZipFile(file) as opened:
        members = {name: opened.read(name) for name in opened.namelist()}
    told = json.loads(members.pop("manifest.json"))
    told["migrations"] += [unknown] if unknown else []
    told["migrations"] = [each for each in told["migrations"] if tuple(each) != without]
    if manifest is not None:
        members["manifest.json"] = json.dumps({**told, **manifest}).encode()
    if tables is not None:
        members["tables/accounts_user"] = tables
    with zipfile.ZipFile(to or file, "w") as made:
        for name, body in members.items():
            made.writestr(name, body)


def without_the_last_of_allauth(file: Path, to: Path) -> None:
    """As an installation would have exported it that had not had allauth's last migration yet."""
    last = max(each for each in migrations_of(file) if each[0] == "account")
    rewrite(file, without=last, to=to)
