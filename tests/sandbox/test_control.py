import threading
import time
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor

import pytest
import stripe

from apps.sandbox.server import StandIn
from tests.sandbox.conftest import Control, Subscribe


def test_an_answer_is_worked_out_on_arrival_and_held(
    client: stripe.StripeClient, control: Control, subscribe: Subscribe
) -> None:
    made = subscribe()
    hold = control("POST", "holds", {"method": "GET", "path": f"/v1/subscriptions/{made.id}$"})["id"]
    with ThreadPoolExecutor() as pool:
        stale = pool.submit(client.v1.subscriptions.retrieve, made.id)
        assert control("GET", f"holds/{hold}?wait=10") == {"held": 1, "released": False}
        client.v1.subscriptions.cancel(made.id)
        assert client.v1.subscriptions.retrieve(made.id).status == "canceled"
        assert not stale.done()
        assert control("POST", f"holds/{hold}/release") == {"held": 1, "released": True}
        assert stale.result(timeout=10).status == "active"


def test_a_change_is_committed_while_its_answer_is_held(client: stripe.StripeClient, control: Control) -> None:
    hold = control("POST", "holds", {"method": "POST", "path": "^/v1/customers$"})["id"]
    assert control("GET", f"holds/{hold}") == {"held": 0, "released": False}
    with ThreadPoolExecutor() as pool:
        held = pool.submit(client.v1.customers.create, {"name": "Ada"})
        control("GET", f"holds/{hold}?wait=10")
        assert [each.name for each in client.v1.customers.list().data] == ["Ada"]
        control("POST", f"holds/{hold}/release")
        assert held.result(timeout=10).name == "Ada"
    assert control.status_of("GET", "holds/hold_x") == 404


def test_faults_take_the_place_of_answers(client: stripe.StripeClient, control: Control) -> None:
    control("POST", "faults", {"path": "/v1/products", "times": 2, "status": 429, "retry_after": 3})
    for _ in range(2):
        with pytest.raises(stripe.RateLimitError) as caught:
            client.v1.products.list()
        assert caught.value.headers["retry-after"] == "3"
    assert client.v1.products.list().data == []


def test_requests_are_logged(client: stripe.StripeClient, control: Control) -> None:
    client.v1.products.list({"limit": 2})
    with pytest.raises(stripe.InvalidRequestError):
        client.v1.products.retrieve("prod_x")
    logged = control("GET", "requests")["data"]
    assert [(each["method"], each["path"], each["query"], each["status"]) for each in logged] == [
        ("GET", "/v1/products", "limit=2", 200),
        ("GET", "/v1/products/prod_x", "", 404),
    ]
    control("DELETE", "requests")
    assert control("GET", "requests")["data"] == []


def test_the_clock_can_be_set_and_let_go(client: stripe.StripeClient, control: Control) -> None:
    assert control("POST", "clock", {"now": 1_234_567_890}) == {"now": 1_234_567_890}
    assert client.v1.products.create({"name": "x"}).created == 1_234_567_890
    assert control("POST", "clock", {"now": None})["now"] > 1_700_000_000
    assert control("GET", "health")["ok"]


def test_reset_keeps_the_account(client: stripe.StripeClient, control: Control) -> None:
    account = client.v1.accounts.retrieve_current().id
    client.v1.products.create({"name": "x"})
    control("POST", "clock", {"now": 5})
    control("POST", "reset", {})
    assert client.v1.products.list().data == [] and client.v1.events.list().data == []
    assert client.v1.accounts.retrieve_current().id == account
    assert control("GET", "health")["now"] > 5


def test_many_at_once(client: stripe.StripeClient, subscribe: Subscribe) -> None:
    with ThreadPoolExecutor(12) as pool:
        made = [future.result() for future in [pool.submit(subscribe) for _ in range(24)]]
    assert len({each.id for each in made}) == 24
    numbers = [each.number for each in client.v1.invoices.list({"limit": 100}).data]
    assert len(set(numbers)) == 24


def test_the_page_for_people(stand_in: StandIn, client: stripe.StripeClient) -> None:
    client.v1.products.create({"name": "<b>bold</b>", "id": "<script>"})
    with urllib.request.urlopen(stand_in.url) as response:
        page = response.read().decode()
    assert "stand-in for Stripe, not Stripe" in page and "product.created" in page
    assert "<script>" not in page


def test_reset_lets_held_answers_go(client: stripe.StripeClient, control: Control) -> None:
    hold = control("POST", "holds", {"path": "/v1/account"})["id"]
    thread = threading.Thread(target=client.v1.accounts.retrieve_current)
    thread.start()
    control("GET", f"holds/{hold}?wait=10")
    control("POST", "reset", {})
    thread.join(10)
    assert not thread.is_alive()


@pytest.mark.parametrize("header", [{"Host": "rebound.example.com"}, {"Origin": "https://example.com"}])
def test_web_pages_cannot_speak_to_it(stand_in: StandIn, header: dict[str, str]) -> None:
    request = urllib.request.Request(f"{stand_in.url}/_sandbox/reset", data=b"{}", headers=header)
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(request)
    with caught.value as refusal:
        assert refusal.code == 403


@pytest.mark.parametrize("carried_out", [False, True])
def test_a_connection_can_be_closed_without_an_answer(
    client: stripe.StripeClient, control: Control, carried_out: bool
) -> None:
    control("POST", "faults", {"method": "POST", "hang_up": True, "carried_out": carried_out})
    with pytest.raises(stripe.APIConnectionError):
        client.v1.customers.create({"name": "Ada"})
    assert len(client.v1.customers.list().data) == carried_out


def test_answers_can_be_slow(client: stripe.StripeClient, control: Control) -> None:
    control("POST", "faults", {"path": "^/v1/products$", "delay": 0.2})
    began = time.monotonic()
    assert client.v1.products.list().data == []
    assert time.monotonic() - began >= 0.2
    for wrong in ({}, {"delay": 1000}, {"status": 200}):
        assert control.status_of("POST", "faults", wrong) == 400


def test_requests_can_be_limited_by_endpoint(client: stripe.StripeClient, control: Control) -> None:
    product = client.v1.products.create({"name": "x"})
    control("POST", "rate_limit", {"per_second": 2})
    client.v1.products.retrieve(product.id)
    with pytest.raises(stripe.InvalidRequestError):
        client.v1.products.retrieve("prod_x")
    with pytest.raises(stripe.RateLimitError) as caught:
        client.v1.products.retrieve(product.id)
    assert caught.value.headers["retry-after"] == "1"
    assert len(client.v1.products.list().data) == 1
    control("POST", "rate_limit", {"per_second": None})
    assert [client.v1.products.retrieve(product.id).id for _ in range(5)] == [product.id] * 5
