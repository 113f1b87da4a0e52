"""Subscriptions in the present: how they begin, with which card, how they change and end."""

from typing import Any

import pytest
import stripe

from tests.sandbox.contract.account import Account, item_of

FAILS = "pm_card_chargeCustomerFail"
ASKS = "pm_card_authenticationRequired"
FIRST_EVENTS = {
    "customer.subscription.created",
    "invoice.created",
    "invoice.finalized",
    "invoice.paid",
    "invoice.payment_succeeded",
}


def test_the_first_invoice_is_paid(account: Account) -> None:
    made = account.subscribe(account.customer().id, account.price().id, metadata={"tenant-id": "acme"})
    assert made.status == "active" and made.billing_cycle_anchor == made.start_date
    for gone in ("current_period_start", "current_period_end"):
        assert gone not in made
    item = item_of(made)
    assert item.current_period_end - item.current_period_start == 7 * 86_400
    assert (item.quantity, item.price.recurring.interval, item.price.unit_amount) == (1, "week", 1000)
    invoice = account.v1.invoices.retrieve(made.latest_invoice)
    assert (invoice.status, invoice.amount_paid, invoice.billing_reason) == ("paid", 1000, "subscription_create")
    assert invoice.status_transitions.finalized_at and invoice.status_transitions.paid_at
    details = invoice.parent.subscription_details
    assert (details.subscription, details.metadata.to_dict()) == (made.id, {"tenant-id": "acme"})
    (line,) = invoice.lines.data
    assert (line.amount, line.period.end) == (1000, item.current_period_end)
    assert line.pricing.price_details.price == item.price.id


def test_the_beginning_is_told_by_events(account: Account) -> None:
    made = account.subscribe(account.customer().id, account.price().id)

    def told() -> bool:
        recent: Any = {"types": sorted(FIRST_EVENTS), "created": {"gte": made.created}, "limit": 100}
        events = account.v1.events.list(recent).auto_paging_iter()
        return {
            each.type for each in events if made.id in (each.data.object.id, _subscription_of(each))
        } == FIRST_EVENTS

    assert account.until(told, "not every event came")


def _subscription_of(event: stripe.Event) -> Any:
    parent = event.data.object.get("parent") or {}
    return (parent.get("subscription_details") or {}).get("subscription")


def test_an_invoice_keeps_the_metadata_of_its_time(account: Account) -> None:
    made = account.subscribe(account.customer().id, account.price().id, metadata={"tenant-id": "acme"})
    account.v1.subscriptions.update(made.id, {"metadata": {"tenant-id": "other"}})
    invoice = account.v1.invoices.retrieve(made.latest_invoice)
    assert invoice.parent.subscription_details.metadata.to_dict() == {"tenant-id": "acme"}


@pytest.mark.parametrize("card", [FAILS, ASKS])
def test_a_first_payment_that_fails_leaves_it_incomplete(account: Account, card: str) -> None:
    customer = account.customer(card=card)
    made = account.subscribe(customer.id, account.price().id)
    assert made.status == "incomplete"
    owed = account.v1.invoices.retrieve(made.latest_invoice)
    assert (owed.status, owed.attempted, owed.amount_remaining) == ("open", True, 1000)
    with pytest.raises(stripe.CardError) as caught:
        account.v1.invoices.pay(owed.id)
    assert caught.value.http_status == 402
    account.give_card(customer.id, "pm_card_visa")
    assert account.v1.invoices.pay(owed.id).status == "paid"
    account.status_becomes(made.id, "active")
    with pytest.raises(stripe.InvalidRequestError, match="already paid"):
        account.v1.invoices.pay(owed.id)


def test_it_can_wait_for_its_first_payment(account: Account) -> None:
    made = account.subscribe(account.customer().id, account.price().id, payment_behavior="default_incomplete")
    assert made.status == "incomplete"
    account.v1.invoices.pay(made.latest_invoice)
    account.status_becomes(made.id, "active")


def test_nothing_is_made_when_an_error_is_asked_for(account: Account) -> None:
    customer = account.customer(card=FAILS)
    with pytest.raises(stripe.CardError) as caught:
        account.subscribe(customer.id, account.price().id, payment_behavior="error_if_incomplete")
    assert caught.value.code == "card_declined"
    assert account.v1.subscriptions.list({"customer": customer.id, "status": "all"}).data == []


def test_the_subscriptions_own_card_goes_before_the_customers(account: Account) -> None:
    customer = account.customer()
    pays = account.v1.customers.payment_methods.list(customer.id).data[0].id
    account.give_card(customer.id, FAILS)
    assert account.subscribe(customer.id, account.price().id, default_payment_method=pays).status == "active"


def test_a_card_comes_and_goes(account: Account) -> None:
    customer = account.customer()
    (card,) = account.v1.customers.payment_methods.list(customer.id).data
    assert (card.card.last4, card.card.brand, card.customer) == ("4242", "visa", customer.id)
    assert account.v1.payment_methods.detach(card.id).customer is None
    assert account.v1.customers.retrieve(customer.id).invoice_settings.default_payment_method is None
    with pytest.raises(stripe.InvalidRequestError, match="previously"):
        account.v1.payment_methods.attach(card.id, {"customer": customer.id})


def test_a_card_that_a_bank_refuses_is_not_attached(account: Account) -> None:
    customer = account.customer(card=None)
    with pytest.raises(stripe.CardError) as caught:
        account.v1.payment_methods.attach("pm_card_visa_chargeDeclined", {"customer": customer.id})
    assert (caught.value.code, caught.value.http_status) == ("card_declined", 402)


def test_only_the_customers_own_card_can_be_the_default(account: Account) -> None:
    foreign = account.v1.customers.payment_methods.list(account.customer().id).data[0].id
    with pytest.raises(stripe.InvalidRequestError):
        account.subscribe(account.customer().id, account.price().id, default_payment_method=foreign)


def test_it_can_be_canceled_at_the_end_and_that_taken_back(account: Account) -> None:
    made = account.subscribe(account.customer().id, account.price().id)
    end = item_of(made).current_period_end
    ending = account.v1.subscriptions.update(made.id, {"cancel_at_period_end": True})
    assert (ending.cancel_at, ending.cancel_at_period_end, ending.status) == (end, True, "active")
    assert ending.canceled_at is not None
    again = account.v1.subscriptions.update(made.id, {"cancel_at_period_end": False})
    assert (again.cancel_at, again.canceled_at) == (None, None)


def test_canceled_is_final(account: Account) -> None:
    customer = account.customer()
    made = account.subscribe(customer.id, account.price().id)
    gone = account.v1.subscriptions.cancel(made.id, {"cancellation_details": {"comment": "bye"}})
    assert (gone.status, gone.cancellation_details.comment) == ("canceled", "bye")
    assert gone.ended_at is not None
    for call in (
        lambda: account.v1.subscriptions.cancel(made.id),
        lambda: account.v1.subscriptions.resume(made.id),
        lambda: account.v1.subscriptions.update(made.id, {"description": "x"}),
    ):
        with pytest.raises(stripe.InvalidRequestError):
            call()
    assert account.v1.subscriptions.update(made.id, {"metadata": {"a": "b"}}).metadata.to_dict() == {"a": "b"}
    for status, count in (("active", 0), ("canceled", 1), ("ended", 1), ("all", 1)):
        found = account.v1.subscriptions.list({"customer": customer.id, "status": status}).data  # type: ignore[arg-type]
        assert len(found) == count
    assert account.v1.subscriptions.list({"customer": customer.id}).data == []


def test_items_are_replaced_in_one_request(account: Account) -> None:
    made = account.subscribe(account.customer().id, account.price().id)
    seats = account.price(unit_amount=5)
    items: Any = [{"id": item_of(made).id, "deleted": True}, {"price": seats.id, "quantity": 7}]
    changed = account.v1.subscriptions.update(made.id, {"items": items})
    item = item_of(changed)
    assert (item.price.id, item.quantity) == (seats.id, 7)
    with pytest.raises(stripe.InvalidRequestError):
        account.v1.subscription_items.delete(item.id)


def test_items_have_routes_of_their_own(account: Account) -> None:
    made = account.subscribe(account.customer().id, account.price().id)
    added = account.v1.subscription_items.create({"subscription": made.id, "price": account.price().id})
    listed = account.v1.subscription_items.list({"subscription": made.id}).data
    assert {each.id for each in listed} == {item_of(made).id, added.id}
    assert account.v1.subscription_items.update(added.id, {"quantity": 3}).quantity == 3
    with pytest.raises(stripe.InvalidRequestError):
        account.v1.subscription_items.create({"subscription": made.id, "price": str(added.price.id)})


def test_pausing_collection_is_no_status(account: Account) -> None:
    made = account.subscribe(account.customer().id, account.price().id)
    paused = account.v1.subscriptions.update(made.id, {"pause_collection": {"behavior": "void"}})
    assert (paused.status, paused.pause_collection.behavior) == ("active", "void")
    assert account.v1.subscriptions.update(made.id, {"pause_collection": ""}).pause_collection is None


def test_only_a_paused_one_is_resumed(account: Account) -> None:
    made = account.subscribe(account.customer().id, account.price().id)
    with pytest.raises(stripe.InvalidRequestError):
        account.v1.subscriptions.resume(made.id)


def test_deleting_a_customer_cancels_what_it_has(account: Account) -> None:
    customer = account.customer()
    made = account.subscribe(customer.id, account.price().id)
    assert account.v1.customers.delete(customer.id).deleted
    assert account.v1.customers.retrieve(customer.id).deleted
    assert account.v1.subscriptions.retrieve(made.id).status == "canceled"


def test_subscriptions_are_found_by_price(account: Account) -> None:
    price = account.price()
    made = account.subscribe(account.customer().id, price.id)
    assert [each.id for each in account.v1.subscriptions.list({"price": price.id}).data] == [made.id]


@pytest.mark.parametrize(
    "wrong",
    [
        {"items": []},
        {"trial_end": 1_000_000_000},
        {"trial_period_days": 731},
        {"cancel_at": 1_000_000_000},
        {"collection_method": "send_invoice"},
    ],
    ids=" ".join,
)
def test_subscriptions_that_cannot_be(account: Account, wrong: Any) -> None:
    customer = account.customer()
    with pytest.raises(stripe.InvalidRequestError):
        account.subscribe(customer.id, account.price().id, **wrong)
    assert account.v1.subscriptions.list({"customer": customer.id, "status": "all"}).data == []
