"""Stripe's deliveries over real HTTP with real signatures; what is refused leaves nothing behind."""

import json
import time
from typing import Any

import pytest
import requests

from apps.billing.models import Event
from tests.support.inline import signed
from tests.support.working import drain_jobs

SECRET = "whsec_of_this_endpoint"


@pytest.fixture
def endpoint(transactional_db: None, live_server: Any, settings: Any) -> str:
    settings.STRIPE_WEBHOOK_SECRETS = [SECRET]
    return f"{live_server.url}/stripe/webhook/"


def event(**changes: Any) -> dict[str, Any]:
    about = {"id": "sub_1", "object": "subscription", "customer": "cus_1", "status": "active"}
    made = {
        "id": "evt_1",
        "object": "event",
        "type": "customer.subscription.updated",
        "created": 1_780_000_000,
        "livemode": False,
        "api_version": "2026-08-26.dahlia",
        "data": {"object": about},
    }
    return {**made, **changes}


def post(url: str, body: bytes, header: str | None) -> requests.Response:
    headers = {"Content-Type": "application/json"} | ({"Stripe-Signature": header} if header is not None else {})
    return requests.post(url, data=body, headers=headers, timeout=20)


def deliver(url: str, **changes: Any) -> int:
    body = json.dumps(event(**changes)).encode()
    return post(url, body, signed(body, secret=SECRET)).status_code


def test_a_signed_event_is_stored_without_its_body_and_enqueued(endpoint: str) -> None:
    assert deliver(endpoint) == 200
    row = Event.objects.get()
    assert (row.event_id, row.type, row.object_id, row.customer_id, row.state, row.work) == (
        "evt_1",
        "customer.subscription.updated",
        "sub_1",
        "cus_1",
        "pending",
        "customer:cus_1",
    )


def test_the_same_event_twice_is_one_row(endpoint: str) -> None:
    assert [deliver(endpoint), deliver(endpoint)] == [200, 200]
    assert Event.objects.count() == 1


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "garbage",
        "t=1,v1=00",
        "t=abc,v1=def",
        signed(b"another body", secret=SECRET),
        signed(json.dumps(event()).encode(), secret="whsec_of_somebody_else"),
        signed(json.dumps(event()).encode(), secret=SECRET, at=int(time.time()) - 3600),
    ],
    ids=["none", "empty", "garbage", "wrong", "not a number", "of another body", "by another secret", "an hour old"],
)
def test_a_bad_signature_is_refused_and_nothing_is_stored(endpoint: str, header: str | None) -> None:
    answer = post(endpoint, json.dumps(event()).encode(), header)
    assert answer.status_code == 400
    assert not Event.objects.exists()


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"not json",
        b"[]",
        b"null",
        b'"text"',
        b"{}",
        b'{"id": "evt_1"}',
        json.dumps(event(data=None)).encode(),
        json.dumps(event(data={"object": []})).encode(),
        json.dumps(event(created="soon")).encode(),
        json.dumps(event(id=None)).encode(),
        json.dumps(event(id="x" * 300)).encode(),
        json.dumps(event(type="customer.\x00")).encode(),
        json.dumps(event(created=10**20)).encode(),
        json.dumps(event(object="v2.core.event", data={})).encode(),
        b"\xff\xfe",
    ],
)
def test_a_signed_body_that_is_no_event_is_refused_and_nothing_is_stored(endpoint: str, body: bytes) -> None:
    header = signed(body, secret=SECRET) if body != b"\xff\xfe" else "t=1,v1=00"
    assert post(endpoint, body, header).status_code == 400
    assert not Event.objects.exists()


def test_a_body_that_is_too_large_is_refused(endpoint: str, settings: Any) -> None:
    settings.TENANTRY_WEBHOOK_MAX_BYTES = 2048
    body = json.dumps(event(data={"object": {"id": "sub_1", "padding": "x" * 4096}})).encode()
    assert post(endpoint, body, signed(body, secret=SECRET)).status_code == 413
    assert not Event.objects.exists()


def test_old_and_new_secret_are_accepted_while_one_is_changed_for_the_other(endpoint: str, settings: Any) -> None:
    """The three steps of docs/configuration.md."""

    def answers() -> list[int]:
        body = json.dumps(event()).encode()
        return [post(endpoint, body, signed(body, secret=each)).status_code for each in (SECRET, "whsec_new")]

    assert answers() == [200, 400]
    settings.STRIPE_WEBHOOK_SECRETS = [SECRET, "whsec_new"]
    assert answers() == [200, 200]
    settings.STRIPE_WEBHOOK_SECRETS = ["whsec_new"]
    assert answers() == [400, 200]


def test_a_delivery_signed_with_both_secrets_is_accepted_with_either(endpoint: str, settings: Any) -> None:
    """As Stripe sends it while a rolled secret is still valid."""
    body = json.dumps(event()).encode()
    moment = int(time.time())
    old, new = (signed(body, secret=each, at=moment) for each in (SECRET, "whsec_new"))
    both = f"{old},{new.partition(',')[2]}"
    for secret in (SECRET, "whsec_new"):
        settings.STRIPE_WEBHOOK_SECRETS = [secret]
        assert post(endpoint, body, both).status_code == 200
    settings.STRIPE_WEBHOOK_SECRETS = ["whsec_of_somebody_else"]
    assert post(endpoint, body, both).status_code == 400


def test_no_other_method_is_answered(endpoint: str) -> None:
    assert requests.get(endpoint, timeout=20).status_code == 405


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"livemode": True}, "other mode"),
        ({"account": "acct_connected"}, "connected account"),
        ({"type": "payout.paid"}, "Nothing here depends"),
        ({"type": "invoice.upcoming", "data": {"object": {"object": "invoice"}}}, "no customer"),
    ],
)
def test_what_concerns_nobody_here_is_ignored_visibly(endpoint: str, changes: dict[str, Any], reason: str) -> None:
    assert deliver(endpoint, **changes) == 200
    row = Event.objects.get()
    assert row.state == Event.State.IGNORED
    assert reason in row.error


@pytest.mark.parametrize("customer", ["cus_1", {"id": "cus_1", "object": "customer"}])
def test_the_customer_is_found_whether_expanded_or_not(endpoint: str, customer: Any) -> None:
    about = {"id": "in_1", "object": "invoice", "customer": customer}
    assert deliver(endpoint, type="invoice.paid", data={"object": about}) == 200
    assert Event.objects.get().work == "customer:cus_1"


def test_an_event_about_something_that_stripe_no_longer_has_needs_no_work(endpoint: str, standin: Any) -> None:
    about = {"id": "price_gone", "object": "price"}
    assert deliver(endpoint, type="price.updated", data={"object": about}) == 200
    drain_jobs()
    row = Event.objects.get()
    assert (row.state, row.attempts) == ("done", 0)
    assert "No such price" in row.error


def test_a_signature_of_other_letters_is_refused(endpoint: str) -> None:
    answer = requests.post(
        endpoint, data=b"{}", headers={"Stripe-Signature": "t=1,v1=\xe9".encode("latin-1")}, timeout=20
    )
    assert answer.status_code == 400


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 100_000,
        json.dumps(event(api_version="\x00")).encode(),
        json.dumps(event(data={"object": {"id": "sub 1", "object": "subscription"}})).encode(),
    ],
    ids=["nested", "NUL", "id with a space"],
)
def test_further_bodies_that_are_no_event(endpoint: str, body: bytes) -> None:
    assert post(endpoint, body, signed(body, secret=SECRET)).status_code == 400
    assert not Event.objects.exists()


def test_a_long_customer_id_has_a_place(endpoint: str) -> None:
    assert deliver(endpoint, data={"object": {"id": "c" * 250, "object": "customer"}}) == 200


def test_what_nothing_depends_on_need_not_be_understood(endpoint: str) -> None:
    about = {"id": "25% OFF", "object": "coupon"}
    assert deliver(endpoint, type="coupon.updated", data={"object": about}) == 200
    assert Event.objects.get().state == Event.State.IGNORED
