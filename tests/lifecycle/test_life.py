"""From a subscription in Stripe to a working tenant, over real HTTP with real signatures."""

from collections.abc import Callable

from apps.plans import selectors as plans
from apps.tenants.models import Tenant
from tests.support.vendor import Vendor
from tests.support.working import failed_jobs


def settle(vendor: Vendor, drain: Callable[[], None]) -> None:
    """Deliver every pending event and do every job."""
    answers = vendor.standin.deliver()
    assert {answer["status"] for answer in answers} <= {200}
    drain()
    if vendor.standin.pending_events():
        settle(vendor, drain)
    assert failed_jobs() == []


def test_a_subscription_whose_metadata_is_edited_later_becomes_a_tenant(
    vendor: Vendor, drain: Callable[[], None]
) -> None:
    subscription = vendor.subscribe(vendor.customer(), vendor.price())
    settle(vendor, drain)
    assert not Tenant.objects.exists()

    vendor.edit_metadata(subscription, tenant_id="acme")
    settle(vendor, drain)

    tenant = Tenant.objects.get(tenant_id="acme")
    assert (tenant.state, tenant.provisioning, tenant.name) == ("approved", "ready", "Acme Ltd")
    assert {each.entity: each.limit for each in plans.limits(tenant)} == {
        "applications": 5,
        "clients": None,
        "end-devices": None,
        "gateways": None,
        "organizations": None,
        "users": 3,
    }
