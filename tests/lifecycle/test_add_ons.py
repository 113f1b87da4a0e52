"""Add-ons bought in Stripe, and prices that name what is not counted."""

from collections.abc import Callable
from datetime import UTC, datetime

from apps.audit.models import Alert
from apps.plans import selectors as plans
from apps.plans.catalogue import define_feature
from apps.plans.models import PlanAssignment
from apps.plans.resolution import Entitlement
from apps.tenants.models import Tenant
from tests.factories import NOW, SOMEBODY
from tests.support.vendor import Vendor

Settle = Callable[[], None]


def gateways() -> Entitlement:
    return plans.entitlements(Tenant.objects.get(), now=datetime.now(UTC))["gateways"]


def test_an_add_on_is_added_times_its_quantity_and_gone_with_its_subscription(vendor: Vendor, settle: Settle) -> None:
    plan = vendor.price(name="Starter", limits={"max-gateways": "5"})
    more = vendor.price(name="More", limits={"max-gateways": "10", "tenantry-add-on": "true"})
    customer = vendor.customer()
    vendor.subscribe(customer, plan, metadata={"tenant-id": "acme"})
    extra = vendor.subscribe(customer, "", items=[{"price": more, "quantity": 3}])
    settle()
    with_it = datetime.now(UTC)
    assert (gateways().limit, gateways().source) == (35, "plan:starter@1 + plan:more@1")

    vendor.cancel(extra)
    settle()
    assert (gateways().limit, gateways().source) == (5, "plan:starter@1")
    assert plans.entitlements_at(Tenant.objects.get(), moment=with_it)["gateways"].limit == 35
    assert PlanAssignment.objects.present().count() == 1


def test_a_word_that_is_neither_true_nor_false_publishes_nothing(vendor: Vendor, settle: Settle) -> None:
    odd = vendor.price(limits={"max-gateways": "5", "tenantry-add-on": "yes"})
    vendor.subscribe(vendor.customer(), odd, metadata={"tenant-id": "acme"})
    settle()
    assert (
        "tenantry-add-on is 'yes', but it must be true or false"
        in Alert.objects.get(code="price_limit_malformed").message
    )


def test_a_price_that_limits_what_is_not_counted_is_told_and_publishes_nothing(vendor: Vendor, settle: Settle) -> None:
    define_feature(key="calls", kind="metered", actor=SOMEBODY, now=NOW)
    odd = vendor.price(limits={"max-calls": "5"})
    vendor.subscribe(vendor.customer(), odd, metadata={"tenant-id": "acme"})
    settle()
    assert "the feature calls is of the kind metered" in Alert.objects.get(code="price_limit_malformed").message
