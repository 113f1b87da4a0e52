import json
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
import stripe

from apps.sandbox.server import StandIn

KEY = "sk_test_" + "a" * 24
WAIT = 5.0


class Control:
    """The control API, as a test speaks to it."""

    def __init__(self, url: str) -> None:
        self.url = url

    def __call__(self, method: str, path: str, body: Any = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.url}/_sandbox/{path}", data=data, method=method)
        with urllib.request.urlopen(request, timeout=20) as response:
            return json.load(response)

    def status_of(self, method: str, path: str, body: Any = None) -> int:
        try:
            self(method, path, body)
        except urllib.error.HTTPError as error:
            with error:
                return error.code
        return 200

    def set_status(self, subscription: str, status: str, **more: Any) -> Any:
        return self("POST", f"subscriptions/{subscription}/status", {"status": status, **more})


@dataclass
class Receiver:
    """A webhook endpoint: keeps what it gets, and answers the codes in `answers` first, then 200."""

    url: str = ""
    answers: list[int] = field(default_factory=list)
    received: list[tuple[bytes, dict[str, str]]] = field(default_factory=list)
    changed: threading.Condition = field(default_factory=threading.Condition)

    def take(self, body: bytes, headers: dict[str, str]) -> int:
        with self.changed:
            self.received.append((body, headers))
            self.changed.notify_all()
            return self.answers.pop(0) if self.answers else 200

    def wait_for(self, count: int) -> list[dict[str, Any]]:
        with self.changed:
            assert self.changed.wait_for(lambda: len(self.received) >= count, WAIT), self.types
            return [json.loads(body) for body, _headers in self.received]

    @property
    def types(self) -> list[str]:
        return [json.loads(body)["type"] for body, _headers in self.received]


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StandIn]:
    process = StandIn(store=tmp_path_factory.mktemp("sandbox") / "stripe.sqlite3")
    yield process
    process.close()


@pytest.fixture
def stand_in(running: StandIn) -> StandIn:
    """One stand-in for all tests, which begins each of them empty."""
    Control(running.url)("POST", "reset", {})
    return running


@pytest.fixture
def client(stand_in: StandIn) -> stripe.StripeClient:
    return client_of(stand_in.url)


def client_of(url: str) -> stripe.StripeClient:
    return stripe.StripeClient(KEY, base_addresses={"api": url}, max_network_retries=0)


@pytest.fixture
def control(stand_in: StandIn) -> Control:
    return Control(stand_in.url)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    kept = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(kept.take(body, dict(self.headers.items())))
            self.end_headers()
            self.wfile.write(b"thanks")

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    kept.url = f"http://localhost:{server.server_port}/hook"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield kept
    server.shutdown()
    server.server_close()


@pytest.fixture
def endpoint(client: stripe.StripeClient, receiver: Receiver) -> stripe.WebhookEndpoint:
    return client.v1.webhook_endpoints.create({"url": receiver.url, "enabled_events": ["*"]})


@pytest.fixture
def price(client: stripe.StripeClient) -> stripe.Price:
    return client.v1.prices.create(
        {
            "currency": "usd",
            "unit_amount": 1000,
            "recurring": {"interval": "month"},
            "product_data": {"name": "Pro"},
        }
    )


@pytest.fixture
def customer(client: stripe.StripeClient) -> stripe.Customer:
    return client.v1.customers.create({"email": "ada@example.com", "name": "Ada"})


Subscribe = Callable[..., stripe.Subscription]


@pytest.fixture
def subscribe(client: stripe.StripeClient, customer: stripe.Customer, price: stripe.Price) -> Subscribe:
    def make(**more: Any) -> stripe.Subscription:
        return client.v1.subscriptions.create({"customer": customer.id, "items": [{"price": price.id}], **more})

    return make


def event_types(client: stripe.StripeClient, *, after: int = 0) -> list[str]:
    """The types of all events but the `after` first ones, oldest first."""
    events = client.v1.events.list({"limit": 100}).data
    return [event.type for event in reversed(events)][after:]
