"""Ten thousand deliveries about five hundred customers cost about one fetch for each object."""

import json
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count, cycle, islice
from typing import Any

import pytest
from django.db import connection
from django.test import Client

from apps.billing.models import Event
from apps.plans.models import Subscription
from apps.tenants.models import Tenant
from tests.support.inline import SECRET, signed
from tests.support.vendor import Vendor
from tests.support.working import drain_jobs, failed_jobs

CUSTOMERS = 500
TENANTS = 5
DELIVERIES = 10_000
PRODUCTS = 20


class Account:
    """What there is in Stripe, and the events that tell of it."""

    def __init__(self, vendor: Vendor) -> None:
        prices = [vendor.price(name=f"Plan {number}") for number in range(PRODUCTS)]
        found = vendor.client.v1.prices.list({"limit": 100}).data
        self.catalogue = [("price.updated", {"object": "price", "id": each.id}) for each in found]
        self.catalogue += [("product.updated", {"object": "product", "id": str(each.product)}) for each in found]
        self.subscriptions: list[tuple[str, dict[str, Any]]] = []
        for number in range(CUSTOMERS):
            customer = vendor.customer(name=f"Customer {number}")
            # The others wait for a tenant id: bound, but nothing to provision.
            named = {"metadata": {"tenant-id": f"tenant-{number}"}} if number < TENANTS else {}
            made = vendor.subscribe(customer, prices[number % PRODUCTS], **named)
            about = {"object": "subscription", "id": made, "customer": customer}
            self.subscriptions.append(("customer.subscription.updated", about))

    def events(self) -> Iterator[dict[str, Any]]:
        """About everything again and again, every tenth about the catalogue."""
        of_catalogue, of_customers = cycle(self.catalogue), cycle(self.subscriptions)
        for number in count():
            event_type, about = next(of_customers if number % 10 else of_catalogue)
            yield {
                "id": f"evt_{number}",
                "object": "event",
                "type": event_type,
                "created": 1_780_000_000 + number,
                "livemode": False,
                "data": {"object": about},
            }


def deliver(client: Client, event: dict[str, Any]) -> int:
    body = json.dumps(event).encode()
    headers = {"Stripe-Signature": signed(body), "Host": "localhost"}
    answer = client.post("/stripe/webhook/", data=body, content_type="application/json", headers=headers)
    return answer.status_code


@contextmanager
def a_worker() -> Iterator[None]:
    """One at work beside the block."""
    stop = threading.Event()

    def work() -> None:
        while not stop.wait(0.01):
            drain_jobs()
        connection.close()

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(60)


def done_at_once() -> int:
    """Of what was delivered; what the installation asked of itself comes besides."""
    return Event.objects.filter(state=Event.State.DONE, attempts=0, event_id__startswith="evt_").count()


def waiting_jobs() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM procrastinate_jobs WHERE status = 'todo'")
        return int(cursor.fetchone()[0])


@pytest.mark.slow
def test_while_a_worker_is_at_work_no_more_jobs_wait_than_there_are_customers(
    vendor: Vendor, drain: Callable[[], None], settings: Any
) -> None:
    """However fast events come, each customer waits for one look: no queue grows with the deliveries."""
    settings.STRIPE_WEBHOOK_SECRETS = [SECRET]
    price, customers, deliveries = vendor.price(), 20, 1_000
    made = [vendor.customer() for _ in range(customers)]
    about = [
        {"object": "subscription", "id": vendor.subscribe(each, price, metadata={}), "customer": each} for each in made
    ]
    events = [
        {
            "id": f"evt_{number}",
            "object": "event",
            "type": "customer.subscription.updated",
            "created": 1_780_000_000 + number,
            "livemode": False,
            "data": {"object": about[number % customers]},
        }
        for number in range(deliveries)
    ]
    vendor.standin.drop()
    vendor.standin.clear_requests()
    client, waited = Client(), []
    with a_worker():
        for event in events:
            assert deliver(client, event) == 200
            waited.append(waiting_jobs())
    drain()
    # One besides for each job that a worker was just taking.
    assert max(waited) <= customers + 2
    assert vendor.standin.requests().count("/v1/subscriptions") < deliveries / 3
    assert done_at_once() == deliveries
    assert failed_jobs() == []


@pytest.mark.slow
def test_a_burst_costs_one_fetch_for_each_object(vendor: Vendor, drain: Callable[[], None], settings: Any) -> None:
    settings.STRIPE_WEBHOOK_SECRETS = [SECRET]
    account = Account(vendor)
    vendor.standin.drop()
    vendor.standin.clear_requests()
    client = Client()

    statuses = Counter(deliver(client, each) for each in islice(account.events(), DELIVERIES))
    assert statuses == {200: DELIVERIES}
    assert vendor.standin.requests() == []
    drain()

    assert failed_jobs() == []
    assert done_at_once() == DELIVERIES
    fetches = Counter(vendor.standin.requests())
    about_customers = fetches.pop("/v1/subscriptions")
    # The first customer on a price is looked at again once its limits are published.
    assert CUSTOMERS <= about_customers <= CUSTOMERS + PRODUCTS + 5
    # A price is fetched for its own events, and before them at most once by each worker that meets it first.
    assert max(fetches.values()) <= 3
    assert sum(fetches.values()) <= 3 * 2 * PRODUCTS
    assert Subscription.objects.count() == CUSTOMERS
    assert Tenant.objects.filter(provisioning="ready").count() == TENANTS
