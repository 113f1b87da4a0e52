"""The billing cycle through which a tenant holds its plan."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from apps.audit.models import Entry
from apps.core.periods import Unit
from apps.lifecycle.services import preview, rebind_customer
from apps.plans import selectors as plans
from apps.plans.models import PlanAssignment
from apps.plans.recurring import recurrence_of
from apps.plans.terms import Cycle
from apps.tenants.models import Tenant
from tests.factories import SOMEBODY
from tests.support.vendor import Vendor

Settle = Callable[[], None]


def the_tenant() -> Tenant:
    return Tenant.objects.get()


def held() -> PlanAssignment:
    return PlanAssignment.objects.present().get()


def anchor_of(vendor: Vendor, subscription: str) -> datetime:
    return datetime.fromtimestamp(vendor.client.v1.subscriptions.retrieve(subscription).billing_cycle_anchor, UTC)


def test_it_is_that_of_the_subscription_and_of_the_items_price(vendor: Vendor, settle: Settle) -> None:
    annual = vendor.price(interval="year")
    subscription = vendor.subscribe(vendor.customer(), annual, metadata={"tenant-id": "acme"}, trial_period_days=14)
    settle()
    anchor = anchor_of(vendor, subscription)
    assert anchor > datetime.now(UTC) + timedelta(days=13)
    assert held().cycle == Cycle(anchor, Unit.YEAR)
    users = plans.entitlements(the_tenant(), now=datetime.now(UTC))["users"]
    assert users.cycle == held().cycle
    assert recurrence_of(users, since=the_tenant().created_at).unit == Unit.NEVER


def test_another_anchor_alone_is_written_and_what_was_is_kept(vendor: Vendor, settle: Settle) -> None:
    subscription = vendor.subscribe(
        vendor.customer(), vendor.price(), metadata={"tenant-id": "acme"}, trial_period_days=14
    )
    settle()
    before, version = held(), the_tenant().entitlements_version
    vendor.client.v1.subscriptions.update(subscription, {"trial_end": "now"})
    settle()

    assert held().cycle == Cycle(anchor_of(vendor, subscription))
    assert held().cycle != before.cycle
    assert held().version_id == before.version_id
    assert PlanAssignment.objects.get(pk=before.pk).valid_to == held().valid_from
    assert the_tenant().entitlements_version > version
    entry = Entry.objects.filter(action="tenant.plans_changed").first()
    assert entry is not None
    (told,) = entry.after["billing_cycles"]
    assert told == f"{held().item_id} every month from {held().anchor_at:%Y-%m-%d %H:%M:%S} UTC"


def test_a_plan_held_since_before_cycles_were_kept_gets_its_own_with_the_next_look(
    vendor: Vendor, settle: Settle
) -> None:
    customer = vendor.customer()
    subscription = vendor.subscribe(customer, vendor.price(), metadata={"tenant-id": "acme"})
    settle()
    PlanAssignment.objects.update(anchor_at=None, interval="")
    now = datetime.now(UTC)
    assert [each.field for each in preview(tenant=the_tenant(), now=now).changes] == ["billing_cycles"]
    rebind_customer(customer_id=customer, actor=SOMEBODY, clock=lambda: now)
    assert held().cycle == Cycle(anchor_of(vendor, subscription))
    assert not preview(tenant=the_tenant(), now=now)
