"""From a subscription in Stripe to a working tenant, over real HTTP with real signatures."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine

from apps.audit.models import Alert, Entry
from apps.billing.models import Event
from apps.core.actors import CLOCK
from apps.lifecycle import tasks
from apps.lifecycle.reconciling import reconcile
from apps.plans import selectors as plans
from apps.plans.models import Subscription
from apps.tenants.models import Tenant
from tests.support.vendor import Vendor
from tests.support.working import failed_jobs

Settle = Callable[[], None]


def limits_of(tenant: Tenant) -> dict[str, int | None]:
    return {each.entity: each.limit for each in plans.limits(tenant, now=datetime.now(UTC))}


def the_tenant(tenant_id: str = "acme") -> Tenant:
    return Tenant.objects.get(tenant_id=tenant_id)


def state_of(tenant_id: str = "acme") -> tuple[str, str]:
    tenant = the_tenant(tenant_id)
    return tenant.state, tenant.state_description


def test_the_whole_life_of_a_tenant(vendor: Vendor, settle: Settle) -> None:
    starter = vendor.price(name="Starter", limits={"max-applications": "5", "max-users": "3"})
    business = vendor.price(name="Business", limits={"max-applications": "50"})
    customer = vendor.customer()
    subscription = vendor.subscribe(customer, starter)
    settle()
    assert not Tenant.objects.exists()
    assert Subscription.objects.get(pk=subscription).outcome == Subscription.Outcome.WAITING
    assert Alert.objects.open().get().code == "tenant_id_missing"

    vendor.edit_metadata(subscription, tenant_id="acme")
    settle()
    assert state_of() == ("approved", "")
    assert the_tenant().provisioning == "ready"
    assert limits_of(the_tenant())["applications"] == 5
    assert limits_of(the_tenant())["gateways"] is None
    assert not Alert.objects.open().exists()

    vendor.change_price(subscription, business)
    settle()
    assert limits_of(the_tenant())["applications"] == 50
    assert limits_of(the_tenant())["users"] is None

    vendor.standin.move_subscription(subscription, "past_due")
    settle()
    assert state_of() == ("flagged", "Stripe subscription past due")

    vendor.standin.move_subscription(subscription, "active")
    settle()
    assert state_of() == ("approved", "")

    schema = the_tenant().schema_name
    vendor.cancel(subscription)
    settle()
    assert state_of() == ("suspended", "Stripe subscription ended")
    assert (the_tenant().schema_name, the_tenant().provisioning) == (schema, "ready")

    vendor.subscribe(customer, starter)
    settle()
    assert state_of() == ("approved", "")
    assert limits_of(the_tenant())["applications"] == 5
    assert the_tenant().schema_name == schema


def test_past_due_for_21_days_suspends_by_the_clock_alone(vendor: Vendor, settle: Settle) -> None:
    subscription = vendor.subscribe(vendor.customer(), vendor.price(), metadata={"tenant-id": "acme"})
    settle()
    vendor.standin.move_subscription(subscription, "past_due")
    settle()
    tenant = the_tenant()
    deadline = tenant.next_reconcile_at
    assert deadline is not None

    assert not reconcile(tenant=tenant, actor=CLOCK, now=deadline - timedelta(seconds=1))
    assert state_of()[0] == "flagged"
    reconcile(tenant=tenant, actor=CLOCK, now=deadline)
    assert state_of() == ("suspended", "Stripe subscription past due for more than 21 days")

    vendor.standin.move_subscription(subscription, "active")
    settle()
    assert state_of() == ("approved", "")


def test_the_days_of_grace_are_a_setting(vendor: Vendor, settle: Settle, settings: Any) -> None:
    settings.TENANTRY_PAST_DUE_DAYS = 3
    subscription = vendor.subscribe(vendor.customer(), vendor.price(), metadata={"tenant-id": "acme"})
    now = datetime.now(UTC)
    vendor.standin.move_subscription(subscription, "past_due", at=int((now - timedelta(days=3)).timestamp()))
    settle()
    assert state_of() == ("suspended", "Stripe subscription past due for more than 3 days")


def test_the_minutes_job_takes_up_tenants_whose_time_has_come(
    vendor: Vendor, settle: Settle, drain: Callable[[], None]
) -> None:
    subscription = vendor.subscribe(vendor.customer(), vendor.price(), metadata={"tenant-id": "acme"})
    settle()
    vendor.standin.move_subscription(subscription, "past_due")
    settle()

    with time_machine.travel(datetime.now(UTC) + timedelta(days=22), tick=False):
        tasks.every_minute_job()
        drain()

    assert state_of()[0] == "suspended"
    assert Entry.objects.filter(action="tenant.state_changed").first().actor_kind == "clock"


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ("trialing", ("approved", "")),
        ("unpaid", ("suspended", "Stripe subscription unpaid")),
        ("paused", ("suspended", "Stripe subscription paused")),
        ("incomplete_expired", ("suspended", "Stripe subscription ended")),
    ],
)
def test_every_other_status(vendor: Vendor, settle: Settle, status: str, expected: tuple[str, str]) -> None:
    subscription = vendor.subscribe(vendor.customer(), vendor.price(), metadata={"tenant-id": "acme"})
    settle()
    vendor.standin.move_subscription(subscription, status)
    settle()
    assert state_of() == expected


def test_an_incomplete_subscription_creates_nothing(vendor: Vendor, settle: Settle) -> None:
    subscription = vendor.subscribe(
        vendor.customer(), vendor.price(), metadata={"tenant-id": "acme"}, payment_behavior="default_incomplete"
    )
    settle()
    assert not Tenant.objects.exists()
    assert Subscription.objects.get(pk=subscription).outcome == Subscription.Outcome.INCOMPLETE


def test_a_subscription_to_be_cancelled_stays_approved_until_it_ends(vendor: Vendor, settle: Settle) -> None:
    subscription = vendor.subscribe(vendor.customer(), vendor.price(), metadata={"tenant-id": "acme"})
    vendor.client.v1.subscriptions.update(subscription, {"cancel_at_period_end": True})
    settle()
    assert state_of() == ("approved", "")
    ends_at = the_tenant().next_reconcile_at
    assert ends_at is not None

    reconcile(tenant=the_tenant(), actor=CLOCK, now=ends_at)
    assert state_of() == ("suspended", "Stripe subscription ended")


def test_of_two_subscriptions_the_better_state_and_the_more_generous_limits_win(vendor: Vendor, settle: Settle) -> None:
    customer = vendor.customer()
    small = vendor.price(name="Small", limits={"max-applications": "5", "max-users": "9"})
    large = vendor.price(name="Large", limits={"max-applications": "50", "max-users": "2"})
    failing = vendor.price(name="Failing", limits={"max-applications": "999"})
    vendor.subscribe(customer, small, metadata={"tenant-id": "acme"})
    vendor.subscribe(customer, large)
    past_due = vendor.subscribe(customer, failing)
    vendor.standin.move_subscription(past_due, "past_due")
    settle()

    assert state_of() == ("approved", "")
    assert limits_of(the_tenant())["applications"] == 50
    assert limits_of(the_tenant())["users"] == 9


def test_a_changed_price_metadata_reaches_its_living_tenants(vendor: Vendor, settle: Settle) -> None:
    price = vendor.price(limits={"max-applications": "5"})
    vendor.subscribe(vendor.customer(), price, metadata={"tenant-id": "acme"})
    settle()
    version = the_tenant().entitlements_version

    vendor.client.v1.prices.update(price, {"metadata": {"max-applications": "7", "max-robots": "2"}})
    settle()

    assert limits_of(the_tenant()) | {"applications": 7, "robots": 2} == limits_of(the_tenant())
    assert [held.ref for held in plans.held_plans(the_tenant(), now=datetime.now(UTC))] == ["plan:starter@2"]
    assert the_tenant().entitlements_version > version


def test_a_malformed_limit_is_refused_and_the_last_good_ones_stay(vendor: Vendor, settle: Settle) -> None:
    price = vendor.price(limits={"max-applications": "5"})
    vendor.subscribe(vendor.customer(), price, metadata={"tenant-id": "acme"})
    settle()

    for value in ("abc", "-1", "1.5", " ", "9223372036854775808", "1e3", "०"):
        vendor.client.v1.prices.update(price, {"metadata": {"max-applications": value, "max-users": "1"}})
        settle()

        assert limits_of(the_tenant())["applications"] == 5
        assert limits_of(the_tenant())["users"] is None
        alert = Alert.objects.open().get(code="price_limit_malformed")
        assert alert.subject == f"price:{price}"
        assert "max-applications" in alert.message
        assert repr(value) in alert.message

    vendor.client.v1.prices.update(price, {"metadata": {"max-applications": "6"}})
    settle()
    assert limits_of(the_tenant())["applications"] == 6
    assert not Alert.objects.open().exists()


def test_a_price_without_any_valid_limits_makes_no_tenant_until_it_is_mended(vendor: Vendor, settle: Settle) -> None:
    price = vendor.price(limits={"max-applications": "many"})
    vendor.subscribe(vendor.customer(), price, metadata={"tenant-id": "acme"})
    settle()
    assert not Tenant.objects.exists()
    assert {alert.code for alert in Alert.objects.open()} == {"price_limit_malformed", "subscription_without_limits"}

    vendor.client.v1.prices.update(price, {"metadata": {"max-applications": "3"}})
    settle()
    assert limits_of(the_tenant())["applications"] == 3
    assert not Alert.objects.open().exists()


def test_a_price_that_is_not_managed_is_ignored_visibly_until_it_is(
    vendor: Vendor, settle: Settle, settings: Any
) -> None:
    price = vendor.price(managed=False)
    subscription = vendor.subscribe(vendor.customer(), price, metadata={"tenant-id": "acme"})
    settle()
    assert not Tenant.objects.exists()
    seen = Subscription.objects.get(pk=subscription)
    assert seen.outcome == Subscription.Outcome.UNMANAGED
    assert price in seen.note

    settings.TENANTRY_METERED_PRICES = [price]
    vendor.edit_metadata(subscription, tenant_name="Acme")
    settle()
    assert state_of() == ("approved", "")


def test_moving_to_an_unmanaged_price_keeps_the_last_limits_with_an_alert(vendor: Vendor, settle: Settle) -> None:
    subscription = vendor.subscribe(vendor.customer(), vendor.price(), metadata={"tenant-id": "acme"})
    settle()
    vendor.change_price(subscription, vendor.price(name="Other", managed=False))
    settle()

    assert state_of() == ("approved", "")
    assert limits_of(the_tenant())["applications"] == 5
    assert Alert.objects.open().get().code == "price_not_managed"


def test_stripe_being_away_postpones_the_work(vendor: Vendor, drain: Callable[[], None]) -> None:
    vendor.subscribe(vendor.customer(), vendor.price(), metadata={"tenant-id": "acme"})
    tries = 3
    vendor.standin.fail("GET", "/v1/subscriptions", status=500, times=tries)
    vendor.standin.deliver()
    drain()
    assert not Tenant.objects.exists()
    assert failed_jobs() == []
    waiting = Event.objects.filter(state=Event.State.PENDING, work__startswith="customer:")
    assert {event.attempts for event in waiting} == {1}
    assert all("Stripe" in event.error for event in waiting)

    with time_machine.travel(datetime.now(UTC) + timedelta(minutes=3), tick=False):
        tasks.every_minute_job()
    drain()
    assert state_of() == ("approved", "")
    assert not Event.objects.filter(state=Event.State.PENDING).exists()


def test_a_burst_of_events_about_one_customer_costs_one_fetch(vendor: Vendor, drain: Callable[[], None]) -> None:
    subscription = vendor.subscribe(vendor.customer(), vendor.price(), metadata={"tenant-id": "acme"})
    for number in range(20):
        vendor.edit_metadata(subscription, note=str(number))
    vendor.standin.deliver()
    vendor.standin.clear_requests()
    drain()

    assert vendor.standin.requests().count("/v1/subscriptions") == 1
    assert state_of() == ("approved", "")


def test_the_audit_names_the_events_that_changed_a_tenant(vendor: Vendor, settle: Settle) -> None:
    subscription = vendor.subscribe(vendor.customer(), vendor.price(), metadata={"tenant-id": "acme"})
    settle()
    vendor.cancel(subscription)
    settle()
    event = Event.objects.get(type="customer.subscription.deleted")
    entry = Entry.objects.filter(action="tenant.state_changed").first()
    assert entry is not None
    assert (entry.actor_kind, entry.actor_label) == ("stripe", f"customer.subscription.deleted {event.event_id}")
    assert (entry.before["state"], entry.after["state"]) == ("approved", "suspended")

    for number in range(3):
        vendor.client.v1.customers.update(event.customer_id, {"name": f"Acme {number}"})
    settle()
    described = Entry.objects.filter(action="tenant.described").first()
    assert described is not None
    assert described.actor_label.startswith("customer.updated evt_")
    assert described.actor_label.endswith("and 2 more")


def test_a_customer_on_a_test_clock_lives_in_its_frozen_time(vendor: Vendor, settle: Settle) -> None:
    january = int(datetime(2027, 1, 1, tzinfo=UTC).timestamp())
    clock = vendor.client.v1.test_helpers.test_clocks.create({"frozen_time": january})
    customer = vendor.customer(test_clock=clock.id)
    subscription = vendor.subscribe(customer, vendor.price(), metadata={"tenant-id": "acme"})
    settle()
    vendor.standin.move_subscription(subscription, "past_due", at=january)
    settle()
    assert state_of() == ("flagged", "Stripe subscription past due")
    assert the_tenant().next_reconcile_at is None

    later = january + 22 * 24 * 3600
    vendor.client.v1.test_helpers.test_clocks.advance(clock.id, {"frozen_time": later})
    settle()
    assert state_of()[0] == "suspended"
