"""What a subscription's terms make of its tenant: when its invoices are due, how many of each price it has."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import time_machine

from apps.billing import selectors as billing
from apps.core import clock
from apps.lifecycle import tasks
from apps.plans import selectors as plans
from apps.tenants.models import Tenant
from tests.support.vendor import Vendor

Settle = Callable[[], None]
DAY = 86_400


def told() -> tuple[str, str]:
    tenant = Tenant.objects.get()
    return tenant.state, tenant.state_description


# ---- payment by invoice ----------------------------------------------------------------------
def subscribed_by_invoice(vendor: Vendor) -> str:
    terms = {"collection_method": "send_invoice", "days_until_due": 30}
    return vendor.subscribe(vendor.customer(), vendor.price(), metadata={"tenant-id": "acme"}, **terms)


def test_the_days_of_grace_begin_when_an_invoice_was_to_be_paid_and_not_when_it_was_sent(
    vendor: Vendor, settle: Settle
) -> None:
    subscription = subscribed_by_invoice(vendor)
    settle()
    sent = int(clock.now().timestamp()) - 31 * DAY
    vendor.standin.move_subscription(subscription, "past_due", at=sent)
    settle()
    assert told() == ("flagged", "Stripe subscription past due")
    deadline = Tenant.objects.get().next_reconcile_at
    assert deadline is not None
    assert int(deadline.timestamp()) == sent + (30 + 21) * DAY

    with time_machine.travel(deadline - timedelta(seconds=1), tick=False):
        tasks.every_minute_job()
        settle()
        assert told()[0] == "flagged"
    with time_machine.travel(deadline, tick=False):
        tasks.every_minute_job()
        settle()
        assert told() == ("suspended", "Stripe subscription past due for more than 21 days")


def test_of_several_invoices_the_one_counts_that_was_to_be_paid_first(vendor: Vendor, settle: Settle) -> None:
    subscription = subscribed_by_invoice(vendor)
    sent = int(clock.now().timestamp()) - 40 * DAY
    vendor.standin.move_subscription(subscription, "past_due", at=sent)
    # Later invoices leave less time, so that this one is due before the one that was sent before it.
    vendor.client.v1.subscriptions.update(subscription, {"days_until_due": 5})
    vendor.standin.move_subscription(subscription, "past_due", at=sent + 20 * DAY)
    settle()
    deadline = Tenant.objects.get().next_reconcile_at
    assert deadline is not None
    assert int(deadline.timestamp()) == sent + (20 + 5 + 21) * DAY


# ---- how many of a price ---------------------------------------------------------------------
def set_quantity(vendor: Vendor, subscription: str, price: str, quantity: int) -> None:
    items = vendor.client.v1.subscriptions.retrieve(subscription)["items"].data
    (item,) = (each.id for each in items if each.price.id == price)
    vendor.client.v1.subscription_items.update(item, {"quantity": quantity})


def held() -> dict[str, int]:
    return {each.ref: each.quantity for each in plans.held_plans(Tenant.objects.get(), now=datetime.now(UTC))}


def users() -> int | None:
    limits = plans.limits(Tenant.objects.get(), now=datetime.now(UTC))
    return next(each.limit for each in limits if each.entity == "users")


def test_a_price_of_which_none_is_left_grants_nothing(vendor: Vendor, settle: Settle) -> None:
    starter = vendor.price(limits={"max-users": "3"})
    business = vendor.price(name="Business", limits={"max-users": "50"})
    subscription = vendor.subscribe(vendor.customer(), starter, metadata={"tenant-id": "acme"})
    vendor.client.v1.subscription_items.create({"subscription": subscription, "price": business, "quantity": 2})
    settle()
    assert (held(), users()) == ({"plan:starter@1": 1, "plan:business@1": 2}, 50)

    set_quantity(vendor, subscription, business, 0)
    settle()
    assert (held(), users()) == ({"plan:starter@1": 1}, 3)


def test_where_none_of_anything_is_left_the_limits_stay(vendor: Vendor, settle: Settle) -> None:
    """Without any plan there would be no limits: fewer must not be more."""
    starter = vendor.price(limits={"max-users": "3"})
    customer = vendor.customer()
    subscription = vendor.subscribe(customer, starter, metadata={"tenant-id": "acme"})
    settle()
    set_quantity(vendor, subscription, starter, 0)
    settle()
    assert [item.quantity for each in billing.subscriptions_of(customer) for item in each.items] == [0]
    assert (held(), users()) == ({"plan:starter@1": 0}, 3)
