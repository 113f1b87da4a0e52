"""Programs that use the HTTP API, over real HTTP headers through Django."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from django.http import HttpResponse
from django.test import Client

from apps.api import keys
from apps.tenants.models import Tenant
from tests.factories import NOW, SOMEBODY, make_tenant
from tests.support.counting import only_users

__all__ = ["only_users"]


@dataclass
class Program:
    """Something that calls the API, with what it sends as its authorization."""

    authorization: str | None
    host: str = "localhost"

    def send(self, method: str, path: str, body: Any = None, **headers: str) -> HttpResponse:
        """One request; a body of bytes goes as it is, any other as JSON."""
        own = {"Host": self.host} | ({"Authorization": self.authorization} if self.authorization is not None else {})
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        # A browser's forged requests are what CSRF is about; a program must not be asked for a token.
        client = Client(enforce_csrf_checks=True)
        answer: Any = client.generic(
            method, path, content if body is not None else b"", "application/json", headers={**own, **headers}
        )
        return answer

    def get(self, path: str) -> HttpResponse:
        """Read an address below the API's."""
        return self.send("GET", f"/api/v3{path}")

    def put(self, path: str, body: Any) -> HttpResponse:
        """Write to an address below the API's."""
        return self.send("PUT", f"/api/v3{path}", body)

    def post(self, path: str, body: Any) -> HttpResponse:
        """Post to an address below the API's."""
        return self.send("POST", f"/api/v3{path}", body)


@pytest.fixture
def acme(db: None) -> Tenant:
    """A tenant that has no schema yet, so nothing of it is counted."""
    return make_tenant("acme", ready=False)


@pytest.fixture
def ready_acme(db: None) -> Tenant:
    """A tenant that is ready, with one user."""
    return make_tenant("acme")


@pytest.fixture
def secret(db: None) -> str:
    """A key of the operator."""
    return keys.create_key(name="fleet", actor=SOMEBODY, now=NOW).secret


@pytest.fixture
def program(secret: str) -> Program:
    """A program with a key in force."""
    return Program(f"TenantAdminKey {secret}")


@pytest.fixture
def program_with() -> Callable[..., Program]:
    """A program that sends another authorization, or asks on another host."""
    return Program


def problem_of(answer: HttpResponse, status: int) -> str:
    """What a problem says, having looked that it is one."""
    assert (answer.status_code, answer["Content-Type"]) == (status, "application/problem+json"), answer.content
    found = json.loads(answer.content)
    assert found["status"] == status
    assert found["title"]
    return str(found["detail"])
