"""The commands about tenants: what they print, refuse, and leave in the audit."""

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from io import StringIO
from typing import Any

import pytest
import time_machine
from django.core.management import CommandError, call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.audit.models import Entry
from apps.lifecycle import services
from apps.lifecycle.reconciling import reconcile
from apps.tenants.models import Hold, State, Tenant, Tombstone
from tests.factories import NOW, SOMEBODY, make_tenant
from tests.tenants.house import browser, who_is
from tests.tenants.probes import dump, tenant_schemas

pytestmark = pytest.mark.django_db

SUMMARY = {
    "tenant_id",
    "name",
    "state",
    "state_description",
    "provisioning",
    "schema",
    "plan",
    "limits",
    "host",
    "customer",
    "delete_at",
    "kept_because",
    "admin",
}


def run(name: str, *arguments: str) -> str:
    """What a command prints on standard output."""
    out = StringIO()
    call_command(name, *arguments, stdout=out)
    return out.getvalue()


@pytest.fixture
def run_json(capsys: pytest.CaptureFixture[str]) -> Callable[..., Any]:
    """The one JSON document that a command prints, alone."""

    def run(name: str, *arguments: str) -> Any:
        capsys.readouterr()
        call_command(name, *arguments, "--json")
        return json.loads(capsys.readouterr().out)

    return run


def refusal(name: str, *arguments: str) -> str:
    """The one sentence with which a command refuses; it has printed nothing and changed nothing."""
    before, out = dump("public"), StringIO()
    with pytest.raises(CommandError) as raised:
        call_command(name, *arguments, stdout=out)
    assert (out.getvalue(), dump("public")) == ("", before)
    text = str(raised.value)
    assert "\n" not in text
    assert raised.value.returncode == 1
    return text


class TestTenantCreate:
    def test_makes_a_tenant_whose_administrator_can_sign_in(self, run_json: Callable[..., Any]) -> None:
        made = run_json(
            "tenant_create", "acme", "--name", "Acme Ltd", "--admin-user", "ann", "--admin-email", "a@b.example"
        )
        assert made.keys() == SUMMARY | {"sign_in_link"}
        assert (made["tenant_id"], made["name"], made["state"], made["provisioning"]) == (
            "acme",
            "Acme Ltd",
            "approved",
            "ready",
        )
        assert (made["host"], made["customer"], made["plan"]) == ("acme.localhost", None, None)
        assert made["admin"] == {"username": "ann", "email": "a@b.example"}
        assert tenant_schemas() == [made["schema"]]
        client = browser("acme.localhost")
        path = made["sign_in_link"].removeprefix("http://acme.localhost:8000")
        client.post(path, {"new_password1": "a brand new phrase", "new_password2": "a brand new phrase"})
        assert who_is(client, "acme.localhost") == "ann"

    def test_needs_nothing_but_an_id(self, run_json: Callable[..., Any]) -> None:
        made = run_json("tenant_create", "acme")
        assert (made["name"], made["admin"]) == ("acme", {"username": "acme", "email": ""})

    def test_tells_a_person_the_link(self) -> None:
        assert "http://acme.localhost:8000/welcome/" in run("tenant_create", "acme")

    def test_the_audit_names_the_command(self) -> None:
        run("tenant_create", "acme")
        entry = Entry.objects.get(action="tenant.created")
        assert (entry.actor_kind, entry.actor_label, entry.subject) == ("command", "tenant_create", "tenant:acme")

    @pytest.mark.parametrize(
        ("arguments", "why"),
        [
            (["ab"], "not a valid tenant id"),
            (["Acme"], "not a valid tenant id"),
            (["a--b"], "not a valid tenant id"),
            (["a" * 37], "not a valid tenant id"),
            (["operator"], "reserved word"),
            (["taken"], "is in use"),
            (["buried"], "was deleted"),
            (["acme", "--admin-user", "ann smith"], "cannot be the username"),
            (["acme", "--admin-user", "a" * 151], "cannot be the username"),
            (["acme", "--admin-email", "nonsense"], "cannot be the email"),
            (["acme", "--admin-full-name", "a" * 201], "cannot be the full name"),
        ],
    )
    @pytest.mark.parametrize("json_too", [[], ["--json"]])
    def test_refuses_in_one_sentence(self, arguments: list[str], why: str, json_too: list[str]) -> None:
        make_tenant("taken", ready=False)
        Tombstone.objects.create(
            tenant_id="buried", tenant_uuid="c0ffee00-0000-4000-8000-000000000000", schema_name="t_b", buried_at=NOW
        )
        assert why in refusal("tenant_create", *arguments, *json_too)
        assert tenant_schemas() == []


class TestTenantList:
    def test_of_an_empty_house(self, run_json: Callable[..., Any]) -> None:
        assert run_json("tenant_list") == {"tenants": []}
        assert "There are no tenants yet." in run("tenant_list")

    def test_has_every_tenant_whatever_its_state(self, run_json: Callable[..., Any]) -> None:
        make_tenant("beta", ready=False)
        make_tenant("acme", ready=False, state="suspended")
        listed = run_json("tenant_list")["tenants"]
        assert [(each["tenant_id"], each["state"], each["provisioning"]) for each in listed] == [
            ("acme", "suspended", "pending"),
            ("beta", "approved", "pending"),
        ]
        assert {frozenset(each) for each in listed} == {frozenset(SUMMARY)}

    def test_asks_as_often_for_one_tenant_as_for_many(self, run_json: Callable[..., Any]) -> None:
        def queries() -> int:
            with CaptureQueriesContext(connection) as asked:
                run_json("tenant_list")
            return len(asked)

        make_tenant("acme", ready=False)
        for_one = queries()
        for number in range(5):
            make_tenant(f"beta-{number}", ready=False)
        assert queries() == for_one

    def test_is_a_table_for_a_person(self, capsys: pytest.CaptureFixture[str]) -> None:
        make_tenant("acme", ready=False)
        call_command("tenant_list")
        assert "acme.localhost" in capsys.readouterr().out


def test_a_link_that_is_handed_out_is_in_the_audit_but_not_the_link_itself() -> None:
    make_tenant("acme")
    link = run("tenant_link", "acme").strip()
    entry = Entry.objects.get(action="tenant.link_handed_out")
    assert (entry.actor_label, entry.subject) == ("tenant_link", "tenant:acme")
    assert link.rsplit("/", 2)[1] not in str(vars(entry))


LATER = "2026-03-02T12:00:00Z"


@pytest.fixture
def acme() -> Any:
    """A tenant, and a clock that stands still."""
    with time_machine.travel(NOW, tick=False):
        yield make_tenant(ready=False)


class TestTenantHold:
    def test_wins_over_the_derived_state(self, acme: Tenant, run_json: Callable[..., Any]) -> None:
        held = run_json("tenant_hold", "acme", "--reason", "Abuse", "--state", "rejected")
        assert held.keys() == SUMMARY
        assert (held["state"], held["state_description"]) == ("rejected", "Abuse")
        assert not reconcile(tenant=acme, actor=SOMEBODY, now=NOW + timedelta(days=300))
        assert Tenant.objects.get().state == "rejected"
        assert browser("acme.localhost").get("/").status_code == 403

    def test_suspends_unless_told_otherwise(self, acme: Tenant) -> None:
        assert run("tenant_hold", "acme", "--reason", "Abuse") == "Tenant acme is suspended: Abuse\n"

    def test_ends_at_until_exactly(self, acme: Tenant) -> None:
        run("tenant_hold", "acme", "--reason", "Pause", "--until", LATER)
        until = NOW + timedelta(days=1)
        assert Tenant.objects.get().next_reconcile_at == until
        reconcile(tenant=acme, actor=SOMEBODY, now=until - timedelta(microseconds=1))
        assert Tenant.objects.get().state == "suspended"
        reconcile(tenant=acme, actor=SOMEBODY, now=until)
        lifted = Tenant.objects.get()
        assert (lifted.state, lifted.state_description) == ("approved", "")

    @pytest.mark.parametrize(
        ("text", "moment"),
        [
            (LATER, NOW + timedelta(days=1)),
            ("2026-03-02T13:00:00+01:00", NOW + timedelta(days=1)),
            ("2026-03-02T12:00", NOW + timedelta(days=1)),
            ("2026-03-02 12:00:00", NOW + timedelta(days=1)),
        ],
    )
    def test_takes_a_time_without_a_zone_for_utc(self, acme: Tenant, text: str, moment: datetime) -> None:
        run("tenant_hold", "acme", "--reason", "Pause", "--until", text)
        assert Hold.objects.get().until == moment

    @pytest.mark.parametrize(
        ("arguments", "why"),
        [
            (["--until", "tomorrow"], "must be a time such as"),
            (["--until", ""], "must be a time such as"),
            (["--until", "2026-13-45T00:00:00Z"], "must be a time such as"),
            (["--until", "2026-02-28T12:00:00Z"], "is past"),
            (["--until", "2026-03-01T12:00:00Z"], "is past"),
            (["--state", "approved"], "invalid choice"),
        ],
    )
    def test_refuses_in_one_sentence(self, acme: Tenant, arguments: list[str], why: str) -> None:
        assert why in refusal("tenant_hold", "acme", "--reason", "Pause", *arguments)

    def test_needs_a_reason_and_a_tenant_that_is_there(self, acme: Tenant) -> None:
        assert "--reason" in refusal("tenant_hold", "acme")
        assert "There is no tenant 'nobody'" in refusal("tenant_hold", "nobody", "--reason", "Abuse")

    def test_held_again_the_newer_decision_counts(self, acme: Tenant) -> None:
        run("tenant_hold", "acme", "--reason", "First", "--until", LATER)
        run("tenant_hold", "acme", "--reason", "Second", "--state", "rejected")
        assert (Tenant.objects.get().state, Tenant.objects.get().state_description) == ("rejected", "Second")
        assert [hold.reason for hold in Hold.objects.open()] == ["Second"]
        assert Hold.objects.count() == 2
        run("tenant_unhold", "acme")
        assert Tenant.objects.get().state == "approved"

    def test_a_long_reason_is_shortened_for_the_page_and_whole_in_the_audit(self, acme: Tenant) -> None:
        reason = "word " * 60
        run("tenant_hold", "acme", "--reason", reason)
        shown = Tenant.objects.get().state_description
        assert len(shown) <= 128
        assert shown.endswith("word…")
        assert Entry.objects.get(action="tenant.held").reason == reason

    def test_the_audit_tells_who_what_and_why(self, acme: Tenant) -> None:
        run("tenant_hold", "acme", "--reason", "Abuse", "--until", LATER)
        held = Entry.objects.get(action="tenant.held")
        assert (held.actor_kind, held.actor_label, held.subject, held.at) == (
            "command",
            "tenant_hold",
            acme.subject,
            NOW,
        )
        assert (held.after, held.reason) == ({"state": "suspended", "until": "2026-03-02T12:00:00+00:00"}, "Abuse")
        moved = Entry.objects.filter(action="tenant.state_changed", after__state="suspended").get()
        assert moved.before == {"state": "approved", "description": ""}
        assert moved.after == {"state": "suspended", "description": "Abuse"}


class TestTenantUnhold:
    def test_lets_the_derived_state_come_back(self, acme: Tenant, run_json: Callable[..., Any]) -> None:
        run("tenant_hold", "acme", "--reason", "Abuse")
        lifted = run_json("tenant_unhold", "acme", "--reason", "Settled")
        assert lifted.keys() == SUMMARY
        assert (lifted["state"], lifted["state_description"]) == ("approved", "")
        entry = Entry.objects.get(action="tenant.unheld")
        assert (entry.actor_label, entry.reason) == ("tenant_unhold", "Settled")

    def test_without_a_hold_refuses(self, acme: Tenant) -> None:
        assert refusal("tenant_unhold", "acme") == "Tenant 'acme' is not on hold."

    def test_twice_refuses_the_second_time(self, acme: Tenant) -> None:
        run("tenant_hold", "acme", "--reason", "Abuse")
        run("tenant_unhold", "acme")
        assert "is not on hold" in refusal("tenant_unhold", "acme")

    def test_once_its_time_is_up_refuses(self, acme: Tenant) -> None:
        run("tenant_hold", "acme", "--reason", "Pause", "--until", LATER)
        with time_machine.travel(NOW + timedelta(days=1), tick=False):
            reconcile(tenant=acme, actor=SOMEBODY, now=NOW + timedelta(days=1))
            assert "is not on hold" in refusal("tenant_unhold", "acme")

    @pytest.mark.parametrize("command", ["tenant_unhold", "tenant_provision"])
    def test_of_a_tenant_that_is_not_there_says_so(self, command: str) -> None:
        assert "There is no tenant 'nobody'" in refusal(command, "nobody")
        Tombstone.objects.create(
            tenant_id="buried", tenant_uuid="c0ffee00-0000-4000-8000-000000000000", schema_name="t_b", buried_at=NOW
        )
        assert "was deleted" in refusal(command, "buried")


class TestTenantProvision:
    def test_shows_how_far_it_has_come_and_does_nothing(self, run_json: Callable[..., Any]) -> None:
        make_tenant(ready=False)
        before = dump("public")
        shown = run_json("tenant_provision", "acme")
        steps = dict.fromkeys(("schema", "domain", "administrator", "entitlements", "welcome"))
        assert shown == {
            "tenant_id": "acme",
            "state": "approved",
            "provisioning": "pending",
            "steps": steps,
            "error": "",
        }
        assert dump("public") == before
        assert tenant_schemas() == []

    def test_with_resume_goes_on(self, run_json: Callable[..., Any]) -> None:
        tenant = make_tenant(ready=False)
        Tenant.objects.update(provisioning="failed", provisioning_error="RuntimeError: the disk is full")
        assert "stopped by: RuntimeError: the disk is full" in run("tenant_provision", "acme")
        shown = run_json("tenant_provision", "acme", "--resume")
        assert (shown["provisioning"], shown["error"]) == ("ready", "")
        assert shown["steps"].keys() == {"schema", "domain", "administrator", "entitlements", "welcome"}
        entry = Entry.objects.get(action="tenant.provisioned")
        assert (entry.actor_label, entry.subject) == ("tenant_provision", tenant.subject)

    def test_with_resume_on_a_ready_tenant_changes_nothing(self, run_json: Callable[..., Any]) -> None:
        make_tenant()
        before = dump("public")
        assert run_json("tenant_provision", "acme", "--resume")["provisioning"] == "ready"
        assert dump("public") == before

    def test_with_resume_of_a_held_tenant_does_nothing(self, run_json: Callable[..., Any]) -> None:
        tenant = make_tenant(ready=False)
        services.hold_tenant(tenant=tenant, state=State.REJECTED, reason="no", until=None, actor=SOMEBODY, now=NOW)
        assert run_json("tenant_provision", "acme", "--resume")["provisioning"] == "pending"
        assert tenant_schemas() == []
