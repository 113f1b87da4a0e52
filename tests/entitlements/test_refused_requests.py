"""What a person and a program read who are stopped at a limit."""

import json
from typing import Any

import pytest
from django.test import Client, RequestFactory

from apps.entitlements.decisions import Decision, Reason
from apps.entitlements.middleware import refusal
from apps.tenants.models import Tenant
from tests.entitlements.limits import acme, allow, committed, count, insert

__all__ = ["acme", "committed"]


@pytest.fixture
def client(acme: Tenant, settings: Any) -> Client:
    """Somebody on the tenant's host."""
    settings.ROOT_URLCONF = "tests.entitlements.refusing_urls"
    settings.TENANTRY_UPGRADE_URL = "https://vendor.example/upgrade"
    return Client(HTTP_HOST="acme.localhost", raise_request_exception=True)


class TestPages:
    def test_below_the_limit_nothing_is_in_the_way(self, client: Client) -> None:
        assert client.post("/vendor/projects").content == b"made"

    def test_a_page_with_the_way_to_upgrade(self, client: Client, acme: Tenant) -> None:
        insert(acme, 3)
        answer = client.post("/vendor/projects", headers={"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"})
        page = answer.content.decode()
        assert answer.status_code == 403
        assert "The limit for projects is reached" in page and "3 of 3 in use" in page
        assert 'href="https://vendor.example/upgrade"' in page
        assert count(acme) == 3

    def test_what_no_plan_grants(self, client: Client, acme: Tenant) -> None:
        allow(acme, 0)
        assert "The plan includes no projects" in client.post("/vendor/projects").content.decode()
        page = client.get("/vendor/sso").content.decode()
        assert "Single sign-on is not part of the plan." in page and "in use" not in page

    def test_it_is_not_cached(self, client: Client) -> None:
        answer = client.get("/vendor/sso")
        assert "no-store" in answer["Cache-Control"] and "Accept" in answer["Vary"]

    @pytest.mark.parametrize("asked", ["application/json", "application/problem+json", "application/json, text/plain"])
    def test_a_problem_for_who_asks_for_json(self, client: Client, acme: Tenant, asked: str) -> None:
        insert(acme, 3)
        answer = client.post("/vendor/projects", headers={"Accept": asked})
        assert (answer.status_code, answer["Content-Type"]) == (403, "application/problem+json")
        body = answer.json()
        assert (body["status"], body["title"]) == (403, "Forbidden")
        assert body["detail"] == body["decision"]["message"]
        assert {name: body["decision"][name] for name in ("reason", "feature", "used", "limit", "remaining")} == {
            "reason": "limit_exceeded",
            "feature": "projects",
            "used": 3,
            "limit": 3,
            "remaining": 0,
        }

    def test_a_set_that_was_asked_for_is_told_as_a_list(self, rf: RequestFactory) -> None:
        decision = Decision(False, Reason.VALUE_MISMATCH, "regions", requested={"us", "eu"})
        answer = refusal(rf.get("/", headers={"Accept": "application/json"}), decision)
        assert json.loads(answer.content)["decision"]["requested"] == ["eu", "us"]


class TestApi:
    def test_the_things_stacks_error_for_what_is_limited(self, client: Client, acme: Tenant) -> None:
        insert(acme, 3)
        answer = client.post("/vendor/api/projects")
        assert answer.status_code == 400
        body = answer.json()
        assert (body["code"], body["decision"]["used"], body["status"]) == (9, 3, 400)
        assert body["message"] == (
            "error:pkg/identityserver:tenant_entity_limit "
            "(limit for project entities in tenant reached, upgrade at https://vendor.example/upgrade)"
        )
        (detail,) = body["details"]
        assert len(detail.pop("correlation_id")) == 32
        assert detail == {
            "namespace": "pkg/identityserver",
            "name": "tenant_entity_limit",
            "message_format": "limit for {entity_type} entities in tenant reached, "
            "upgrade at {subscription_upgrade_url}",
            "attributes": {
                "entity_type": "project",
                "limit": 3,
                "subscription_upgrade_url": "https://vendor.example/upgrade",
            },
            "code": 9,
        }

    def test_a_problem_for_any_other_refusal(self, client: Client) -> None:
        answer = client.post("/vendor/api/sso")
        assert (answer.status_code, answer["Content-Type"]) == (403, "application/problem+json")
        assert answer.json()["decision"]["reason"] == "not_in_plan"
