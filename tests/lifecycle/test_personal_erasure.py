"""`user_erase`, as an operator runs it."""

import io
import json
from typing import Any

import pytest
from allauth.account.models import EmailAddress
from django.contrib.sessions.models import Session
from django.core.management.base import CommandError

from apps.accounts import personal as accounts_personal
from apps.accounts.models import User
from apps.accounts.tokens import welcome_path
from apps.audit import services as audit
from apps.audit.models import Alert, Entry
from apps.audit.services import Cause
from apps.core.actors import Actor
from apps.demo import stage
from apps.lifecycle import provisioning
from apps.tenants.context import enter
from apps.tenants.models import Tenant
from tests.factories import NOW, PASSWORD, make_member, make_operator
from tests.support.people import ERASE, data_of, entries, export, fail, run
from tests.tenants.house import House, browser, sign_in, who_is
from tests.tenants.probes import dump_all

pytestmark = pytest.mark.django_db


@pytest.fixture
def parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a test registers is forgotten after it."""
    monkeypatch.setattr(accounts_personal, "_parts", {})


@pytest.fixture
def second_administrator(house: House) -> User:
    """With eve there, ann can go."""
    return make_member(house.acme, "eve", role=User.Role.ADMINISTRATOR)


class TestErasure:
    def test_touches_that_tenants_user_and_nothing_else(self, house: House) -> None:
        before = dump_all(but=house.acme.schema_name)
        assert before[house.beta.schema_name]["accounts_user"]
        run(*ERASE, "acme", "twin", "--reason", "Asked for it")
        after = dump_all(but=house.acme.schema_name)
        (line,) = set(after["public"].pop("audit_entry")) - set(before["public"].pop("audit_entry"))
        assert after == before
        assert "twin" not in line
        assert entries("user.erased") == [
            ("user_erase", "tenant:acme", {"user": str(house.twin.pk)}, "Asked for it", {})
        ]
        with enter(house.acme):
            assert not User.objects.filter(username="twin").exists()

    def test_by_address(self, house: House) -> None:
        run(*ERASE, "acme", "MAX@acme.example")
        with enter(house.acme):
            assert not User.objects.filter(username="max").exists()

    def test_tells_what_stays(self, house: House) -> None:
        told = json.loads(run(*ERASE, "acme", "twin", "--json"))
        assert (told["tenant_id"], told["user"], told["erased"]) == ("acme", str(house.twin.pk), True)
        assert "Stripe" in told["kept"][1]
        assert "backups" in run(*ERASE, "acme", "max")

    def test_ends_sessions_and_refuses_the_password(self, house: House) -> None:
        client, elsewhere = sign_in("acme.localhost", "twin"), sign_in("beta.localhost", "twin")
        run(*ERASE, "acme", "twin")
        assert who_is(client, "acme.localhost") is None
        assert who_is(elsewhere, "beta.localhost") == "twin"
        with enter(house.acme):
            assert not Session.objects.exists()
        again = browser("acme.localhost")
        answer = again.post("/accounts/login/", {"login": "twin", "password": PASSWORD})
        assert answer.status_code == 200
        assert who_is(again, "acme.localhost") is None

    def test_one_time_links_die(self, house: House) -> None:
        with enter(house.acme):
            path = welcome_path(user=User.objects.get(username="max"))
        assert browser("acme.localhost").get(path).status_code == 200
        run(*ERASE, "acme", "max")
        assert browser("acme.localhost").get(path).status_code == 410

    def test_a_part_that_fails_leaves_everything(self, house: House, parts: None, second_administrator: User) -> None:
        accounts_personal.register(name="notes", description="", export=str, erase=fail)
        before = dump_all()
        with pytest.raises(RuntimeError):
            run(*ERASE, "acme", "ann")
        assert dump_all() == before

    def test_the_last_administrator_is_refused_with_what_to_do(self, house: House) -> None:
        before = dump_all()
        with pytest.raises(CommandError, match=r"tenant_administrator`, or .* --even-the-last"):
            run(*ERASE, "acme", "ann")
        assert dump_all() == before
        run(*ERASE, "acme", "ann", "--even-the-last")
        with enter(house.acme):
            assert not User.objects.filter(username="ann").exists()


class TestAnAlertThatQuotesAnAddress:
    @pytest.fixture(autouse=True)
    def alerts(self, house: House) -> None:
        for subject in ("tenant:acme", "tenant:beta"):
            for code, address in {
                "a": "Twin@Example.com",
                "b": "a.twin@example.com",
                "c": "twin@example.com.org",
            }.items():
                cause = Cause(code, f"Not sent: {{'{address}': (550, 'No such user')}}. Sent again.")
                audit.set_alerts(subject=subject, codes=[code], causes=[cause], now=NOW)

    def test_is_told(self, house: House) -> None:
        (told,) = data_of(export("acme", "twin"), "alerts")
        assert told == {
            "at": "2026-03-01T12:00:00Z",
            "message": "Not sent: {'Twin@Example.com': (550, 'No such user')}. Sent again.",
        }

    def test_no_longer_does_after_the_erasure(self, house: House) -> None:
        before = dict(Alert.objects.filter(subject="tenant:acme").values_list("code", "message"))
        elsewhere = list(Alert.objects.filter(subject="tenant:beta").values())
        run(*ERASE, "acme", "twin")
        after = dict(Alert.objects.filter(subject="tenant:acme").values_list("code", "message"))
        assert after == {**before, "a": "Not sent: {'(erased)': (550, 'No such user')}. Sent again."}
        assert list(Alert.objects.filter(subject="tenant:beta").values()) == elsewhere


class TestErasingTheFirstAdministrator:
    @pytest.fixture(autouse=True)
    def erasable(self, second_administrator: User) -> None:
        pass

    def test_forgets_what_the_public_side_noted(self, house: House) -> None:
        Tenant.objects.filter(pk=house.acme.pk).update(
            first_administrator={**house.acme.first_administrator, "username": "Ann", "password_hash": "md5$x$y"}
        )
        run(*ERASE, "acme", "ann")
        assert Tenant.objects.get(tenant_id="acme").first_administrator == {}
        assert Tenant.objects.get(tenant_id="beta").first_administrator["username"] == "ann"
        assert "ann@acme.example" not in str(dump_all())

    def test_forgets_the_address_that_was_noted_though_they_have_another_now(self, house: House) -> None:
        cause = Cause("welcome_failed", "Not sent to ann@acme.example.")
        audit.set_alerts(subject="tenant:acme", codes=[cause.code], causes=[cause], now=NOW)
        with enter(house.acme):
            User.objects.filter(username="ann").update(email="new@acme.example")
            EmailAddress.objects.filter(user__username="ann").update(email="new@acme.example")
        run(*ERASE, "acme", "ann")
        assert Alert.objects.get().message == "Not sent to (erased)."

    def test_another_user_leaves_it(self, house: House) -> None:
        run(*ERASE, "acme", "eve")
        assert Tenant.objects.get(tenant_id="acme").first_administrator == house.acme.first_administrator

    def test_everything_that_read_them_copes(self, house: House, outbox: list[Any]) -> None:
        run(*ERASE, "acme", "ann")
        with pytest.raises(CommandError, match=r"The first administrator of tenant 'acme' has been erased\. Another"):
            run("tenant_link", "acme")
        assert [each["admin"] for each in json.loads(run("tenant_list", "--json"))["tenants"]] == [
            None,
            {"username": "ann", "email": "ann@beta.example"},
        ]
        assert "ready" in run("tenant_provision", "acme", "--resume")
        provisioning.send_welcome(Tenant.objects.get(tenant_id="acme"))
        assert outbox == []
        operator = sign_in("localhost", "olga")
        page = operator.get(f"/operator/tenants/tenant/{house.acme.pk}/change/")
        assert (page.status_code, "ann@acme.example" in page.content.decode()) == (200, False)
        assert [each["sign_in_link"] is None for each in stage.outcome(now=NOW)["tenants"]] == [True, False]
        assert "as it should be" in run("reconcile", "--tenant", "acme")

    def test_is_refused_while_provisioning_needs_them(self, house: House) -> None:
        steps = {name: at for name, at in house.acme.provisioning_steps.items() if name != "welcome"}
        Tenant.objects.filter(pk=house.acme.pk).update(provisioning_steps=steps)
        before = dump_all()
        with pytest.raises(CommandError, match="tenant_provision acme --resume"):
            run(*ERASE, "acme", "ann")
        assert dump_all() == before
        run(*ERASE, "acme", "twin")
        run("tenant_provision", "acme", "--resume")
        run(*ERASE, "acme", "ann")


class TestErasingAnOperator:
    def test_the_last_one_is_refused(self, house: House) -> None:
        before = dump_all()
        with pytest.raises(CommandError, match="olga is the last active operator"):
            run(*ERASE, "--operator", "olga")
        with pytest.raises(CommandError, match="the last operator is never erased"):
            run(*ERASE, "--operator", "olga", "--even-the-last")
        assert dump_all() == before

    def test_leaves_the_tenants_and_the_audit(self, house: House) -> None:
        make_operator("twin2")
        audit.record(actor=Actor.person(username="olga"), action="tenant.held", subject="tenant:acme", now=NOW)
        client = sign_in("localhost", "olga")
        before = dump_all(but="public")
        told = run(*ERASE, "--operator", "olga", "--reason", "Left the company")
        assert "The audit is never edited: it keeps the user name olga" in told
        assert who_is(client, "localhost") is None
        assert dump_all(but="public") == before
        assert not User.objects.filter(username="olga").exists()
        assert Entry.objects.filter(actor_label="olga", action="tenant.held").exists()
        assert entries("user.erased") == [
            ("user_erase", "operator:olga", {"user": str(house.operator.pk)}, "Left the company", {})
        ]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class TestAsking:
    def answer(self, monkeypatch: pytest.MonkeyPatch, text: str, *words: str) -> str:
        monkeypatch.setattr("sys.stdin", Terminal(text))
        return run("user_erase", *words)

    def test_goes_on_when_the_user_name_is_typed(
        self, house: House, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        told = self.answer(monkeypatch, "max\n", "acme", "max@acme.example", "--json")
        assert json.loads(told)["erased"] is True
        asked = capsys.readouterr()
        assert "This erases max of tenant acme for ever." in asked.err
        assert asked.out == ""

    @pytest.mark.parametrize("text", ["MAX\n", "y\n", "\n", "max@acme.example\n"])
    def test_stops_at_anything_else(self, house: House, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
        before = dump_all()
        with pytest.raises(CommandError, match="Nothing was done"):
            self.answer(monkeypatch, text, "acme", "max@acme.example")
        assert dump_all() == before

    def test_stops_where_nobody_can_answer(self, house: House, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("sys.stdin", io.StringIO("max\n"))
        before = dump_all()
        with pytest.raises(CommandError, match="run this at a terminal, or add --yes"):
            run("user_erase", "acme", "max")
        assert dump_all() == before

    def test_names_the_operators(
        self, house: House, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        make_operator("otto")
        self.answer(monkeypatch, "otto\n", "--operator", "otto")
        assert "erases otto of the operators" in capsys.readouterr().err

    def test_end_of_input_is_no_answer(self, house: House, monkeypatch: pytest.MonkeyPatch) -> None:
        with pytest.raises(CommandError, match="Nothing was done"):
            self.answer(monkeypatch, "", "acme", "max")
