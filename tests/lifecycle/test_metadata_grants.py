"""A price grants what only its metadata names, and a tenant on it has that."""

from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from apps.accounts.models import User
from apps.audit.models import Alert
from apps.entitlements import facade
from apps.entitlements.errors import LimitReached
from apps.entitlements.limiting.admitting import first_administrator
from apps.plans.catalogue import define_feature, publish_plan, set_default_plan
from apps.plans.models import PlanVersion
from apps.plans.resolution import Grant
from apps.tenants import context
from apps.tenants.models import Tenant
from tests.factories import NOW, SOMEBODY, make_member, make_tenant
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


def test_a_grant_that_fits_nothing_keeps_nobody_out(vendor: Vendor, settle: Settle) -> None:
    price = vendor.price(limits={"max-users": "3"})
    vendor.subscribe(vendor.customer(), price, metadata={"tenant-id": "acme"})
    settle()
    vendor.client.v1.prices.update(
        price, {"metadata": {"max-users": "4", "tenantry-grant-gateways": "unlimited/month"}}
    )
    settle()
    assert "what exists does not start anew with every month" in Alert.objects.open().get().message
    assert check("users") == (True, 3)


@pytest.mark.parametrize("limits", [{"max-users": "0"}, {"max-gateways": "5", "tenantry-add-on": "true"}])
def test_who_may_have_no_users_has_the_first_administrator_alone(
    vendor: Vendor, settle: Settle, limits: dict[str, str]
) -> None:
    vendor.subscribe(vendor.customer(), vendor.price(limits=limits), metadata={"tenant-id": "acme"})
    settle()
    assert not Alert.objects.open().exists()
    tenant = Tenant.objects.get()
    assert tenant.provisioning == "ready"
    with context.enter(tenant):
        assert [each.username for each in User.objects.all()] == ["acme"]
    assert check("users") == (False, 0)
    with pytest.raises(LimitReached):
        make_member(tenant)
    with pytest.raises(LimitReached), context.enter(tenant):
        User.objects.bulk_create([User(username="max", email="max@acme.example")])


def test_letting_the_first_administrator_in_lets_no_second_one_in(db: None) -> None:
    publish_plan(key="free", grants={"users": Grant(limit=0)}, actor=SOMEBODY, now=NOW)
    set_default_plan(key="free", actor=SOMEBODY, now=NOW)
    tenant = make_tenant()
    with first_administrator(tenant), pytest.raises(LimitReached):
        make_member(tenant)
    with context.enter(tenant):
        User.objects.all().delete()
    with first_administrator(make_tenant("beta")), pytest.raises(LimitReached):
        make_member(tenant)
    with pytest.raises(LimitReached):
        make_member(tenant)
    with first_administrator(tenant):
        make_member(tenant)
