"""Ways in which a tenant could go wrong at the seams of two flows."""

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.db import connection, transaction

from apps.accounts.models import User
from apps.audit.models import Alert, Entry
from apps.billing import mirror
from apps.billing import services as billing
from apps.billing.models import Event
from apps.core.actors import CLOCK, Actor
from apps.lifecycle import provisioning, services, sweeping, tasks
from apps.lifecycle.difference import difference
from apps.lifecycle.reconciling import reconcile
from apps.plans import selectors as plans
from apps.plans import services as plan_services
from apps.plans.models import PlanAssignment, PlanVersion, Subscription
from apps.tenants import context
from apps.tenants.models import Provisioning, Tenant
from tests.factories import SOMEBODY, make_tenant
from tests.support.vendor import Vendor
from tests.support.waiting import wait_until_somebody_waits_for_a_lock
from tests.support.working import failed_jobs

Settle = Callable[[], None]
STRIPE = Actor.stripe(customer_id="test")
PASSWORD = "tr0ub4dor&3-very-secret"


def now() -> datetime:
    return datetime.now(UTC)


def limit(tenant_id: str, entity: str = "users") -> int | None:
    tenant = Tenant.objects.get(tenant_id=tenant_id)
    return next(each.limit for each in plans.limits(tenant, now=now()) if each.entity == entity)


class TestPasswords:
    def test_one_that_waited_for_its_price_to_be_managed_is_used(self, vendor: Vendor, settle: Settle) -> None:
        price = vendor.price(managed=False)
        subscription = vendor.subscribe(
            vendor.customer(), price, metadata={"tenant-id": "acme", "admin-password": PASSWORD}
        )
        settle()
        services.manage_price(price_id=price, group="recurring", actor=SOMEBODY, now=now())
        settle()
        with context.enter(Tenant.objects.get()):
            assert User.objects.get().check_password(PASSWORD)
        assert "admin-password" not in vendor.metadata_of(subscription)

    def test_one_of_a_subscription_that_came_to_nothing_is_removed(self, vendor: Vendor, settle: Settle) -> None:
        subscription = vendor.subscribe(
            vendor.customer(),
            vendor.price(),
            metadata={"tenant-id": "acme", "admin-password": PASSWORD},
            payment_behavior="default_incomplete",
        )
        vendor.standin.move_subscription(subscription, "incomplete_expired")
        settle()
        assert "admin-password" not in vendor.metadata_of(subscription)

    def test_a_key_that_may_not_remove_it_raises_an_alert_and_stops_nothing(
        self, vendor: Vendor, settle: Settle
    ) -> None:
        subscription = vendor.subscribe(
            vendor.customer(), vendor.price(), metadata={"tenant-id": "acme", "admin-password": PASSWORD}
        )
        vendor.standin.fail("POST", f"/v1/subscriptions/{subscription}", status=403)
        settle()
        assert Tenant.objects.get().provisioning == "ready"
        assert not Event.objects.filter(state=Event.State.PENDING).exists()
        assert [alert.code for alert in Alert.objects.open()] == ["password_left_in_stripe"]

        vendor.edit_metadata(subscription, note="again")
        settle()
        assert not Alert.objects.open().exists()


class TestPublishing:
    def test_a_version_published_by_one_customers_job_reaches_all_others(self, vendor: Vendor, settle: Settle) -> None:
        price = vendor.price(limits={"max-users": "5"})
        first, second = vendor.customer(), vendor.customer()
        vendor.subscribe(first, price, metadata={"tenant-id": "first"})
        vendor.subscribe(second, price, metadata={"tenant-id": "second"})
        settle()
        vendor.client.v1.prices.update(price, {"metadata": {"max-users": "7"}})
        vendor.standin.drop()

        billing.refresh_price(price)
        services.rebind_customer(customer_id=first, actor=STRIPE, clock=now)
        settle()
        assert (limit("first"), limit("second")) == (7, 7)

    def test_whoever_waited_to_publish_reads_the_price_anew(self, vendor: Vendor, settle: Settle) -> None:
        price = vendor.price(limits={"max-users": "5"})
        vendor.subscribe(vendor.customer(), price, metadata={"tenant-id": "acme"})
        settle()
        vendor.client.v1.prices.update(price, {"metadata": {"max-users": "7"}})
        waiter = threading.Thread(target=self._publish, args=(price,))
        with transaction.atomic():
            plan_services.lock_until_commit("plans.publish")
            waiter.start()
            wait_until_somebody_waits_for_a_lock()
            mirror.store_price(self._fetched(vendor, price))
            services.publish_prices({price}, now=now())
        waiter.join(20)
        assert PlanVersion.objects.count() == 2
        settle()
        assert limit("acme") == 7

    def _publish(self, price: str) -> None:
        try:
            services.publish_prices({price}, now=now())
        finally:
            connection.close()

    def _fetched(self, vendor: Vendor, price: str) -> dict[str, Any]:
        fetched: dict[str, Any] = vendor.client.v1.prices.retrieve(price, {"expand": ["product"]}).to_dict()
        return fetched


class TestClaims:
    def test_a_cancelled_claim_yields_to_a_living_one(self, vendor: Vendor, settle: Settle) -> None:
        price = vendor.price()
        wrong = vendor.subscribe(vendor.customer(name="Wrong"), price, metadata={"tenant-id": "acme"})
        vendor.cancel(wrong)
        vendor.subscribe(vendor.customer(name="Right"), price, metadata={"tenant-id": "acme"})
        settle()
        tenant = Tenant.objects.get()
        assert (tenant.name, tenant.state, tenant.provisioning) == ("Right", "approved", "ready")
        assert Subscription.objects.get(pk=wrong).outcome == Subscription.Outcome.REFUSED
        assert not Alert.objects.open().exists()

    def test_a_cancelled_claim_does_not_take_a_tenant_made_by_hand(self, vendor: Vendor, settle: Settle) -> None:
        make_tenant("acme")
        subscription = vendor.subscribe(vendor.customer(), vendor.price(), metadata={"tenant-id": "acme"})
        vendor.cancel(subscription)
        settle()
        assert Tenant.objects.get().state == "approved"

    def test_a_living_claim_brings_a_tenant_made_by_hand_its_customer(self, vendor: Vendor, settle: Settle) -> None:
        made = make_tenant("acme")
        customer = vendor.customer()
        vendor.subscribe(customer, vendor.price(limits={"max-users": "3"}), metadata={"tenant-id": "acme"})
        settle()
        tenant = Tenant.objects.get()
        assert (tenant.pk, tenant.stripe_customer_id, tenant.name) == (made.pk, customer, "Acme")
        assert limit("acme") == 3

    @pytest.mark.parametrize(
        ("metadata", "email", "administrator"),
        [
            ({"admin-user": "Ann Example"}, "ann@acme.example", ("acme", "ann@acme.example")),
            ({"admin-user": "ann"}, "ann@acme", ("ann", "")),
            ({"admin-user": "x" * 151}, "", ("acme", "")),
        ],
    )
    def test_an_impossible_administrator_does_not_keep_a_customer_from_their_tenant(
        self,
        vendor: Vendor,
        settle: Settle,
        metadata: dict[str, str],
        email: str,
        administrator: tuple[str, str],
    ) -> None:
        customer = vendor.customer(email=email) if email else vendor.customer(email="ann@acme")
        subscription = vendor.subscribe(customer, vendor.price(), metadata={"tenant-id": "acme", **metadata})
        settle()
        with context.enter(Tenant.objects.get()):
            user = User.objects.get()
        assert (user.username, user.email) == administrator
        alert = Alert.objects.open().get()
        assert (alert.code, alert.subject) == ("administrator_unusable", f"subscription:{subscription}")
        assert "tenant_link acme" in alert.message

    def test_a_full_name_that_is_too_long_is_shortened(self, vendor: Vendor, settle: Settle) -> None:
        name = "Ann " * 60
        vendor.subscribe(vendor.customer(), vendor.price(), metadata={"tenant-id": "acme", "admin-full-name": name})
        settle()
        with context.enter(Tenant.objects.get()):
            assert len(User.objects.get().full_name) <= 200
        assert not Alert.objects.open().exists()

    def test_alerts_of_a_subscription_end_with_it(self, vendor: Vendor, settle: Settle) -> None:
        price = vendor.price()
        refused = vendor.subscribe(vendor.customer(), price, metadata={"tenant-id": "admin"})
        moved = vendor.subscribe(vendor.customer(), price, metadata={"tenant-id": "acme"})
        settle()
        vendor.change_price(moved, vendor.price(name="Other", managed=False))
        settle()
        assert Alert.objects.open().count() == 2

        vendor.cancel(refused)
        vendor.cancel(moved)
        settle()
        assert not Alert.objects.open().exists()


class TestPlans:
    def test_unmanaging_one_of_two_prices_keeps_both_limits(self, vendor: Vendor, settle: Settle) -> None:
        customer = vendor.customer()
        big = vendor.price(name="Big", limits={"max-users": "100"})
        small = vendor.price(name="Small", limits={"max-users": "3"})
        vendor.subscribe(customer, big, metadata={"tenant-id": "acme"})
        vendor.subscribe(customer, small)
        settle()
        services.unmanage_price(price_id=big, actor=SOMEBODY, now=now())
        settle()
        assert limit("acme") == 100

    def test_an_item_without_valid_limits_does_not_hold_up_the_others(self, vendor: Vendor, settle: Settle) -> None:
        good = vendor.price(name="Good", limits={"max-users": "3"})
        bad = vendor.price(name="Bad", limits={"max-users": "many"})
        better = vendor.price(name="Better", limits={"max-users": "30"})
        subscription = vendor.subscribe(vendor.customer(), good, metadata={"tenant-id": "acme"})
        settle()
        vendor.client.v1.subscriptions.update(subscription, {"items": [{"price": bad}]})
        settle()
        assert limit("acme") == 3

        items = vendor.client.v1.subscriptions.retrieve(subscription)["items"].data
        first = next(item.id for item in items if item.price.id == good)
        vendor.client.v1.subscriptions.update(subscription, {"items": [{"id": first, "price": better}]})
        settle()
        assert limit("acme") == 30
        assert PlanAssignment.objects.present().count() == 1


class TestTime:
    def test_a_sweep_that_began_earlier_does_not_turn_the_clock_back(self, vendor: Vendor, settle: Settle) -> None:
        subscription = vendor.subscribe(vendor.customer(), vendor.price(), metadata={"tenant-id": "acme"})
        settle()
        vendor.standin.move_subscription(subscription, "past_due")
        settle()
        deadline = Tenant.objects.get().next_reconcile_at
        assert deadline is not None
        moments = iter([deadline - timedelta(seconds=1), *[deadline] * 50])
        reconcile(tenant=Tenant.objects.get(), actor=CLOCK, now=deadline)

        sweeping.mirror_account(clock=lambda: next(moments))
        assert Tenant.objects.get().state == "suspended"

    def test_the_difference_tells_of_a_welcome_that_is_not_sent(self, transactional_db: None, settings: Any) -> None:
        settings.EMAIL_BACKEND = "nowhere.Backend"
        tenant = make_tenant("acme")
        assert [str(change) for change in difference(tenant, now=now()).changes] == ["welcome: not sent → sent"]


class TestTrouble:
    def test_one_customer_nobody_anticipated_does_not_end_the_sweep(
        self, vendor: Vendor, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        price = vendor.price()
        for name in ("first", "second", "third"):
            vendor.subscribe(vendor.customer(name=name), price, metadata={"tenant-id": name})
        vendor.standin.drop()
        real, calls = services.follow_customer, []

        def broken(**given: Any) -> Any:
            calls.append(given)
            if len(calls) == 1:
                raise KeyError("surprise")
            return real(**given)

        monkeypatch.setattr(services, "follow_customer", broken)
        sweep = sweeping.mirror_account(clock=now)
        assert Tenant.objects.count() == 2
        assert list(sweep.errors.values()) == ["KeyError: 'surprise'"]

    def test_a_key_that_may_not_list_events_sweeps_all_the_same_and_the_night_tells(
        self, vendor: Vendor, settle: Settle
    ) -> None:
        vendor.subscribe(vendor.customer(), vendor.price(), metadata={"tenant-id": "acme"})
        vendor.standin.drop()
        vendor.standin.fail("GET", "/v1/events", status=403)
        sweeping.nightly(clock=now)
        assert Tenant.objects.count() == 1
        assert Alert.objects.open().get().code == "sweep_failed"

        sweeping.nightly(clock=now)
        assert not Alert.objects.open().exists()

    def test_a_deleted_product_leaves_nothing_pending(self, vendor: Vendor, settle: Settle) -> None:
        product = vendor.client.v1.products.create({"name": "Gone"})
        vendor.client.v1.products.delete(product.id)
        settle()
        assert not Event.objects.filter(state=Event.State.PENDING).exists()

    def test_work_that_fails_again_and_again_raises_an_alert_that_clears_itself(
        self, vendor: Vendor, settle: Settle, drain: Callable[[], None]
    ) -> None:
        customer = vendor.customer()
        vendor.standin.deliver()
        for hours in range(5):
            vendor.standin.fail("GET", "^/v1/subscriptions$", status=403)
            with time_machine.travel(now() + timedelta(hours=2 * hours + 1), tick=False):
                tasks.every_minute_job()
                drain()
        assert Alert.objects.open().get(code="stripe_work_stuck").subject == f"customer:{customer}"

        with time_machine.travel(now() + timedelta(hours=20), tick=False):
            tasks.every_minute_job()
            drain()
        assert not Alert.objects.open().filter(code="stripe_work_stuck").exists()

    def test_a_crash_before_the_account_is_stored_is_mended_by_the_next_start(
        self, vendor: Vendor, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with monkeypatch.context() as crash:
            crash.setattr(mirror, "store_account", lambda account: (_ for _ in ()).throw(SystemExit))
            with pytest.raises(SystemExit):
                billing.verify_account(now=now())
        billing.verify_account(now=now())
        assert mirror._account() is not None

    def test_a_failed_provisioning_is_tried_every_quarter_of_an_hour(
        self, vendor: Vendor, settle: Settle, drain: Callable[[], None], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        vendor.subscribe(vendor.customer(), vendor.price(), metadata={"tenant-id": "acme"})

        def broken(tenant: Tenant) -> None:
            raise RuntimeError("no such host")

        monkeypatch.setitem(provisioning.STEPS, "domain", broken)
        vendor.standin.deliver()
        drain()
        assert Tenant.objects.get().provisioning == Provisioning.FAILED
        start = now()
        for minute in range(1, 60):
            with time_machine.travel(start + timedelta(minutes=minute), tick=False):
                tasks.every_minute_job()
                drain()
        assert len(failed_jobs()) <= 8
        assert Alert.objects.open().get().code == "provisioning_failed"
        assert Entry.objects.filter(action="tenant.provisioned").count() == 0
