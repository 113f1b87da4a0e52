from typing import Any

import pytest
import stripe

from tests.sandbox.conftest import Control, Subscribe, event_types

MADE = 3  # events of the fixtures: product, price, customer
PAID = ["invoice.created", "invoice.finalized", "invoice.paid", "invoice.payment_succeeded"]
NOW = 1_769_853_600  # 2026-01-31T10:00:00Z
DAY = 86_400


@pytest.fixture(autouse=True)
def clock(control: Control) -> None:
    control("POST", "clock", {"now": NOW})


def test_the_first_invoice_is_paid(client: stripe.StripeClient, subscribe: Subscribe) -> None:
    made = subscribe(metadata={"tenant-id": "acme"})
    assert event_types(client, after=MADE) == ["customer.subscription.created", *PAID]
    assert made.status == "active" and made.created == made.billing_cycle_anchor == NOW
    for gone in ("current_period_start", "current_period_end", "plan", "quantity"):
        assert gone not in made
    item = made["items"].data[0]
    assert (item.current_period_start, item.current_period_end) == (NOW, NOW + 28 * DAY)
    assert (item.quantity, item.plan.interval, item.price.unit_amount) == (1, "month", 1000)
    invoice = client.v1.invoices.retrieve(made.latest_invoice)
    assert (invoice.status, invoice.amount_paid, invoice.billing_reason) == ("paid", 1000, "subscription_create")
    assert invoice.status_transitions.finalized_at == invoice.status_transitions.paid_at == NOW
    assert invoice.parent.subscription_details.subscription == made.id
    assert invoice.lines.data[0].period.end == item.current_period_end


def test_a_trial_costs_nothing_until_it_ends(
    client: stripe.StripeClient, control: Control, subscribe: Subscribe
) -> None:
    made = subscribe(trial_period_days=14)
    assert (made.status, made.trial_end, made.billing_cycle_anchor) == ("trialing", NOW + 14 * DAY, NOW + 14 * DAY)
    assert client.v1.invoices.retrieve(made.latest_invoice).total == 0
    control("POST", "clock", {"now": NOW + 15 * DAY, "renew": True})
    over = client.v1.subscriptions.retrieve(made.id, {"expand": ["latest_invoice"]})
    assert (over.status, over.latest_invoice.total) == ("active", 1000)
    assert over["items"].data[0].current_period_start == NOW + 14 * DAY


def test_an_incomplete_one_waits_for_its_payment(client: stripe.StripeClient, subscribe: Subscribe) -> None:
    made = subscribe(payment_behavior="default_incomplete")
    assert made.status == "incomplete"
    known = len(event_types(client))
    assert client.v1.invoices.pay(made.latest_invoice).status == "paid"
    assert event_types(client, after=known) == [
        "invoice.paid",
        "invoice.payment_succeeded",
        "customer.subscription.updated",
    ]
    assert client.v1.subscriptions.retrieve(made.id).status == "active"
    with pytest.raises(stripe.InvalidRequestError, match="already paid"):
        client.v1.invoices.pay(made.latest_invoice)


def test_it_can_be_canceled_at_the_end_and_that_taken_back(
    client: stripe.StripeClient, control: Control, subscribe: Subscribe
) -> None:
    made = subscribe()
    ending = client.v1.subscriptions.update(made.id, {"cancel_at_period_end": True})
    assert (ending.cancel_at, ending.canceled_at, ending.status) == (NOW + 28 * DAY, NOW, "active")
    again = client.v1.subscriptions.update(made.id, {"cancel_at_period_end": False})
    assert (again.cancel_at, again.canceled_at, again.cancellation_details.reason) == (None, None, None)
    client.v1.subscriptions.update(made.id, {"cancel_at_period_end": True})
    control("POST", "clock", {"now": NOW + 29 * DAY, "renew": True})
    ended = client.v1.subscriptions.retrieve(made.id)
    assert (ended.status, ended.ended_at, ended.canceled_at) == ("canceled", NOW + 28 * DAY, NOW)


def test_canceled_is_final(client: stripe.StripeClient, subscribe: Subscribe) -> None:
    made = subscribe()
    params: Any = {"cancellation_details": {"comment": "bye"}}
    gone = client.v1.subscriptions.cancel(made.id, params)
    assert (gone.status, gone.cancellation_details.comment) == ("canceled", "bye")
    assert event_types(client)[-1] == "customer.subscription.deleted"
    for call in (
        lambda: client.v1.subscriptions.cancel(made.id),
        lambda: client.v1.subscriptions.resume(made.id),
        lambda: client.v1.subscriptions.update(made.id, {"description": "x"}),
    ):
        with pytest.raises(stripe.InvalidRequestError):
            call()
    assert client.v1.subscriptions.update(made.id, {"metadata": {"a": "b"}}).metadata.to_dict() == {"a": "b"}
    assert client.v1.subscriptions.list().data == []
    assert len(client.v1.subscriptions.list({"status": "ended"}).data) == 1
    assert len(client.v1.subscriptions.list({"status": "all"}).data) == 1


def test_items_change_in_one_event(client: stripe.StripeClient, subscribe: Subscribe, price: stripe.Price) -> None:
    more: Any = {"currency": "usd", "unit_amount": 5, "recurring": {"interval": "month"}, "product_data": {"name": "S"}}
    seats = client.v1.prices.create(more)
    made = subscribe()
    old = made["items"].data[0].id
    known = len(event_types(client))
    items: Any = [{"id": old, "deleted": True}, {"price": seats.id, "quantity": 7}]
    changed = client.v1.subscriptions.update(made.id, {"items": items})
    assert [(item.price.id, item.quantity) for item in changed["items"].data] == [(seats.id, 7)]
    assert event_types(client, after=known) == [*["invoiceitem.created"] * 2, "customer.subscription.updated"]
    event = client.v1.events.list({"limit": 1}).data[0]
    assert event.data.previous_attributes["items"].data[0].id == old
    back = client.v1.subscriptions.update(made.id, {"items": [{"id": changed["items"].data[0].id, "price": price.id}]})
    assert back["items"].data[0].price.id == price.id
    with pytest.raises(stripe.InvalidRequestError, match="at least one"):
        client.v1.subscription_items.delete(back["items"].data[0].id)


def test_another_interval_is_billed_from_now_on(
    client: stripe.StripeClient, control: Control, subscribe: Subscribe
) -> None:
    data: Any = {
        "currency": "usd",
        "unit_amount": 900,
        "recurring": {"interval": "year"},
        "product_data": {"name": "Y"},
    }
    yearly = client.v1.prices.create(data)
    made = subscribe()
    control("POST", "clock", {"now": NOW + DAY})
    known = len(event_types(client))
    item = made["items"].data[0].id
    changed = client.v1.subscriptions.update(made.id, {"items": [{"id": item, "price": yearly.id}]})
    assert changed["items"].data[0].current_period_start == NOW + DAY
    credited = ["invoice.created", "customer.updated", *PAID[1:]]
    assert event_types(client, after=known) == ["invoiceitem.created", "customer.subscription.updated", *credited]
    invoice = client.v1.invoices.retrieve(changed.latest_invoice)
    assert [line.amount for line in invoice.lines.data] == [-964, 900]
    assert changed.billing_cycle_anchor == NOW + DAY


def test_items_have_routes_of_their_own(client: stripe.StripeClient, subscribe: Subscribe) -> None:
    made = subscribe()
    for number in range(11):
        data: Any = {"currency": "usd", "unit_amount": number, "recurring": {"interval": "month"}}
        extra = client.v1.prices.create({**data, "product_data": {"name": "x"}})
        client.v1.subscription_items.create({"subscription": made.id, "price": extra.id})
    shown = client.v1.subscriptions.retrieve(made.id)["items"]
    assert len(shown.data) == 10 and shown.has_more
    all_items = client.v1.subscription_items.list({"subscription": made.id, "limit": 100}).data
    assert [item.id for item in shown.auto_paging_iter()] == [item.id for item in all_items]
    assert len(all_items) == 12
    assert client.v1.subscription_items.update(all_items[0].id, {"quantity": 3}).quantity == 3


def test_deleting_a_customer_cancels_what_it_has(client: stripe.StripeClient, subscribe: Subscribe) -> None:
    made = subscribe()
    assert client.v1.customers.delete(made.customer).to_dict() == {
        "id": made.customer,
        "object": "customer",
        "deleted": True,
    }
    assert event_types(client)[-2:] == ["customer.subscription.deleted", "customer.deleted"]
    assert client.v1.customers.retrieve(made.customer).deleted
    assert client.v1.subscriptions.retrieve(made.id, {"expand": ["customer"]}).customer.deleted
    assert client.v1.customers.list().data == []


def test_renewals_go_through_every_period(client: stripe.StripeClient, control: Control, subscribe: Subscribe) -> None:
    made = subscribe()
    control("POST", "clock", {"now": NOW + 100 * DAY, "renew": True})
    invoices = client.v1.invoices.list({"subscription": made.id}).data
    assert [invoice.billing_reason for invoice in invoices] == ["subscription_cycle"] * 3 + ["subscription_create"]
    starts = [invoice.lines.data[0].period.start for invoice in reversed(invoices)]
    assert starts == [NOW, NOW + 28 * DAY, NOW + 59 * DAY, NOW + 89 * DAY]


def test_subscriptions_are_found_by_price_customer_and_time(
    client: stripe.StripeClient, subscribe: Subscribe, price: stripe.Price
) -> None:
    made = subscribe()
    assert [each.id for each in client.v1.subscriptions.list({"price": price.id}).data] == [made.id]
    assert client.v1.subscriptions.list({"price": "price_other"}).data == []
    assert client.v1.subscriptions.list({"customer": "cus_other"}).data == []
    assert client.v1.subscriptions.list({"created": {"gt": NOW}}).data == []
    assert len(client.v1.subscriptions.list({"created": {"gte": NOW, "lt": NOW + 1}}).data) == 1


@pytest.mark.parametrize(
    "wrong",
    [
        {"items": []},
        {"trial_end": NOW},
        {"trial_period_days": 731},
        {"billing_cycle_anchor": NOW + 29 * DAY},
        {"cancel_at": NOW},
        {"collection_method": "send_invoice"},
    ],
)
def test_subscriptions_that_cannot_be(client: stripe.StripeClient, subscribe: Subscribe, wrong: Any) -> None:
    with pytest.raises(stripe.InvalidRequestError):
        subscribe(**wrong)
    assert len(event_types(client)) == MADE


def test_amounts(client: stripe.StripeClient, customer: stripe.Customer) -> None:
    def total(quantity: int, **terms: Any) -> int:
        data: Any = {"currency": "usd", "recurring": {"interval": "month"}, "product_data": {"name": "x"}, **terms}
        items: Any = [{"price": client.v1.prices.create(data).id, "quantity": quantity}]
        params: Any = {"customer": customer.id, "items": items, "expand": ["latest_invoice"]}
        return client.v1.subscriptions.create(params).latest_invoice.total

    tiers = [{"up_to": 10, "unit_amount": 5, "flat_amount": 100}, {"up_to": "inf", "unit_amount": 2, "flat_amount": 50}]
    tiered = {"billing_scheme": "tiered", "tiers": tiers}
    assert total(3, unit_amount_decimal="0.5") == 2
    assert total(12, tiers_mode="graduated", **tiered) == 100 + 50 + 50 + 4
    assert total(10, tiers_mode="graduated", **tiered) == 150
    assert total(12, tiers_mode="volume", **tiered) == 50 + 24
    assert total(25, unit_amount=100, transform_quantity={"divide_by": 10, "round": "up"}) == 300
