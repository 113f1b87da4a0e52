"""Ways in which work at Stripe could be lost, repeated, held up or misread between the inbox and the flows."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import stripe
import time_machine
from django.core.management import CommandError, call_command
from django.db import connection
from procrastinate.contrib.django import app

from apps.audit.models import Alert, Entry
from apps.billing import gateway, inbox, replaying
from apps.billing import selectors as billing
from apps.billing import services as billing_services
from apps.billing.errors import StripeUnavailable
from apps.billing.heads import EventHead
from apps.billing.models import Event, Installation
from apps.core import clock
from apps.lifecycle import services, sweeping, tasks
from apps.tenants.models import Tenant
from tests.factories import SOMEBODY, make_tenant
from tests.support.broken import broken_stripe
from tests.support.vendor import Vendor
from tests.support.working import drain_jobs, failed_jobs

Settle = Callable[[], None]


def now() -> datetime:
    return datetime.now(UTC)


def states() -> dict[str, str]:
    return dict(Tenant.objects.values_list("tenant_id", "state"))


def work_at(minutes: int) -> None:
    """What a worker does so many minutes from now."""
    with time_machine.travel(now() + timedelta(minutes=minutes), tick=True):
        tasks.every_minute_job()
        drain_jobs()


def waiting_jobs() -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT task_name FROM procrastinate_jobs WHERE status = 'todo' ORDER BY id")
        return [row[0] for row in cursor.fetchall()]


def head(number: int, *, customer: str = "", created: int = 1_780_000_000) -> EventHead:
    about = customer or f"cus_{number}"
    return EventHead(
        f"evt_{number}", "customer.updated", about, about, "", "", False, created, work=f"customer:{about}"
    )


@pytest.fixture
def stripe_is_away(vendor: Vendor, settings: Any, monkeypatch: pytest.MonkeyPatch) -> Callable[[], Any]:
    # The library's own second and third attempts need not be waited for.
    monkeypatch.setattr(stripe.HTTPClient, "INITIAL_DELAY", 0)

    @contextmanager
    def away() -> Iterator[None]:
        with broken_stripe(None) as address:
            settings.STRIPE_API_BASE = address
            gateway.client.cache_clear()
            try:
                yield
            finally:
                settings.STRIPE_API_BASE = vendor.standin.url
                gateway.client.cache_clear()

    return away


class TestWorkWithoutAnEvent:
    def test_a_price_that_is_managed_during_an_outage_makes_its_tenants_afterwards(
        self, vendor: Vendor, settle: Settle, stripe_is_away: Callable[[], Any]
    ) -> None:
        price = vendor.price(managed=False)
        vendor.subscribe(vendor.customer(), price, metadata={"tenant-id": "acme"})
        settle()
        with stripe_is_away():
            services.manage_price(price_id=price, group="recurring", actor=SOMEBODY, now=now())
            drain_jobs()
            assert {event.type for event in billing.failing_events()} == {inbox.LOOK_AGAIN}
        assert (states(), failed_jobs()) == ({}, [])
        work_at(2)
        assert states() == {"acme": "approved"}
        assert not billing.failing_events().exists()

    def test_a_tenant_that_is_synchronised_during_an_outage_is_afterwards(
        self, vendor: Vendor, settle: Settle, stripe_is_away: Callable[[], Any]
    ) -> None:
        subscription = vendor.subscribe(vendor.customer(), vendor.price(), metadata={"tenant-id": "acme"})
        settle()
        vendor.cancel(subscription)
        vendor.standin.drop()
        with stripe_is_away():
            services.resync_tenant(tenant=Tenant.objects.get(), actor=SOMEBODY, now=now())
            drain_jobs()
        assert (states(), failed_jobs()) == ({"acme": "approved"}, [])
        work_at(2)
        assert states() == {"acme": "suspended"}

    def test_it_is_done_in_the_name_of_what_stripe_has_sent_if_anything(self, vendor: Vendor, settle: Settle) -> None:
        customer = vendor.customer()
        subscription = vendor.subscribe(customer, vendor.price(), metadata={"tenant-id": "acme"})
        settle()
        vendor.cancel(subscription)
        vendor.standin.drop()
        services.resync_tenant(tenant=Tenant.objects.get(), actor=SOMEBODY, now=now())
        drain_jobs()
        assert Entry.objects.filter(action="tenant.state_changed").latest("at").actor_label == customer

        accepted = [head(1, customer=customer, created=int(now().timestamp()) - 60)]
        inbox.accept(accepted, now=now())
        inbox.look_again([f"customer:{customer}"], now=now())
        actor = inbox.cause_of(inbox.take(f"customer:{customer}"))
        assert actor.label == "customer.updated evt_1"


class TestWhatIsMissing:
    def test_events_of_a_customer_wait_for_a_price_that_is_missing(self, vendor: Vendor, settle: Settle) -> None:
        price = vendor.price()
        vendor.standin.drop()
        customer = vendor.customer()
        vendor.subscribe(customer, price, metadata={"tenant-id": "acme"})
        vendor.standin.fail("GET", f"^/v1/prices/{price}$", status=404)
        settle()
        pending = Event.objects.filter(work=f"customer:{customer}", state=Event.State.PENDING)
        assert (pending.exists(), states()) == (True, {})
        work_at(2)
        assert (pending.exists(), states()) == (False, {"acme": "approved"})

    def test_one_customer_of_a_test_clock_does_not_hide_the_others(self, vendor: Vendor, settle: Settle) -> None:
        began = int(datetime(2027, 1, 1, tzinfo=UTC).timestamp())
        clock_id = vendor.client.v1.test_helpers.test_clocks.create({"frozen_time": began}).id
        price = vendor.price()
        names = ("acme", "globex", "hooli")
        for name in names:
            options: Any = {"metadata": {"tenant-id": name}, "cancel_at": began + 1000}
            vendor.subscribe(vendor.customer(test_clock=clock_id), price, **options)
        settle()
        assert states() == dict.fromkeys(names, "approved")
        vendor.client.v1.test_helpers.test_clocks.advance(clock_id, {"frozen_time": began + 2000})
        # All that tells of the change is the clock itself.
        told = [each.id for each in vendor.client.v1.events.list({"type": "test_helpers.test_clock.ready"}).data]
        vendor.standin.drop([each for each in vendor.standin.pending_events() if each not in told])
        vendor.standin.fail("GET", f"^/v1/test_helpers/test_clocks/{clock_id}$", status=404)
        settle()
        assert sorted(states().values()) == ["approved", "suspended", "suspended"]
        work_at(2)
        assert states() == dict.fromkeys(names, "suspended")

    def test_a_sweep_tells_of_a_customer_whose_price_is_missing(self, vendor: Vendor) -> None:
        price = vendor.price()
        customer = vendor.customer()
        vendor.subscribe(customer, price, metadata={"tenant-id": "acme"})
        vendor.standin.drop()
        vendor.standin.fail("GET", f"^/v1/prices/{price}$", status=404, times=2)
        sweep = sweeping.mirror_account(clock=clock.now)
        assert list(sweep.errors) == [f"customer:{customer}"]


class TestTheInbox:
    def test_an_event_that_is_replayed_has_not_failed(self, vendor: Vendor) -> None:
        inbox.accept([head(1)], now=now())
        taken = inbox.take("customer:cus_1")
        inbox.postpone(taken, work="customer:cus_1", error="Stripe was away.", now=now())
        inbox.finish(taken, work="customer:cus_1", now=now())
        replaying.replay(Event.objects.all(), actor=SOMEBODY, now=now())
        assert not billing.failing_events().exists()
        assert Event.objects.get().state == Event.State.PENDING

    def test_the_night_forgets_what_is_long_done(self, vendor: Vendor, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(inbox, "FORGOTTEN_AT_ONCE", 2)
        long_ago = now() - timedelta(days=36)
        inbox.accept([head(number) for number in range(5)], now=long_ago)
        inbox.accept([EventHead("evt_ignored", "payout.paid", "", "", "", "", False, 1)], now=long_ago)
        for number in range(5):
            work = f"customer:cus_{number}"
            inbox.finish(inbox.take(work), work=work, now=long_ago)
        inbox.accept([head(6)], now=long_ago)
        inbox.accept([head(7)], now=now() - timedelta(days=34))
        inbox.finish(inbox.take("customer:cus_7"), work="customer:cus_7", now=now() - timedelta(days=34))
        tasks.every_night_job()
        assert set(Event.objects.values_list("event_id", flat=True)) == {"evt_6", "evt_7"}

    def test_what_asks_for_nothing_is_not_taken_from_the_accounts_list(self, vendor: Vendor) -> None:
        billing_services.verify_account(now=now())
        vendor.customer(payment_method="pm_card_visa")
        types = {event.type for event in vendor.client.v1.events.list({"limit": 100}).data}
        assert types == {"customer.created", "payment_method.attached"}
        assert billing_services.catch_up_events(now=now()) == 1
        assert Event.objects.get().type == "customer.created"

    def test_an_outage_while_events_are_caught_up_keeps_what_was_read(
        self, vendor: Vendor, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        billing_services.verify_account(now=now())
        for _ in range(25):
            vendor.customer()
        monkeypatch.setattr(gateway, "PAGE", 10)
        real = stripe.RequestsClient.request

        def failing(self: Any, method: str, url: str, *arguments: Any) -> Any:
            if "starting_after" in url:
                raise stripe.APIConnectionError("away")
            return real(self, method, url, *arguments)

        with monkeypatch.context() as outage:
            outage.setattr(stripe.RequestsClient, "request", failing)
            with pytest.raises(StripeUnavailable):
                billing_services.catch_up_events(now=now())
        assert Event.objects.count() == 10
        assert Installation.objects.get().events_seen_until is None
        assert billing_services.catch_up_events(now=now()) == 15


class TestASweepInAnOutage:
    @pytest.fixture
    def customers(self, vendor: Vendor, settle: Settle) -> list[str]:
        price = vendor.price()
        found = [vendor.customer() for _ in range(6)]
        subscriptions = [
            vendor.subscribe(each, price, metadata={"tenant-id": f"tenant-{number}"})
            for number, each in enumerate(found)
        ]
        settle()
        for each in subscriptions:
            vendor.cancel(each)
        vendor.standin.drop()
        return found

    @pytest.fixture
    def away_after_listing(
        self, stripe_is_away: Callable[[], Any], monkeypatch: pytest.MonkeyPatch
    ) -> Iterator[ExitStack]:
        """Closing it brings Stripe back."""
        real = gateway.customer_ids
        with ExitStack() as outage:

            def listed() -> list[str]:
                found = real()
                outage.enter_context(stripe_is_away())
                return found

            monkeypatch.setattr(gateway, "customer_ids", listed)
            yield outage

    def test_it_asks_no_more_and_the_rest_is_looked_at_once_stripe_is_back(
        self, customers: list[str], away_after_listing: ExitStack
    ) -> None:
        sweep = sweeping.mirror_account(clock=clock.now)
        assert (len(sweep.errors), len(sweep.unanswered)) == (3, 6)
        assert sweep.told().endswith("Stripe being away, 3 more were not looked at.")
        away_after_listing.close()
        assert set(states().values()) == {"approved"}
        work_at(2)
        assert set(states().values()) == {"suspended"}

    def test_the_drift_says_how_many_it_did_not_look_at_and_leaves_nothing_behind(
        self, customers: list[str], away_after_listing: ExitStack
    ) -> None:
        before = Event.objects.count()
        with pytest.raises(CommandError, match=r"Stripe being away, \d+ more were not looked at"):
            call_command("stripe_drift")
        assert (Event.objects.count(), waiting_jobs()) == (before, [])

    def test_the_alert_of_the_night_names_the_first_ten(self, vendor: Vendor, monkeypatch: pytest.MonkeyPatch) -> None:
        for _ in range(12):
            vendor.subscribe(vendor.customer(), vendor.price(managed=False))
        vendor.standin.drop()

        def broken(**given: Any) -> Any:
            raise KeyError("surprise")

        monkeypatch.setattr(services, "follow_customer", broken)
        sweeping.nightly(clock=clock.now)
        message = Alert.objects.get().message
        assert message.count("surprise") == 10
        assert message.endswith("and 2 more")


class TestTheQueue:
    @pytest.fixture
    def done(self, transactional_db: None, monkeypatch: pytest.MonkeyPatch) -> list[str]:
        """What was done, in its order; nothing is asked of Stripe."""
        done: list[str] = []

        def follow(*, customer_id: str, **_: Any) -> None:
            inbox.take(f"customer:{customer_id}")
            done.append(customer_id)

        monkeypatch.setattr(services, "work_off_customer", follow)
        monkeypatch.setattr(tasks, "reconcile", lambda **_: done.append("what time brings"))
        monkeypatch.setattr(tasks, "retry_stalled", lambda: done.append("the minute"))
        return done

    def test_what_needs_no_stripe_comes_before_what_does(self, done: list[str], settings: Any) -> None:
        tenant = make_tenant()
        drain_jobs()
        done.clear()
        inbox.accept([head(number) for number in range(20)], now=now())
        tasks.enqueue("lifecycle.reconcile_tenant", tenant_key=str(tenant.pk))
        app.tasks["lifecycle.every_minute"].defer(timestamp=0)
        drain_jobs()
        assert done[:2] == ["the minute", "what time brings"]
        assert len(done) == 22

    def test_a_burst_about_one_customer_is_one_job(self, done: list[str]) -> None:
        for number in range(20):
            inbox.accept([head(number, customer="cus_1")], now=now())
        assert waiting_jobs() == ["lifecycle.follow_customer"]
        drain_jobs()
        inbox.accept([head(21, customer="cus_1")], now=now())
        assert waiting_jobs() == ["lifecycle.follow_customer"]
