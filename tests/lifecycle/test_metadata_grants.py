"""A price grants what only its metadata names, and a tenant on it has that."""

from collections.abc import Callable
from datetime import UTC, datetime

from apps.audit.models import Alert
from apps.entitlements import facade
from apps.plans.catalogue import define_feature
from apps.plans.models import PlanVersion
from apps.tenants.models import Tenant
from tests.factories import SOMEBODY
from tests.support.vendor import Vendor

Settle = Callable[[], None]


def define(key: str, kind: str) -> None:
    define_feature(key=key, kind=kind, actor=SOMEBODY, now=datetime.now(UTC))


def check(feature: str) -> tuple[bool, int | None]:
    decision = facade.check(tenant=Tenant.objects.get(), feature=feature, now=datetime.now(UTC))
    return decision.has_access, decision.limit


def test_a_grant_reaches_the_tenant_also_when_its_feature_is_defined_afterwards(vendor: Vendor, settle: Settle) -> None:
    define("calls", "metered")
    granted = {"max-users": "3", "tenantry-grant-calls": "10/month"}
    price = vendor.price(limits=granted)
    vendor.subscribe(vendor.customer(), price, metadata={"tenant-id": "acme"})
    settle()
    assert check("calls") == (True, 10)

    vendor.client.v1.prices.update(
        price, {"metadata": {"tenantry-grant-calls": "20/month", "tenantry-grant-sso": "on"}}
    )
    settle()
    assert "tenantry-grant-sso is 'on', but it cannot be granted: there is no feature 'sso'" in (
        Alert.objects.open().get().message
    )
    assert check("calls") == (True, 10)

    define("sso", "switch")
    settle()
    assert not Alert.objects.open().exists()
    assert (check("sso"), check("calls")) == ((True, None), (True, 20))
    assert PlanVersion.objects.count() == 2
