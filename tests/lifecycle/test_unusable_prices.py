"""Prices that entitle to nothing: an alert names price and subscription, and the last good entitlements stay."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from djstripe import models as djstripe

from apps.audit.models import Alert
from apps.lifecycle.services import rebind_customer
from apps.plans import selectors as plans
from apps.plans.models import Subscription
from apps.tenants.models import Tenant
from tests.factories import SOMEBODY
from tests.support.vendor import Vendor

Settle = Callable[[], None]
STARTER = {"users": 3, "applications": 5}


@pytest.fixture
def customer(vendor: Vendor) -> str:
    return vendor.customer()


@pytest.fixture
def acme(vendor: Vendor, settle: Settle, customer: str) -> str:
    """The subscription of a tenant on Starter."""
    subscription = vendor.subscribe(customer, vendor.price(), metadata={"tenant-id": "acme"})
    settle()
    assert limits() == STARTER
    return subscription


def limits() -> dict[str, int]:
    found = plans.limits(Tenant.objects.get(), now=datetime.now(UTC))
    return {each.entity: each.limit for each in found if each.limit is not None}


def alerts() -> list[tuple[str, str]]:
    return sorted(Alert.objects.open().values_list("code", "subject"))


def add_item(vendor: Vendor, subscription: str, price: str) -> str:
    given: Any = {"subscription": subscription, "price": price}
    return str(vendor.client.v1.subscription_items.create(given).id)


def make_metered(price: str, *, counts_by: str | None) -> None:
    """Stripe makes no such price any more, and has those there are."""
    row = djstripe.Price.objects.get(id=price)
    row.stripe_data["recurring"] |= {"usage_type": "metered", "meter": counts_by}
    row.save(update_fields=["stripe_data"])


def look_again(customer: str) -> None:
    rebind_customer(customer_id=customer, actor=SOMEBODY, clock=lambda: datetime.now(UTC))


class TestNoValidLimits:
    def test_moving_to_one_keeps_the_last_good_ones_until_it_is_mended(
        self, vendor: Vendor, settle: Settle, acme: str
    ) -> None:
        odd = vendor.price(name="Odd", limits={"max-users": "many"})
        vendor.change_price(acme, odd)
        settle()
        assert limits() == STARTER
        told = Alert.objects.open().get(code="subscription_without_limits")
        assert told.subject == f"subscription:{acme}"
        assert odd in told.message
        assert acme in told.message

        vendor.client.v1.prices.update(odd, {"metadata": {"max-users": "7"}})
        settle()
        assert limits() == {"users": 7}
        assert alerts() == []


class TestNotManaged:
    def test_an_item_that_replaces_another_takes_nothing_away(self, vendor: Vendor, settle: Settle, acme: str) -> None:
        other = vendor.price(name="Other", limits={"max-users": "99"}, managed=False)
        (before,) = vendor.client.v1.subscriptions.retrieve(acme)["items"].data
        add_item(vendor, acme, other)
        vendor.client.v1.subscription_items.delete(before.id)
        settle()
        assert limits() == STARTER
        assert alerts() == [("price_not_managed", f"subscription:{acme}")]

        vendor.manage(other)
        vendor.client.v1.prices.update(other, {"nickname": "Known"})
        vendor.edit_metadata(acme, any="thing")
        settle()
        assert limits() == {"users": 99}
        assert alerts() == []

    def test_beside_a_plan_it_grants_nothing_and_is_told(self, vendor: Vendor, settle: Settle, acme: str) -> None:
        support = vendor.price(name="Support", limits={}, managed=False)
        add_item(vendor, acme, support)
        settle()
        assert limits() == STARTER
        assert support in Alert.objects.open().get(code="price_not_managed").message

    def test_a_meter_that_only_bills_what_was_used_of_a_plan_is_nobodys_concern(
        self, vendor: Vendor, settle: Settle, acme: str, customer: str
    ) -> None:
        billed = vendor.price(name="Calls", limits={}, managed=False)
        add_item(vendor, acme, billed)
        settle()
        make_metered(billed, counts_by="mtr_1")
        look_again(customer)
        assert (limits(), alerts()) == (STARTER, [])


class TestLegacy:
    """Metered by usage records, which Stripe no longer takes: such a price grants nothing new."""

    def test_a_tenant_keeps_what_it_had_with_an_alert(
        self, vendor: Vendor, settle: Settle, acme: str, customer: str
    ) -> None:
        legacy = vendor.price(name="Legacy", limits={"max-users": "99"}, managed=False)
        vendor.change_price(acme, legacy)
        settle()
        make_metered(legacy, counts_by=None)
        vendor.manage(legacy)
        look_again(customer)
        assert limits() == STARTER
        told = Alert.objects.open().get(code="price_legacy")
        assert told.subject == f"subscription:{acme}"
        assert "usage records" in told.message
        assert legacy in told.message

        make_metered(legacy, counts_by="mtr_1")
        look_again(customer)
        assert (limits(), alerts()) == ({"users": 99}, [])

    def test_it_makes_no_tenant(self, vendor: Vendor, settle: Settle, customer: str) -> None:
        legacy = vendor.price(name="Legacy", limits={"max-users": "99"}, managed=False)
        subscription = vendor.subscribe(customer, legacy, metadata={"tenant-id": "acme"})
        settle()
        make_metered(legacy, counts_by=None)
        vendor.manage(legacy)
        look_again(customer)
        settle()
        assert not Tenant.objects.exists()
        assert Subscription.objects.get().outcome == Subscription.Outcome.REFUSED
        assert alerts() == [("price_legacy", f"subscription:{subscription}")]
