"""Stripe is away for an hour in the middle of several tenants' lives, while its events keep coming."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import stripe
import time_machine
from django.core.management import call_command
from django.db import connection

from apps.audit.models import Alert
from apps.billing import gateway, inbox
from apps.billing import selectors as billing
from apps.billing.models import Event
from apps.lifecycle import tasks
from apps.plans import selectors as plans
from apps.tenants.models import Tenant
from tests.support.broken import broken_stripe
from tests.support.inline import SECRET, events_of, post_event
from tests.support.standin import StandIn
from tests.support.vendor import Vendor
from tests.support.working import failed_jobs

StripeIs = Callable[[str], None]
NAMES = ("acme", "hooli", "initech", "globex")


class Day:
    """Time, Stripe's deliveries and the job of every minute, in a test's hands."""

    def __init__(self, standin: StandIn, drain: Callable[[], None]) -> None:
        self._standin = standin
        self._drain = drain
        self._begun = datetime.now(UTC)
        self._seen: set[str] = set()

    @contextmanager
    def minute(self, number: int) -> Iterator[None]:
        """Do the block at this minute, then what a worker does at it."""
        with time_machine.travel(self._begun + timedelta(minutes=number), tick=True):
            yield
            tasks.every_minute_job()
            self._drain()
        assert failed_jobs() == []

    def deliver(self, *, twice: bool = False) -> None:
        """Stripe's webhooks arrive, whatever its API does."""
        for event in self._new_events():
            for _ in range(1 + twice):
                assert post_event(event) == 200

    def lose(self) -> None:
        """They never arrive."""
        self._new_events()

    def _new_events(self) -> list[dict[str, Any]]:
        new = [event for event in events_of(self._standin) if event["id"] not in self._seen]
        self._seen |= {event["id"] for event in new}
        return new


@pytest.fixture
def day(vendor: Vendor, drain: Callable[[], None], settings: Any, monkeypatch: pytest.MonkeyPatch) -> Day:
    settings.STRIPE_WEBHOOK_SECRETS = [SECRET]
    # The library's own second and third attempts need not be waited for.
    monkeypatch.setattr(stripe.HTTPClient, "INITIAL_DELAY", 0)
    return Day(vendor.standin, drain)


@pytest.fixture
def stripe_is(settings: Any, standin: StandIn) -> Iterator[Callable[[str], None]]:
    """Have those who ask Stripe find it well, failing, refusing or silent; the vendor's own Stripe is always well."""
    with ExitStack() as stack:
        addresses = {
            name: stack.enter_context(broken_stripe(status))
            for name, status in (("failing", 500), ("refusing", 403), ("silent", None))
        }

        def switch(name: str) -> None:
            settings.STRIPE_API_BASE = addresses.get(name, standin.url)
            gateway.client.cache_clear()

        yield switch
        gateway.client.cache_clear()


@pytest.fixture
def prices(vendor: Vendor) -> dict[str, str]:
    return {
        "starter": vendor.price(name="Starter", limits={"max-users": "3"}),
        "business": vendor.price(name="Business", limits={"max-users": "50"}),
    }


@pytest.fixture
def subscriptions(vendor: Vendor, prices: dict[str, str], day: Day) -> dict[str, str]:
    """Four tenants at work, before anything goes wrong."""
    with day.minute(0):
        made = {
            name: vendor.subscribe(vendor.customer(), prices["starter"], metadata={"tenant-id": name}) for name in NAMES
        }
        day.deliver()
    assert states() == dict.fromkeys(NAMES, "approved")
    return made


def states() -> dict[str, str]:
    return dict(Tenant.objects.values_list("tenant_id", "state"))


def users_of(tenant_id: str) -> int | None:
    limits = plans.limits(Tenant.objects.get(tenant_id=tenant_id), now=datetime.now(UTC))
    return {each.entity: each.limit for each in limits}["users"]


def stuck() -> set[str]:
    return set(Alert.objects.open().filter(code=inbox.STUCK).values_list("subject", flat=True))


def waiting_jobs() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM procrastinate_jobs WHERE status = 'todo'")
        return int(cursor.fetchone()[0])


def test_an_hour_without_stripe_loses_nothing(
    vendor: Vendor, day: Day, stripe_is: StripeIs, prices: dict[str, str], subscriptions: dict[str, str]
) -> None:
    before = states()

    with day.minute(1):
        stripe_is("failing")
        vendor.standin.move_subscription(subscriptions["acme"], "past_due")
        day.deliver()
    with day.minute(3):
        pass
    with day.minute(5):
        vendor.change_price(subscriptions["hooli"], prices["business"])
        day.deliver(twice=True)
    with day.minute(10):
        newcomer = vendor.customer(name="Umbrella")
        vendor.subscribe(newcomer, prices["business"], metadata={"tenant-id": "umbrella"})
        day.deliver()
    with day.minute(17):
        pass
    assert len(stuck()) == 1
    with day.minute(30):
        stripe_is("silent")
        vendor.cancel(subscriptions["initech"])
        day.deliver()
    with day.minute(45):
        vendor.standin.move_subscription(subscriptions["acme"], "active")
        day.lose()
    with day.minute(50):
        vendor.client.v1.prices.update(prices["business"], {"metadata": {"max-users": "60"}})
        day.deliver()
    with day.minute(55):
        vendor.cancel(subscriptions["globex"])
        day.lose()
    with day.minute(60):
        pass

    assert states() == before
    assert users_of("hooli") == 3
    assert all("Stripe" in event.error for event in billing.failing_events())
    assert len(stuck()) == 4

    stripe_is("well")
    with day.minute(61):
        pass
    with day.minute(62):
        pass
    # Of globex nothing has arrived, and nothing can be known.
    expected = {**before, "initech": "suspended", "umbrella": "approved"}
    assert states() == expected
    assert (users_of("hooli"), users_of("umbrella"), users_of("acme")) == (60, 60, 3)
    assert not Event.objects.filter(state=Event.State.PENDING).exists()
    assert stuck() == set()

    call_command("stripe_catch_up")
    assert states() == {**expected, "globex": "suspended"}


def test_no_pause_grows_beyond_a_minute_while_stripe_is_away(vendor: Vendor, day: Day, stripe_is: StripeIs) -> None:
    stripe_is("silent")
    vendor.customer()
    tries = (1, 3, 5, 8, 12)
    for number in tries:
        with day.minute(number):
            day.deliver()
    event = Event.objects.get(type="customer.created")
    assert event.attempts >= len(tries)
    assert event.retry_at is not None
    assert event.retry_at - event.received_at < timedelta(minutes=12.5)


def test_what_stripe_refuses_is_asked_less_and_less(vendor: Vendor, day: Day, stripe_is: StripeIs) -> None:
    """The control: a refusal is nothing that passes with an outage."""
    stripe_is("refusing")
    vendor.customer()
    for number in (0, 2, 5, 10, 20):
        with day.minute(number):
            day.deliver()
    event = Event.objects.get(type="customer.created")
    assert event.attempts == 5
    assert event.retry_at is not None
    assert event.retry_at - event.received_at > timedelta(minutes=35)


def test_jobs_do_not_pile_up_while_no_worker_comes_to_them(vendor: Vendor, day: Day) -> None:
    """Workers may all be waiting for a Stripe that does not answer."""
    for _ in range(3):
        vendor.customer()
    begun = datetime.now(UTC)
    day.deliver()
    before = waiting_jobs()
    for number in range(2, 30):
        with time_machine.travel(begun + timedelta(minutes=number), tick=True):
            tasks.every_minute_job()
    assert waiting_jobs() == before
