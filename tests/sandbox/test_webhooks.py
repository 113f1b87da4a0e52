from typing import Any

import pytest
import stripe

from tests.sandbox.conftest import WAIT, Control, Receiver, Subscribe


@pytest.fixture(autouse=True)
def all_before_are_delivered(request: pytest.FixtureRequest) -> None:
    """Make the endpoint before the objects of a test, so that their events are delivered too."""
    if "endpoint" in request.fixturenames:
        request.getfixturevalue("endpoint")


def test_webhooks_are_signed_with_the_whole_secret(
    client: stripe.StripeClient, receiver: Receiver, endpoint: stripe.WebhookEndpoint
) -> None:
    made = client.v1.customers.create({"name": "Ada"})
    receiver.wait_for(1)
    body, headers = receiver.received[0]
    event = stripe.Webhook.construct_event(body, headers["Stripe-Signature"], endpoint.secret)
    assert (event.type, event.data.object.id, event.pending_webhooks) == ("customer.created", made.id, 1)
    assert event["request"].id == made.last_response.request_id
    with pytest.raises(stripe.SignatureVerificationError):
        stripe.WebhookSignature.verify_header(body.decode(), headers["Stripe-Signature"], "whsec_other")
    assert headers["Host"] == receiver.url.split("/")[2]


def test_signatures_are_of_the_real_time(
    client: stripe.StripeClient, control: Control, receiver: Receiver, endpoint: stripe.WebhookEndpoint
) -> None:
    control("POST", "clock", {"now": 1_000_000_000})
    client.v1.customers.create({"name": "Ada"})
    (event,) = receiver.wait_for(1)
    assert event["created"] == 1_000_000_000
    body, headers = receiver.received[0]
    assert stripe.WebhookSignature.verify_header(body.decode(), headers["Stripe-Signature"], endpoint.secret, 300)


@pytest.mark.usefixtures("endpoint")
def test_a_failed_one_is_tried_again(client: stripe.StripeClient, control: Control, receiver: Receiver) -> None:
    receiver.answers = [500]
    client.v1.customers.create({"name": "Ada"})
    first, second = receiver.wait_for(2)
    assert first["id"] == second["id"]
    # Manual mode is reached only once the attempts that run are written down.
    control("POST", "delivery", {"mode": "manual"})
    (delivery,) = control("GET", "deliveries")["data"]
    assert (delivery["state"], delivery["attempts"], delivery["last_status"]) == ("delivered", 2, 200)
    assert client.v1.events.retrieve(first["id"]).pending_webhooks == 0


@pytest.mark.usefixtures("endpoint")
def test_by_hand_in_any_order_and_more_than_once(
    client: stripe.StripeClient, control: Control, receiver: Receiver, subscribe: Subscribe
) -> None:
    receiver.wait_for(3)
    control("POST", "delivery", {"mode": "manual"})
    receiver.received.clear()
    subscribe()
    events = client.v1.events.list({"limit": 5}).data
    order = [events[0].id, events[2].id, events[0].id]
    answers = control("POST", "deliver", {"events": order})["data"]
    assert [(each["event"], each["status"], each["body"]) for each in answers] == [(id, 200, "thanks") for id in order]
    assert receiver.types == ["invoice.payment_succeeded", "invoice.finalized", "invoice.payment_succeeded"]
    assert control("POST", "drop", {"events": [events[1].id]}) == {"dropped": 1}
    control("POST", "deliver", {})
    assert receiver.types[3:] == ["customer.subscription.created", "invoice.created"]
    states = {each["event"]: each["state"] for each in control("GET", "deliveries")["data"]}
    assert states[events[1].id] == "dropped"
    lost = client.v1.events.list({"delivery_success": False}).data
    assert [each.id for each in lost] == [events[1].id]
    assert control.status_of("POST", "deliver", {"events": ["evt_nothing"]}) == 404


@pytest.mark.usefixtures("endpoint")
def test_chances_of_duplicates_and_losses(client: stripe.StripeClient, control: Control, receiver: Receiver) -> None:
    control("POST", "delivery", {"duplicate": 1.0})
    client.v1.customers.create({"name": "Ada"})
    assert len({event["id"] for event in receiver.wait_for(2)}) == 1
    control("POST", "delivery", {"duplicate": 0, "drop": 1.0})
    client.v1.customers.create({"name": "Bob"})
    assert wait_until(lambda: control("GET", "deliveries")["data"][-1]["state"] == "dropped", receiver)
    assert len(receiver.received) == 2


@pytest.mark.usefixtures("endpoint")
def test_webhooks_of_one_request_can_come_in_another_order(
    control: Control, receiver: Receiver, subscribe: Subscribe
) -> None:
    receiver.wait_for(3)
    receiver.received.clear()
    control("POST", "delivery", {"reorder": True, "delay": 0.1, "seed": 1})
    made = subscribe()
    events = receiver.wait_for(5)
    told = [each["event"] for each in control("GET", "deliveries")["data"]][3:]
    assert sorted(told) == sorted(event["id"] for event in events)
    assert told != [event["id"] for event in events]
    assert {event["request"]["id"] for event in events} == {made.last_response.request_id}


def wait_until(condition: Any, receiver: Receiver) -> bool:
    with receiver.changed:
        for _ in range(int(WAIT / 0.02)):
            if condition():
                return True
            receiver.changed.wait(0.02)
    return False


def test_only_the_events_that_an_endpoint_wants(client: stripe.StripeClient, receiver: Receiver) -> None:
    made = client.v1.webhook_endpoints.create({"url": receiver.url, "enabled_events": ["product.created"]})
    client.v1.customers.create({"name": "Ada"})
    client.v1.products.create({"name": "Pro"})
    receiver.wait_for(1)
    client.v1.webhook_endpoints.update(made.id, {"disabled": True})
    client.v1.products.create({"name": "More"})
    assert receiver.types == ["product.created"]
    assert client.v1.events.list({"limit": 1}).data[0].pending_webhooks == 0


def test_the_secret_is_shown_once(client: stripe.StripeClient, endpoint: stripe.WebhookEndpoint) -> None:
    assert endpoint.secret.startswith("whsec_")
    assert "secret" not in client.v1.webhook_endpoints.retrieve(endpoint.id)
    assert "secret" not in client.v1.webhook_endpoints.list().data[0]
    assert client.v1.webhook_endpoints.delete(endpoint.id).deleted
    assert client.v1.webhook_endpoints.list().data == []


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com/hook",
        "http://10.0.0.1/hook",
        "http://169.254.169.254/",
        "http://127.0.0.1.example.com/",
        "http://user@127.0.0.1/",
        "https://127.0.0.1/",
        "http://localhost.example.com/",
        "http://127.0.0.1:99999/",
        "http://[::ffff:10.0.0.1]/",
        "file:///etc/passwd",
        "nonsense",
    ],
)
def test_webhooks_go_to_this_machine_only(client: stripe.StripeClient, url: str) -> None:
    with pytest.raises(stripe.InvalidRequestError) as caught:
        client.v1.webhook_endpoints.create({"url": url, "enabled_events": ["*"]})
    assert caught.value.param == "url"


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "localhost", "acme.localhost", "[::1]"])
def test_this_machine_has_many_names(client: stripe.StripeClient, host: str) -> None:
    assert client.v1.webhook_endpoints.create({"url": f"http://{host}:9/x", "enabled_events": ["*"]}).id


@pytest.mark.parametrize("events", [[], ["customer.exploded"], ["*", "customer.created"]])
def test_only_events_that_exist(client: stripe.StripeClient, events: Any) -> None:
    with pytest.raises(stripe.InvalidRequestError):
        client.v1.webhook_endpoints.create({"url": "http://127.0.0.1/", "enabled_events": events})


@pytest.mark.usefixtures("endpoint")
def test_reset_can_keep_the_endpoints(client: stripe.StripeClient, control: Control, receiver: Receiver) -> None:
    control("POST", "reset", {"keep_endpoints": True})
    client.v1.customers.create({"name": "Ada"})
    assert [event["type"] for event in receiver.wait_for(1)] == ["customer.created"]
    control("POST", "reset", {})
    assert client.v1.webhook_endpoints.list().data == []
