"""Stripe's own example of each of its objects: accepted as an event, worked off, mirrored and read."""

import json
from collections.abc import Callable
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any, get_args

import pytest
import stripe
from djstripe import models as djstripe

from apps.billing import mirror, selectors
from apps.billing.gateway import AccountInfo, CustomerFetch
from apps.billing.models import Event, Installation
from tests.factories import NOW
from tests.support.inline import SECRET, post_event
from tests.support.standin import StandIn
from tests.support.working import failed_jobs

# One object for each resource of Stripe's API, from Stripe's own specification of it.
FILE = Path(__file__).parent / "stripe_examples.json"


@cache
def examples() -> dict[str, dict[str, Any]]:
    resources: dict[str, dict[str, Any]] = json.loads(FILE.read_text())["resources"]
    return resources


def resource_of(event_type: str) -> str:
    """What an event of this type carries: `customer.subscription.updated` a `subscription`."""
    parts = event_type.replace("issuing_", "issuing.").split(".")[:-1]
    ends = range(len(parts), 0, -1)
    names = [name for end in ends for name in (".".join(parts[:end]), ".".join(parts[1:end]))]
    return next(name for name in names if name in examples())


def events() -> list[dict[str, Any]]:
    """Every resource in an event of every type that can carry it; made-up types for those that none carries."""
    types = [(each, resource_of(each)) for each in get_args(stripe.Event.__annotations__["type"])]
    carried = {resource for _, resource in types}
    types += [(f"{each}.updated", each) for each in examples() if each not in carried]
    return [
        {
            "id": f"evt_{number}",
            "object": "event",
            "type": event_type,
            "created": 1_780_000_000,
            "livemode": False,
            "api_version": "2026-08-26.dahlia",
            "data": {"object": examples()[resource]},
        }
        for number, (event_type, resource) in enumerate(types)
    ]


def test_every_resource_has_its_events() -> None:
    assert len(examples()) == 176
    assert len(events()) > 350
    assert {json.dumps(each["data"]["object"]) for each in events()} == {
        json.dumps(each) for each in examples().values()
    }
    assert resource_of("customer.subscription.updated") == "subscription"
    assert resource_of("climate.product.pricing_updated") == "climate.product"


def test_an_event_about_anything_is_accepted_once_and_worked_off(
    transactional_db: None, standin: StandIn, drain: Callable[[], None], settings: Any
) -> None:
    settings.STRIPE_WEBHOOK_SECRETS = [SECRET]
    made = events()
    assert {post_event(each) for each in made} == {200}
    assert {post_event(each) for each in made[:20]} == {200}
    assert Event.objects.count() == len(made)

    pending = Event.objects.filter(state=Event.State.PENDING)
    assert set(pending.values_list("work", flat=True)) >= {
        f"customer:{examples()['customer']['id']}",
        f"price:{examples()['price']['id']}",
        f"product:{examples()['product']['id']}",
        f"clock:{examples()['test_helpers.test_clock']['id']}",
    }
    drain()
    assert failed_jobs() == []
    assert not Event.objects.filter(attempts__gt=0).exists()
    assert not pending.exists()
    # None of them exists in this account.
    about_customers = Event.objects.filter(work__startswith="customer:")
    assert all("No such customer" in each.error for each in about_customers)


# ---- the mirror -------------------------------------------------------------------------------
@pytest.fixture
def account(db: None) -> str:
    mirror.store_account(AccountInfo(id=examples()["account"]["id"], raw=examples()["account"]))
    installation = Installation.objects.create(
        account_id=examples()["account"]["id"], livemode=False, api_base="https://api.stripe.com", bound_at=NOW
    )
    return installation.account_id


@pytest.fixture
def price(account: str) -> str:
    mirror.store_price({**examples()["price"], "product": examples()["product"]})
    return str(examples()["price"]["id"])


@pytest.fixture
def customer(price: str) -> str:
    about = {"type": "subscription_details", "subscription_details": {"subscription": examples()["subscription"]["id"]}}
    finalized = {**examples()["invoice"]["status_transitions"], "finalized_at": 1_234_567_890}
    invoice = {**examples()["invoice"], "status": "open", "parent": about, "status_transitions": finalized}
    fetched = CustomerFetch(
        customer=examples()["customer"], subscriptions=(examples()["subscription"],), open_invoices=(invoice,)
    )
    mirror.store_customer(fetched)
    return str(examples()["customer"]["id"])


def test_the_account_is_mirrored(account: str) -> None:
    assert djstripe.Account.objects.get().id == account


def test_a_price_and_its_product_are_mirrored_and_read(price: str) -> None:
    found = selectors.prices([price])[price]
    raw = examples()["price"]
    assert (found.product_id, found.product_name) == (raw["product"], examples()["product"]["name"])
    assert (found.amount, found.currency) == (Decimal(raw["unit_amount"]), raw["currency"])
    assert (found.interval, found.interval_count) == ("month", 1)
    assert selectors.mirrored_prices() == (found,)
    assert selectors.price_ids_of_product(raw["product"]) == [price]


def test_a_customer_is_mirrored_and_read(customer: str) -> None:
    found = selectors.customer(customer)
    assert found is not None
    assert (found.name, found.email) == (examples()["customer"]["name"] or "", examples()["customer"]["email"] or "")


def test_a_subscription_is_mirrored_and_read(customer: str, price: str) -> None:
    raw = examples()["subscription"]
    (found,) = selectors.subscriptions_of(customer)
    assert (found.id, found.status, found.created.timestamp()) == (raw["id"], raw["status"], raw["created"])
    assert [each.price_id for each in found.items] == [price]
    assert selectors.subscriptions([raw["id"]]) == (found,)
    assert selectors.customer_of_subscription(raw["id"]) == customer
    assert selectors.customers_with_price(price) == [customer]


@pytest.mark.parametrize(("told", "expected"), [(None, 1), (0, 0), (7, 7)])
def test_what_is_not_counted_is_there_once_and_none_is_none(price: str, told: int | None, expected: int) -> None:
    raw = examples()["subscription"]
    items = {**raw["items"], "data": [{**each, "quantity": told} for each in raw["items"]["data"]]}
    fetched = CustomerFetch(customer=examples()["customer"], subscriptions=({**raw, "items": items},), open_invoices=())
    mirror.store_customer(fetched)
    (found,) = selectors.subscriptions([raw["id"]])
    assert [each.quantity for each in found.items] == [expected]


def test_an_invoice_is_mirrored_and_read(customer: str) -> None:
    (found,) = selectors.open_invoices([examples()["subscription"]["id"]])
    assert (found.id, found.finalized_at.timestamp()) == (examples()["invoice"]["id"], 1_234_567_890)
    assert selectors.customer_of_invoice(found.id) == customer


def test_the_examples_as_they_are_leave_nothing_out_that_is_needed(price: str) -> None:
    """An invoice that belongs to no subscription, as the example's, is none that anybody owes for a tenant."""
    mirror.store_customer(
        CustomerFetch(
            customer=examples()["customer"],
            subscriptions=(examples()["subscription"],),
            open_invoices=(examples()["invoice"],),
        )
    )
    assert selectors.open_invoices([examples()["subscription"]["id"]]) == ()
