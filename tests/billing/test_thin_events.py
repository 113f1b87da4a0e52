"""Thin events, which name an object instead of carrying it, at the same address with the same signature."""

import json
from collections.abc import Callable
from typing import Any

import pytest
import requests

from apps.billing.models import Event
from apps.billing.services import verify_account
from apps.tenants.models import Tenant
from tests.factories import NOW
from tests.support.inline import signed
from tests.support.standin import StandIn
from tests.support.vendor import Vendor
from tests.support.working import drain_jobs, failed_jobs

SECRET = "whsec_of_this_endpoint"


@pytest.fixture
def endpoint(transactional_db: None, live_server: Any, settings: Any) -> str:
    settings.STRIPE_WEBHOOK_SECRETS = [SECRET]
    return f"{live_server.url}/stripe/webhook/"


def thin(kind: str = "subscription", object_id: str = "sub_1", **changes: Any) -> dict[str, Any]:
    made = {
        "id": "evt_test_65RHpMwq",
        "object": "v2.core.event",
        "type": "v1.customer.subscription.updated",
        "created": "2026-09-17T06:20:52.246Z",
        "livemode": False,
        "context": None,
        "related_object": {"id": object_id, "type": kind, "url": f"/v1/{kind}s/{object_id}"},
        "reason": {"type": "request", "request": {"id": "req_1", "idempotency_key": "key"}},
    }
    return {**made, **changes}


def post(url: str, event: dict[str, Any]) -> int:
    body = json.dumps(event).encode()
    headers = {"Content-Type": "application/json", "Stripe-Signature": signed(body, secret=SECRET)}
    return requests.post(url, data=body, headers=headers, timeout=20).status_code


@pytest.mark.parametrize(
    ("event_type", "kind", "work"),
    [
        ("v1.customer.updated", "customer", "customer:x_1"),
        ("v1.price.updated", "price", "price:x_1"),
        ("v1.product.deleted", "product", "product:x_1"),
        ("v1.test_helpers.test_clock.ready", "test_helpers.test_clock", "clock:x_1"),
        ("v1.customer.subscription.updated", "subscription", "subscription:x_1"),
        ("v1.invoice.paid", "invoice", "invoice:x_1"),
    ],
)
def test_it_is_stored_as_it_came_and_asks_to_look_again(endpoint: str, event_type: str, kind: str, work: str) -> None:
    assert post(endpoint, thin(kind, "x_1", type=event_type)) == 200
    row = Event.objects.get()
    assert (row.type, row.object_id, row.work, row.state) == (event_type, "x_1", work, "pending")
    assert row.happened_at.isoformat() == "2026-09-17T06:20:52+00:00"


def test_the_same_event_twice_is_one_row(endpoint: str) -> None:
    assert [post(endpoint, thin()), post(endpoint, thin())] == [200, 200]
    assert Event.objects.count() == 1


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"type": "v2.core.account.updated"}, "Nothing here depends on events of this type"),
        ({"type": "v2.core.account[configuration.merchant].capability_status_updated"}, "events of this type"),
        ({"type": "v1.billing.meter.no_meter_found", "related_object": None}, "events of this type"),
        ({"type": "v1.customer.source.created", "related_object": {"id": "card_1", "type": "card"}}, "type card"),
        ({"related_object": None}, "names no object"),
        ({"related_object": {"type": "subscription"}}, "names no object"),
        ({"livemode": True}, "other mode"),
        ({"context": "acct_connected"}, "connected account"),
        ({"context": "org_1/acct_connected"}, "connected account"),
    ],
)
def test_what_concerns_nobody_here_is_ignored_visibly(endpoint: str, changes: dict[str, Any], reason: str) -> None:
    assert post(endpoint, thin(**changes)) == 200
    row = Event.objects.get()
    assert (row.state, row.work) == ("ignored", "")
    assert reason in row.error


def test_an_event_in_the_context_of_our_own_account_is_ours(endpoint: str, standin: StandIn) -> None:
    account = verify_account(now=NOW).account_id
    assert post(endpoint, thin(context=f"org_1/{account}")) == 200
    assert Event.objects.get().state == "pending"


@pytest.mark.parametrize(
    "changes",
    [
        {"id": None},
        {"id": "with a space"},
        {"type": ""},
        {"created": 1_780_000_000},
        {"created": "soon"},
        {"created": "2026-09-17T06:20:52"},
        {"created": "0001-01-01T00:00:00+14:00"},
        {"created": "1" * 5000},
        {"livemode": None},
        {"context": ["acct_1"]},
        {"related_object": "sub_1"},
        {"related_object": {"id": 7, "type": "subscription"}},
        {"related_object": {"id": "sub\u0000", "type": "subscription"}},
    ],
)
def test_a_malformed_one_is_refused_and_nothing_is_stored(endpoint: str, changes: dict[str, Any]) -> None:
    assert post(endpoint, thin(**changes)) == 400
    assert not Event.objects.exists()


def test_one_that_nobody_signed_is_refused(endpoint: str) -> None:
    assert requests.post(endpoint, json=thin(), timeout=20).status_code == 400
    assert not Event.objects.exists()


@pytest.mark.parametrize(("event_type", "kind"), [("v1.invoice.paid", "invoice"), ("v1.price.updated", "price")])
def test_what_stripe_no_longer_has_is_finished_with_a_note(
    endpoint: str, standin: StandIn, event_type: str, kind: str
) -> None:
    assert post(endpoint, thin(kind, f"{kind}_gone", type=event_type)) == 200
    drain_jobs()
    row = Event.objects.get()
    assert (row.state, row.attempts) == ("done", 0)
    assert "No such" in row.error


# ---- what comes of them ----------------------------------------------------------------------
@pytest.fixture
def acme(vendor: Vendor, settings: Any) -> str:
    """A subscription of a customer that nobody here knows: its events have been lost."""
    settings.STRIPE_WEBHOOK_SECRETS = [SECRET]
    subscription = vendor.subscribe(vendor.customer(), vendor.price(), metadata={"tenant-id": "acme"})
    vendor.standin.drop()
    return subscription


def test_a_subscription_that_is_named_becomes_a_tenant_with_one_more_fetch(
    acme: str, endpoint: str, vendor: Vendor
) -> None:
    vendor.standin.clear_requests()
    for number in range(5):
        assert post(endpoint, thin(object_id=acme, id=f"evt_{number}")) == 200
    drain_jobs()

    assert Tenant.objects.get().tenant_id == "acme"
    asked = vendor.standin.requests()
    assert (asked.count(f"/v1/subscriptions/{acme}"), asked.count("/v1/subscriptions")) == (1, 1)
    assert {(each.state, each.attempts, each.work.split(":")[0]) for each in Event.objects.all()} == {
        ("done", 0, "customer")
    }
    assert failed_jobs() == []


@pytest.mark.parametrize("kind", ["subscription", "invoice"])
def test_what_is_known_here_is_followed_without_asking_whose_it_is(
    vendor: Vendor, acme: str, endpoint: str, drain: Callable[[], None], kind: str
) -> None:
    vendor.standin.move_subscription(acme, "past_due")
    vendor.standin.drop()
    assert post(endpoint, thin(object_id=acme)) == 200
    drain()
    named = acme if kind == "subscription" else vendor.client.v1.invoices.list({"status": "open"}).data[0].id
    vendor.standin.move_subscription(acme, "active")
    vendor.standin.drop()
    vendor.standin.clear_requests()

    event_type = {"subscription": "v1.customer.subscription.updated", "invoice": "v1.invoice.paid"}[kind]
    assert post(endpoint, thin(kind, str(named), id="evt_later", type=event_type)) == 200
    drain()
    assert Tenant.objects.get().state == "approved"
    assert [path for path in vendor.standin.requests() if str(named) in path] == []


def test_stripe_being_away_while_the_customer_is_sought_postpones_it(acme: str, endpoint: str, vendor: Vendor) -> None:
    tries = 3
    vendor.standin.fail("GET", f"/v1/subscriptions/{acme}", status=500, times=tries)
    assert post(endpoint, thin(object_id=acme)) == 200
    drain_jobs()
    row = Event.objects.get()
    assert (row.state, row.attempts, row.work) == ("pending", 1, f"subscription:{acme}")
    assert failed_jobs() == []
