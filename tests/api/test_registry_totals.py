"""The Things Stack's registry totals over HTTP."""

import json
from datetime import timedelta
from typing import Any

import pytest
import requests
from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.audit.models import Entry
from apps.core import clock
from apps.entitlements.services import set_total, set_totals
from apps.plans.models import Feature
from apps.tenants.models import Tenant, Tombstone
from apps.usage.models import ReportedTotal
from tests.api.conftest import Program, problem_of
from tests.factories import NOW, SOMEBODY, make_tenant

pytestmark = pytest.mark.usefixtures("only_users")

ACME = "/tenants/acme/registry-totals"
BATCH = "/tenants/registry-totals"
EVERY_TOTAL = {
    "applications": 1,
    "clients": 2,
    "end-devices": 2**63 - 1,
    "activated-end-devices": 3,
    "gateways": 0,
    "organizations": 5,
}


def tell(tenant: Tenant, **totals: int) -> None:
    told = {name.replace("_", "-"): total for name, total in totals.items()}
    set_totals(tenant=tenant, totals=told, actor=SOMEBODY, now=NOW)


def ids(*tenants: str) -> dict[str, Any]:
    return {"tenant_ids": [{"tenant_id": each} for each in tenants]}


class TestGet:
    def test_every_field_of_the_things_stack_as_its_json_has_it(self, program: Program, ready_acme: Tenant) -> None:
        set_totals(tenant=ready_acme, totals=EVERY_TOTAL, actor=SOMEBODY, now=NOW)
        answer = program.get(ACME)
        assert (answer.status_code, answer["Content-Type"]) == (200, "application/json; charset=utf-8")
        assert json.loads(answer.content) == {
            "applications": "1",
            "clients": "2",
            "end_devices": "9223372036854775807",
            "activated_end_devices": "3",
            "gateways": "0",
            "organizations": "5",
            "users": "1",
        }
        assert "no-store" in answer["Cache-Control"]

    def test_what_nobody_tells_is_absent(self, program: Program, ready_acme: Tenant) -> None:
        assert json.loads(program.get(ACME).content) == {"users": "1"}

    def test_a_further_entity_is_a_further_field(self, program: Program, acme: Tenant) -> None:
        tell(acme, build_minutes=7)
        assert json.loads(program.get(ACME).content) == {"build_minutes": "7"}
        assert json.loads(program.get(f"{ACME}?field_mask=build_minutes").content) == {"build_minutes": "7"}

    @pytest.mark.parametrize(
        ("mask", "fields"),
        [
            ("end_devices,users", {"end_devices", "users"}),
            ("gateways", set()),
            ("", {"end_devices", "clients", "users"}),
            (" users , ", {"users"}),
        ],
    )
    def test_a_field_mask(self, program: Program, ready_acme: Tenant, mask: str, fields: set[str]) -> None:
        tell(ready_acme, end_devices=1, clients=1)
        assert json.loads(program.get(f"{ACME}?field_mask={mask}").content).keys() == fields

    @pytest.mark.parametrize("mask", ["gatewayz", "end-devices", "users,*"])
    def test_a_field_that_there_is_not(self, program: Program, acme: Tenant, mask: str) -> None:
        told = problem_of(program.get(f"{ACME}?field_mask={mask}"), 400)
        assert "there are activated_end_devices, applications" in told

    def test_a_tenant_that_is_not_ready_has_what_was_reported(self, program: Program) -> None:
        tell(make_tenant("coming", ready=False), gateways=2)
        assert json.loads(program.get("/tenants/coming/registry-totals").content) == {"gateways": "2"}

    @pytest.mark.parametrize("tenant_id", ["nobody", "%00", "Acme", "a" * 5000, "'; --", "..%2f"])
    def test_an_unknown_tenant(self, program: Program, tenant_id: str) -> None:
        told = problem_of(program.get(f"/tenants/{tenant_id}/registry-totals"), 404)
        assert "no tenant" in told or "no address" in told

    def test_a_buried_tenant(self, program: Program) -> None:
        Tombstone.objects.create(
            tenant_id="gone", tenant_uuid="5f2b4c1e-0000-4000-8000-000000000000", schema_name="t_gone_1", buried_at=NOW
        )
        assert "'gone' was deleted" in problem_of(program.get("/tenants/gone/registry-totals"), 404)


class TestBatch:
    def test_of_several_tenants_in_the_order_asked(self, program: Program, ready_acme: Tenant) -> None:
        tell(make_tenant("other", ready=False), gateways=4)
        tell(ready_acme, clients=1)
        answer = program.post(BATCH, ids("other", "acme"))
        assert answer.status_code == 200
        assert json.loads(answer.content) == {
            "totals": [
                {"tenant_ids": {"tenant_id": "other"}, "totals": {"gateways": "4"}},
                {"tenant_ids": {"tenant_id": "acme"}, "totals": {"clients": "1", "users": "1"}},
            ]
        }

    @pytest.mark.parametrize("mask", ["clients", {"paths": ["clients"]}])
    def test_a_field_mask_in_either_form(self, program: Program, acme: Tenant, mask: Any) -> None:
        tell(acme, clients=1, gateways=2)
        answer = program.post(BATCH, {**ids("acme"), "field_mask": mask})
        assert json.loads(answer.content)["totals"][0]["totals"] == {"clients": "1"}

    def test_none_and_the_most(self, program: Program, acme: Tenant) -> None:
        assert json.loads(program.post(BATCH, ids()).content) == {"totals": []}
        assert program.post(BATCH, ids(*["acme"] * 100)).status_code == 200
        assert "tenant_ids" in problem_of(program.post(BATCH, ids(*["acme"] * 101)), 400)

    def test_tenants_that_are_not_ready_cost_no_query_each(self, program: Program) -> None:
        names = [f"tenant-{number}" for number in range(6)]
        for name in names:
            make_tenant(name, ready=False)
        program.post(BATCH, ids("tenant-0"))
        with CaptureQueriesContext(connection) as one:
            program.post(BATCH, ids("tenant-0"))
        with CaptureQueriesContext(connection) as six:
            program.post(BATCH, ids(*names))
        assert len(six) == len(one)

    def test_one_that_is_unknown_is_named(self, program: Program, acme: Tenant) -> None:
        assert "'nobody'" in problem_of(program.post(BATCH, ids("acme", "nobody")), 404)

    @pytest.mark.parametrize(
        "body",
        [
            {},
            {"tenant_ids": "acme"},
            {"tenant_ids": [{"id": "acme"}]},
            {**ids("acme"), "more": 1},
            {**ids("acme"), "field_mask": "gatewayz"},
            {**ids("acme"), "field_mask": 7},
            [],
            None,
            "acme",
        ],
    )
    def test_a_body_of_another_shape(self, program: Program, acme: Tenant, body: Any) -> None:
        assert problem_of(program.post(BATCH, body), 400)

    def test_what_is_missing_is_named_as_the_caller_knows_it(self, program: Program, acme: Tenant) -> None:
        assert problem_of(program.post(BATCH, {}), 400) == "tenant_ids: Field required"

    def test_a_body_of_unknown_length_is_asked_for_its_length(self, program: Program, acme: Tenant) -> None:
        answer = program.send("PUT", f"/api/v3{ACME}", b"", **{"Transfer-Encoding": "chunked"})
        assert "Content-Length" in problem_of(answer, 411)


class TestPut:
    def test_only_what_is_named_changes(self, program: Program, acme: Tenant) -> None:
        tell(acme, clients=1, gateways=2)
        answer = program.put(ACME, {"gateways": 9, "end_devices": "12"})
        assert answer.status_code == 200
        assert json.loads(answer.content) == {"clients": "1", "end_devices": "12", "gateways": "9"}

    def test_the_row_tells_who_and_when_and_the_audit_does_not(self, program: Program, acme: Tenant) -> None:
        before, entries = clock.now(), Entry.objects.count()
        program.put(ACME, {"gateways": 9})
        row = ReportedTotal.objects.get()
        assert row.reported_by == "fleet"
        assert before <= row.reported_at <= clock.now()
        assert Entry.objects.count() == entries

    def test_a_later_total_stays(self, program: Program, acme: Tenant) -> None:
        later = clock.now() + timedelta(minutes=5)
        set_total(tenant=acme, entity="gateways", total=50, actor=SOMEBODY, now=later)
        assert json.loads(program.put(ACME, {"gateways": 9}).content)["gateways"] == "50"

    def test_an_entity_that_a_plan_limits(self, program: Program, acme: Tenant) -> None:
        Feature.objects.create(key="build-minutes", name="Build minutes")
        assert json.loads(program.put(ACME, {"build_minutes": 3}).content)["build_minutes"] == "3"

    @pytest.mark.parametrize(
        ("body", "status", "sentence"),
        [
            ({"gatewayz": 1}, 400, "no entity 'gatewayz'"),
            ({"end-devices": 1}, 400, "'end_devices'?"),
            ({"": 1}, 400, "no entity ''"),
            ({"\x00": 1}, 400, "no entity"),
            ({"gateways": -1}, 400, "total of 'gateways' is -1"),
            ({"gateways": "-1"}, 400, "'-1'"),
            ({"gateways": 1.5}, 400, "1.5"),
            ({"gateways": 2**63}, 400, "must be a whole number"),
            ({"gateways": str(2**64)}, 400, "must be a whole number"),
            ({"gateways": "9" * 5000}, 400, "must be a whole number"),
            ({"gateways": None}, 400, "None"),
            ({"gateways": True}, 400, "True"),
            ({"gateways": [1]}, 400, "must be a whole number"),
            ({"users": 1}, 409, "counted from accounts.User"),
        ],
    )
    def test_one_refused_field_changes_none(
        self, program: Program, acme: Tenant, body: dict[str, Any], status: int, sentence: str
    ) -> None:
        told = problem_of(program.put(ACME, {"clients": 1, **body}), status)
        assert sentence in told
        assert not ReportedTotal.objects.exists()

    @pytest.mark.parametrize(
        "body",
        [
            b"",
            b"{",
            b"\xff\xfe",
            b"[" * 60_000,
            b'{"gateways": ' + b"9" * 6000 + b"}",
            b'{"gateways": NaN}',
            b'{"gateways": 1, "gateways": 2}',
            b"null",
            b"[1]",
            b'"gateways"',
            b"7",
        ],
    )
    def test_what_is_no_message_is_a_problem_and_no_traceback(
        self, program: Program, acme: Tenant, body: bytes
    ) -> None:
        assert problem_of(program.put(ACME, body), 400)
        assert not ReportedTotal.objects.exists()

    def test_a_body_too_large_is_not_read(self, program: Program, acme: Tenant) -> None:
        body = json.dumps({"gateways": 1}).encode()
        assert program.put(ACME, body.ljust(65_536)).status_code == 200
        assert "65536 bytes" in problem_of(program.put(ACME, body.ljust(65_537)), 413)

    def test_an_unknown_tenant(self, program: Program) -> None:
        assert "'nobody'" in problem_of(program.put("/tenants/nobody/registry-totals", {"gateways": 1}), 404)


def test_a_program_over_the_network(transactional_db: None, live_server: Any, secret: str) -> None:
    make_tenant("acme", ready=False)
    address = f"{live_server.url}/api/v3{ACME}"
    key = {"Authorization": f"TenantAdminKey {secret}"}

    told = requests.put(address, json={"gateways": 3}, headers=key, timeout=20)
    read = requests.get(address, params={"field_mask": "gateways,users"}, headers=key, timeout=20)
    refused = requests.put(address, json={"gateways": 4}, timeout=20)

    assert (told.status_code, read.json(), refused.status_code) == (200, {"gateways": "3"}, 401)
    assert requests.get(address, headers=key, timeout=20).json() == {"gateways": "3"}
