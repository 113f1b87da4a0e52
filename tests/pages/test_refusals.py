"""What a person reads on a host that does not let them in, and on one that warns."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from apps.tenants.models import State, Tenant, Tombstone
from tests.factories import NOW, make_tenant

pytestmark = pytest.mark.django_db


@pytest.fixture
def ask_ada(settings: Any) -> None:
    settings.TENANTRY_SUPPORT_CONTACT = "ada@vendor.example"


@pytest.mark.parametrize("path", ["/", "/settings/", "/accounts/login/", "/nowhere/"])
@pytest.mark.parametrize("state", [State.SUSPENDED, State.REJECTED])
def test_a_closed_tenant_says_why_and_whom_to_ask(path: str, state: State, ask_ada: None) -> None:
    tenant = make_tenant("acme", state=state)
    Tenant.objects.filter(pk=tenant.pk).update(state_description="Invoice 17 is <unpaid>")

    answer = Client(HTTP_HOST="acme.localhost").get(path)

    page = answer.content.decode()
    assert answer.status_code == 403
    assert state.label in page
    assert "Invoice 17 is &lt;unpaid&gt;" in page
    assert "mailto:ada@vendor.example" in page
    assert "<form" not in page


def test_a_tenant_that_is_not_ready_asks_for_patience() -> None:
    make_tenant("acme", ready=False)

    answer = Client(HTTP_HOST="acme.localhost").get("/settings/")

    assert answer.status_code == 503
    assert "being set up" in answer.content.decode()


def test_a_tenant_without_its_subscription_is_not_promised_for_soon() -> None:
    make_tenant("acme", ready=False, state=State.REQUESTED)

    page = Client(HTTP_HOST="acme.localhost").get("/").content.decode()

    assert "waits for its subscription" in page
    assert "few seconds" not in page


def test_a_buried_tenant_is_gone() -> None:
    tenant = Tenant(tenant_id="acme")
    Tombstone.objects.create(
        tenant_id="acme", tenant_uuid=tenant.pk, schema_name="t_acme_1", hosts=["acme.localhost"], buried_at=NOW
    )

    answer = Client(HTTP_HOST="acme.localhost").get("/")

    assert answer.status_code == 410
    assert "has been deleted" in answer.content.decode()


def test_a_host_that_nobody_has_is_told_kindly() -> None:
    answer = Client(HTTP_HOST="nobody.localhost").get("/")

    assert answer.status_code == 404
    assert "Nothing lives at this address" in answer.content.decode()


@pytest.mark.parametrize("path", ["/accounts/login/", "/accounts/password/reset/", "/settings/", "/nowhere/"])
def test_a_flagged_tenant_is_warned_on_every_page(path: str, ask_ada: None, member_at: Callable[..., Client]) -> None:
    tenant = make_tenant("acme")
    client = member_at(tenant) if path in {"/settings/", "/nowhere/"} else Client(HTTP_HOST="acme.localhost")
    Tenant.objects.filter(pk=tenant.pk).update(state=State.FLAGGED, state_description="Stripe subscription past due")

    page = client.get(path).content.decode()

    assert '<div class="banner"' in page
    assert "Stripe subscription past due" in page
    assert "ada@vendor.example" in page


def test_a_tenant_in_order_is_not_warned(acme: Tenant) -> None:
    page = Client(HTTP_HOST="acme.localhost").get("/accounts/login/").content.decode()

    assert 'class="banner"' not in page


def test_an_unknown_page_looks_like_the_others(visitor: Client) -> None:
    answer = visitor.get("/nowhere/")

    assert answer.status_code == 404
    assert "There is no such page" in answer.content.decode()


def test_a_form_without_its_token_is_explained(acme: Tenant) -> None:
    answer = Client(HTTP_HOST="acme.localhost", enforce_csrf_checks=True).post("/accounts/login/", {})

    assert answer.status_code == 403
    assert "That form was out of date" in answer.content.decode()


def test_a_broken_page_says_so(acme: Tenant, member_at: Callable[..., Client], monkeypatch: pytest.MonkeyPatch) -> None:
    client = member_at(acme)
    client.raise_request_exception = False
    monkeypatch.setattr("apps.portal.views.plan_page", lambda **_: 1 / 0)

    answer = client.get("/settings/")

    assert answer.status_code == 500
    assert "Something broke on our side" in answer.content.decode()
