"""Who may use the HTTP API."""

import hashlib
import json
from collections.abc import Callable
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
import time_machine
from django.core.management import call_command
from django.core.management.base import CommandError
from django.test import Client

from apps.api import keys
from apps.api.models import ApiKey
from apps.audit.models import Entry
from apps.tenants.models import Tenant
from tests.api.conftest import Program, problem_of
from tests.factories import NOW, PASSWORD, SOMEBODY, make_operator

pytestmark = pytest.mark.django_db
ACME = "/tenants/acme/registry-totals"


def run(*words: str) -> str:
    out = StringIO()
    call_command(*words, stdout=out)
    return out.getvalue()


def run_json(*words: str) -> Any:
    return json.loads(run(*words, "--json"))


class TestAsking:
    @pytest.mark.parametrize("scheme", ["TenantAdminKey", "tenantadminkey", "Bearer"])
    def test_a_key_in_force(self, acme: Tenant, secret: str, program_with: Callable[..., Program], scheme: str) -> None:
        assert program_with(f"{scheme} {secret}").get(ACME).status_code == 200

    @pytest.mark.parametrize(
        "change",
        [
            lambda secret: "",
            lambda secret: secret,
            lambda secret: f"Basic {secret}",
            lambda secret: "TenantAdminKey",
            lambda secret: f"TenantAdminKey {secret[:-1]}",
            lambda secret: f"TenantAdminKey {secret[:-1]}{'A' if secret[-1] != 'A' else 'B'}",
            lambda secret: f"TenantAdminKey {secret} {secret}",
            lambda secret: f"TenantAdminKey tnk_{'0' * 12}_{secret[-43:]}",
            lambda secret: "TenantAdminKey \u00e9\x00",
        ],
    )
    def test_any_other_header_is_refused(
        self, acme: Tenant, secret: str, program_with: Callable[..., Program], change: Callable[[str], str]
    ) -> None:
        answer = program_with(change(secret)).get(ACME)
        assert "api_key_create" in problem_of(answer, 401)
        assert answer["WWW-Authenticate"].startswith("TenantAdminKey")
        assert secret not in answer.content.decode()

    def test_no_header(self, acme: Tenant, program_with: Callable[..., Program]) -> None:
        for method in ("GET", "PUT"):
            assert "is missing" in problem_of(program_with(None).send(method, f"/api/v3{ACME}"), 401)

    def test_who_may_not_ask_does_not_learn_which_tenants_there_are(
        self, acme: Tenant, program_with: Callable[..., Program]
    ) -> None:
        nobody = program_with(None)
        assert nobody.get(ACME).content == nobody.get("/tenants/nobody/registry-totals").content

    def test_an_operators_session_is_no_key(self, acme: Tenant) -> None:
        make_operator()
        client = Client(HTTP_HOST="localhost")
        assert client.login(username="olga", password=PASSWORD)
        assert client.get(f"/api/v3{ACME}").status_code == 401

    def test_no_session_is_begun(self, acme: Tenant, program: Program) -> None:
        assert not program.get(ACME).cookies

    def test_never_on_a_tenants_host(
        self, ready_acme: Tenant, secret: str, program_with: Callable[..., Program]
    ) -> None:
        answer = program_with(f"TenantAdminKey {secret}", host="acme.localhost").get(ACME)
        assert answer.status_code == 404
        assert b"users" not in answer.content

    def test_the_use_is_noted_once_an_hour(self, acme: Tenant, program: Program) -> None:
        noted = []
        for minutes in (0, 30, 59, 60, 61):
            with time_machine.travel(NOW + timedelta(minutes=minutes), tick=False):
                program.get(ACME)
            noted.append(ApiKey.objects.get().last_used_at)
        first, later = NOW, NOW + timedelta(hours=1)
        assert noted == [first, first, first, later, later]


class TestAddresses:
    def test_one_that_there_is_not(self, program: Program) -> None:
        for method in ("GET", "POST"):
            for path in ("/api/v3/nothing", "/api/v3/"):
                assert path in problem_of(program.send(method, path, {}), 404)

    def test_another_method(self, acme: Tenant, program: Program) -> None:
        answer = program.send("DELETE", f"/api/v3{ACME}")
        assert "DELETE is not served" in problem_of(answer, 405)
        assert set(answer["Allow"].split(", ")) == {"GET", "PUT"}


class TestCommands:
    def test_a_key_is_made_shown_once_and_kept_as_a_hash(
        self, acme: Tenant, program_with: Callable[..., Program]
    ) -> None:
        made = run_json("api_key_create", "fleet")
        row = ApiKey.objects.get()

        assert program_with(f"TenantAdminKey {made['key']}").get(ACME).status_code == 200
        secret = made["key"].removeprefix(f"tnk_{made['prefix']}_")
        assert row.secret_sha256 == hashlib.sha256(secret.encode()).hexdigest()
        kept = json.dumps([list(ApiKey.objects.values()), list(Entry.objects.values())], default=str)
        assert secret not in kept + run("api_key_list") + run("api_key_list", "--json")

    def test_the_list(self, program: Program, acme: Tenant) -> None:
        key = ApiKey.objects.get()
        assert run("api_key_list").splitlines() == [
            f"{key.prefix}  fleet: made 2026-03-01 12:00 UTC by somebody, last used never"
        ]
        program.get(ACME)
        listed = run_json("api_key_list")["keys"]
        assert [(each["name"], each["prefix"], bool(each["last_used_at"])) for each in listed] == [
            ("fleet", key.prefix, True)
        ]

    def test_an_empty_list_says_how_to_fill_it(self) -> None:
        assert "api_key_create" in run("api_key_list")
        assert run_json("api_key_list") == {"keys": []}

    def test_a_revoked_key_is_worth_nothing_at_once(self, program: Program, acme: Tenant) -> None:
        other = keys.create_key(name="other", actor=SOMEBODY, now=NOW)
        key = ApiKey.objects.get(name="fleet")
        assert run_json("api_key_revoke", key.prefix)["revoked_at"]
        problem_of(program.get(ACME), 401)
        assert Program(f"Bearer {other.secret}").get(ACME).status_code == 200
        assert "revoked 2" in run("api_key_list")

    def test_revoking_again_changes_nothing(self, secret: str) -> None:
        prefix = ApiKey.objects.get().prefix
        first = run_json("api_key_revoke", prefix)
        assert run_json("api_key_revoke", prefix) == first
        assert Entry.objects.filter(action="api_key.revoked").count() == 1

    def test_the_audit_tells_who_made_and_revoked_it(self, secret: str) -> None:
        key = ApiKey.objects.get()
        run("api_key_revoke", key.prefix)
        told = Entry.objects.filter(subject=f"api_key:{key.prefix}").values_list("action", "actor_label")
        assert list(told) == [("api_key.revoked", "api_key_revoke"), ("api_key.created", "somebody")]

    @pytest.mark.parametrize("name", ["", "  ", "x" * 101])
    def test_a_key_needs_a_name(self, name: str) -> None:
        with pytest.raises(CommandError, match="cannot name a key"):
            run("api_key_create", name)

    def test_an_unknown_key_is_one_sentence(self) -> None:
        with pytest.raises(CommandError, match="no API key 'nothing'"):
            run("api_key_revoke", "nothing")
