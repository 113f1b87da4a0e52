"""Provisioning: once, whole, whatever happens in between."""

import os
import signal
import smtplib
import subprocess
import sys
from collections.abc import Callable
from contextlib import nullcontext
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.hashers import make_password
from django.core import mail
from django.core.mail.backends.locmem import EmailBackend

from apps.accounts.models import User
from apps.accounts.services import NewUser
from apps.audit import services as audit
from apps.audit.models import Alert, Entry
from apps.lifecycle import provisioning, services
from apps.lifecycle.reconciling import reconcile
from apps.tenants import schema
from apps.tenants import services as tenant_services
from apps.tenants.context import enter
from apps.tenants.models import Domain, Tenant
from tests.factories import NOW, PASSWORD, SOMEBODY, make_tenant
from tests.support import databases
from tests.support.working import drain_jobs, failed_jobs
from tests.tenants.house import browser, sign_in, who_is
from tests.tenants.probes import at_once, dump, execute, tables_of, tenant_schemas, wait_for_waiter

STEPS = ["schema", "domain", "administrator", "entitlements"]
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def schemas_made_quickly() -> None:
    """Not here, where it is told how schemas are made."""


class Killed(BaseException):
    """The process ends here."""


def provision(tenant: Tenant) -> Tenant:
    return services.provision_tenant(tenant_key=tenant.pk, actor=SOMEBODY, now=NOW)


def assert_complete(tenant_id: str = "acme") -> Tenant:
    """One tenant, one schema with every table, one administrator, one host, one welcome."""
    tenant = Tenant.objects.get(tenant_id=tenant_id)
    assert (tenant.provisioning, tenant.provisioning_error) == ("ready", "")
    assert set(tenant.provisioning_steps) == {*STEPS, "welcome"}
    assert [name for name in tenant_schemas() if name.startswith(f"t_{tenant_id.replace('-', '_')}_")] == [
        tenant.schema_name
    ]
    assert tables_of(tenant.schema_name) == schema.expected_tables() | {"django_migrations"}
    assert tenant.schema_version == schema.current_version()
    assert [each.domain for each in Domain.objects.filter(tenant=tenant)] == [f"{tenant_id}.localhost"]
    with enter(tenant):
        assert [(user.username, user.role) for user in User.objects.all()] == [("ann", "administrator")]
    assert tenant.first_administrator["password_hash"] == ""
    assert not Alert.objects.open().filter(subject=tenant.subject).exists()
    assert Entry.objects.filter(action="tenant.provisioned", subject=tenant.subject).count() == 1
    return tenant


def killed_instead_of_recording(step: str, monkeypatch: pytest.MonkeyPatch) -> None:
    finish = tenant_services.finish_step

    def die(**given: Any) -> None:
        if given["step"] == step:
            raise Killed
        finish(**given)

    monkeypatch.setattr(tenant_services, "finish_step", die)


def killed_after(step: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once the step is committed: before the next one, or before the opening, begins."""
    following = [*STEPS, "open"][STEPS.index(step) + 1]

    def die(*given: Any, **more: Any) -> None:
        raise Killed

    if following == "open":
        monkeypatch.setattr(provisioning, "_open", die)
    else:
        monkeypatch.setitem(provisioning.STEPS, following, die)


def killed_while_opening(step: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def die(**given: Any) -> None:
        raise Killed

    monkeypatch.setattr(audit, "record", die)


def killed_before_the_welcome(step: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def die(tenant: Tenant) -> None:
        raise Killed

    monkeypatch.setattr(provisioning, "send_welcome", die)


KILLS = [
    *[(killed_instead_of_recording, step) for step in [*STEPS, "welcome"]],
    *[(killed_after, step) for step in STEPS],
    (killed_while_opening, ""),
    (killed_before_the_welcome, ""),
]


@pytest.mark.django_db(transaction=True)
class TestKilled:
    @pytest.mark.parametrize(
        ("kill", "step"), KILLS, ids=[f"{kill.__name__}_{step}".strip("_") for kill, step in KILLS]
    )
    def test_then_resumed_it_is_complete(self, kill: Callable[[str, pytest.MonkeyPatch], None], step: str) -> None:
        tenant = make_tenant(ready=False)
        with pytest.MonkeyPatch.context() as world:
            kill(step, world)
            with pytest.raises(Killed):
                provision(tenant)
        is_open = "welcome" in (step or kill.__name__)
        assert browser("acme.localhost").get("/accounts/login/").status_code == (200 if is_open else 503)

        provision(tenant)

        assert_complete()
        assert browser("acme.localhost").get("/accounts/login/").status_code == 200

    def test_the_next_reconcile_completes_it(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Nobody has to know: the tenant comes up by itself when its time is due."""
        tenant = make_tenant(ready=False)
        with pytest.MonkeyPatch.context() as world:
            killed_after("schema", world)
            with pytest.raises(Killed):
                provision(tenant)
        execute("DELETE FROM procrastinate_jobs")
        due = Tenant.objects.get(pk=tenant.pk).next_reconcile_at
        assert due is not None
        assert due <= NOW + timedelta(minutes=5)

        reconcile(tenant=tenant, actor=SOMEBODY, now=due)
        drain_jobs()

        assert failed_jobs() == []
        assert_complete()

    @pytest.mark.parametrize("step", ["schema", "administrator"])
    def test_by_the_system_in_the_middle_of_a_step(self, step: str) -> None:
        tenant = make_tenant(ready=False)
        script = f"""
import os, signal, uuid, django
django.setup()
from apps.lifecycle import provisioning
from tests.factories import NOW, SOMEBODY
from apps.tenants.models import Tenant
work = provisioning.STEPS[{step!r}]
def die(tenant):
    work(tenant)
    os.kill(os.getpid(), signal.SIGKILL)
provisioning.STEPS[{step!r}] = die
provisioning.provision(tenant=Tenant.objects.get(pk={str(tenant.pk)!r}), actor=SOMEBODY, now=NOW)
"""
        environment = {
            **os.environ,
            "DATABASE_URL": databases.url(),
            "DJANGO_SETTINGS_MODULE": "config.settings.test",
            "PYTHONPATH": str(ROOT),
        }
        ended = subprocess.run(
            [sys.executable, "-c", script], check=False, cwd=ROOT, env=environment, capture_output=True, timeout=60
        )
        assert ended.returncode == -signal.SIGKILL, ended.stderr.decode()
        assert Tenant.objects.get().provisioning == "running"

        provision(tenant)

        assert_complete()


def failing(step: str, error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    """The step does all of its work and then fails."""
    work = provisioning.STEPS[step]

    def fail(tenant: Tenant) -> None:
        work(tenant)
        raise error

    monkeypatch.setitem(provisioning.STEPS, step, fail)


@pytest.mark.django_db(transaction=True)
class TestAStepThatFails:
    @pytest.mark.parametrize("step", STEPS)
    def test_leaves_a_failed_tenant_with_an_alert_that_clears_when_it_goes_on(self, step: str) -> None:
        tenant = make_tenant(ready=False)
        with pytest.MonkeyPatch.context() as world:
            failing(step, RuntimeError("the disk is full"), world)
            with pytest.raises(RuntimeError):
                provision(tenant)

        failed = Tenant.objects.get(pk=tenant.pk)
        assert (failed.provisioning, failed.provisioning_error) == ("failed", "RuntimeError: the disk is full")
        assert set(failed.provisioning_steps) == set(STEPS[: STEPS.index(step)])
        alert = Alert.objects.open().get(subject="tenant:acme")
        assert alert.code == "provisioning_failed"
        assert "the disk is full" in alert.message
        assert mail.outbox == []

        services.provision_tenant(tenant_key=tenant.pk, actor=SOMEBODY, now=NOW + timedelta(minutes=1))

        assert_complete()
        assert Alert.objects.get().cleared_at == NOW + timedelta(minutes=1)

    def test_failing_again_is_one_alert_with_the_newest_reason(self) -> None:
        tenant = make_tenant(ready=False)
        for reason in ("first", "second"):
            with pytest.MonkeyPatch.context() as world:
                failing("domain", RuntimeError(reason), world)
                with pytest.raises(RuntimeError):
                    provision(tenant)
        assert "second" in Alert.objects.get().message

    def test_a_job_that_failed_is_done_again_in_its_time(self, monkeypatch: pytest.MonkeyPatch) -> None:
        with pytest.MonkeyPatch.context() as world:
            failing("administrator", RuntimeError("not now"), world)
            tenant = make_tenant(ready=False)
            drain_jobs()
        assert set(failed_jobs()) == {"lifecycle.provision_tenant"}
        execute("DELETE FROM procrastinate_jobs")
        reconcile(tenant=tenant, actor=SOMEBODY, now=NOW + timedelta(minutes=2))
        drain_jobs()
        assert_complete()

    def test_a_schema_that_is_there_already_is_not_adopted(self) -> None:
        tenant = make_tenant(ready=False)
        execute(f'CREATE SCHEMA "{tenant.schema_name}"; CREATE TABLE "{tenant.schema_name}".accounts_user ()')
        with pytest.raises(Exception, match="will not be adopted"):
            provision(tenant)
        assert tables_of(tenant.schema_name) == {"accounts_user"}
        assert Tenant.objects.get().provisioning == "failed"
        assert browser("acme.localhost").get("/").status_code == 503

    def test_a_host_that_is_another_tenants_is_not_shared(self) -> None:
        other = make_tenant("other", ready=False)
        tenant = make_tenant(ready=False)
        tenant_services.add_domain(tenant=other, host="acme.localhost")
        with pytest.raises(Exception, match="Another tenant answers"):
            provision(tenant)
        assert Tenant.objects.get(pk=tenant.pk).provisioning == "failed"
        assert Domain.objects.get(domain="acme.localhost").tenant == other


class DeadMailServer(EmailBackend):
    def send_messages(self, messages: Any) -> int:
        raise ConnectionRefusedError(111, "Connection refused")


class RudeMailServer(EmailBackend):
    def send_messages(self, messages: Any) -> int:
        raise smtplib.SMTPRecipientsRefused({"ann@acme.example": (550, b"no such user")})


class BrokenMailServer(EmailBackend):
    def send_messages(self, messages: Any) -> int:
        raise ValueError("cannot encode this")


@pytest.mark.django_db(transaction=True)
class TestTheWelcome:
    @pytest.mark.parametrize("server", [DeadMailServer, RudeMailServer, BrokenMailServer])
    def test_a_mail_that_cannot_be_sent_keeps_nobody_out_and_is_sent_later(self, server: type, settings: Any) -> None:
        working = settings.EMAIL_BACKEND
        settings.EMAIL_BACKEND = f"{__name__}.{server.__name__}"
        tenant = make_tenant()
        assert (tenant.provisioning, "welcome" in tenant.provisioning_steps) == ("ready", False)
        assert Alert.objects.open().get().code == "welcome_failed"
        assert browser("acme.localhost").get("/accounts/login/").status_code == 200

        settings.EMAIL_BACKEND = working
        reconcile(tenant=tenant, actor=SOMEBODY, now=NOW + timedelta(minutes=2))
        drain_jobs()

        assert_complete()
        assert [each.to for each in mail.outbox] == [["ann@acme.example"]]

    def test_is_sent_once(self) -> None:
        tenant = make_tenant()
        provision(tenant)
        reconcile(tenant=tenant, actor=SOMEBODY, now=NOW)
        drain_jobs()
        assert len(mail.outbox) == 1

    def test_killed_between_the_record_and_the_alert_neither_is_there(
        self, settings: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        working = settings.EMAIL_BACKEND
        settings.EMAIL_BACKEND = f"{__name__}.DeadMailServer"
        tenant = make_tenant()
        settings.EMAIL_BACKEND = working

        def die(**given: Any) -> None:
            raise Killed

        with monkeypatch.context() as world:
            world.setattr(audit, "set_alerts", die)
            with pytest.raises(Killed):
                provision(tenant)
        provision(tenant)
        assert_complete()

    def test_without_an_address_nothing_is_sent_and_nothing_is_open(self) -> None:
        nobody = NewUser(username="ann", email="")
        made = services.create_tenant(tenant_id="acme", name="", administrator=nobody, actor=SOMEBODY, now=NOW)
        provision(made)
        assert mail.outbox == []
        assert_complete()

    def test_an_administrator_who_was_erased_meanwhile_is_an_alert_and_no_crash(self, settings: Any) -> None:
        settings.EMAIL_BACKEND = f"{__name__}.DeadMailServer"
        tenant = make_tenant()
        with enter(tenant):
            User.objects.all().delete()
        assert provision(tenant).provisioning == "ready"
        assert Alert.objects.open().get().code == "welcome_failed"


@pytest.mark.django_db(transaction=True)
class TestTwoAtOnce:
    """The second comes while the first makes the schema."""

    def race(self, tenant: Tenant, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
        create = schema.create

        def create_once_the_other_waits(each: Tenant) -> None:
            create(each)
            wait_for_waiter()

        monkeypatch.setitem(provisioning.STEPS, "schema", create_once_the_other_waits)
        return at_once(lambda: provision(tenant), lambda: provision(tenant))

    def test_without_the_lock_one_fails_and_says_so_of_the_tenant(self, monkeypatch: pytest.MonkeyPatch) -> None:
        tenant = make_tenant(ready=False)
        monkeypatch.setattr(provisioning, "advisory_lock", lambda name: nullcontext())
        outcomes = self.race(tenant, monkeypatch)
        assert [outcome for outcome in outcomes if isinstance(outcome, Exception)]
        assert Alert.objects.filter(code="provisioning_failed").exists()

    def test_with_it_each_step_is_done_once_and_both_see_it_done(self, monkeypatch: pytest.MonkeyPatch) -> None:
        tenant = make_tenant(ready=False)
        outcomes = self.race(tenant, monkeypatch)
        assert [outcome.provisioning for outcome in outcomes] == ["ready", "ready"]
        assert_complete()
        assert len(mail.outbox) == 1
        assert not Alert.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_twenty_tenants_at_once_are_all_complete() -> None:
    tenants = [make_tenant(f"tenant-{number}", ready=False) for number in range(20)]
    outcomes = at_once(*[lambda each=each: provision(each) for each in tenants])
    assert [outcome.provisioning for outcome in outcomes] == ["ready"] * 20
    for tenant in tenants:
        assert_complete(tenant.tenant_id)
    assert len(tenant_schemas()) == 20
    assert len(mail.outbox) == 20


@pytest.mark.django_db(transaction=True)
class TestAClosedTenant:
    def test_suspended_before_its_provisioning_is_not_provisioned(self) -> None:
        tenant = make_tenant(ready=False)
        services.hold_tenant(tenant=tenant, state="suspended", reason="wait", until=None, actor=SOMEBODY, now=NOW)
        drain_jobs()
        assert provision(tenant).provisioning == "pending"
        assert tenant_schemas() == []
        assert mail.outbox == []

    def test_is_provisioned_once_the_hold_is_lifted(self) -> None:
        tenant = make_tenant(ready=False)
        services.hold_tenant(tenant=tenant, state="suspended", reason="wait", until=None, actor=SOMEBODY, now=NOW)
        drain_jobs()
        services.unhold_tenant(tenant=tenant, reason="", actor=SOMEBODY, now=NOW)
        drain_jobs()
        assert_complete()


@pytest.mark.django_db(transaction=True)
class TestThePassword:
    def with_password(self) -> Tenant:
        return tenant_services.create_tenant(
            tenant_id="acme",
            name="Acme",
            description="",
            administrator=NewUser("ann", "ann@acme.example", password_hash=make_password(PASSWORD)),
            claim=None,
            actor=SOMEBODY,
            now=NOW,
        )

    def test_signs_the_administrator_in_and_is_kept_nowhere_else(self) -> None:
        tenant = self.with_password()
        assert tenant.first_administrator["password_hash"]
        Tenant.objects.update(state="approved")
        provision(tenant)
        assert who_is(sign_in("acme.localhost", "ann"), "acme.localhost") == "ann"
        assert "md5$" not in str(dump("public"))
        assert_complete()

    def test_without_one_none_will_do(self) -> None:
        make_tenant()
        for password in ("", "acme", "ann", PASSWORD):
            client = browser("acme.localhost")
            client.post("/accounts/login/", {"login": "ann", "password": password})
            assert who_is(client, "acme.localhost") is None
