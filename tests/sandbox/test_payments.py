from collections.abc import Callable
from typing import Any

import pytest
import stripe

from tests.sandbox.conftest import Control, Subscribe, event_types

NOW = 1_769_853_600  # 2026-01-31T10:00:00Z
DAY = 86_400
FAILS = "pm_card_chargeCustomerFail"
ASKS = "pm_card_authenticationRequired"
FAILED = ["invoice.created", "invoice.finalized", "invoice.payment_failed"]

GiveCard = Callable[[str], str]


@pytest.fixture(autouse=True)
def clock(control: Control) -> None:
    control("POST", "clock", {"now": NOW})


@pytest.fixture
def give_card(client: stripe.StripeClient, customer: stripe.Customer) -> GiveCard:
    """Attach a test payment method to the customer and make it the default."""

    def give(card: str) -> str:
        attached = client.v1.payment_methods.attach(card, {"customer": customer.id})
        settings: Any = {"invoice_settings": {"default_payment_method": attached.id}}
        client.v1.customers.update(customer.id, settings)
        return attached.id

    return give


def test_a_card_comes_and_goes(client: stripe.StripeClient, customer: stripe.Customer) -> None:
    number: Any = {"type": "card", "card": {"number": "4242424242424242", "exp_month": 8, "exp_year": 2031}}
    made = client.v1.payment_methods.create(number)
    assert (made.card.last4, made.card.brand, made.card.exp_year, made.customer) == ("4242", "visa", 2031, None)
    assert not [name for name in made.to_dict() if name.startswith("_")]
    client.v1.payment_methods.attach(made.id, {"customer": customer.id})
    client.v1.customers.update(customer.id, {"invoice_settings": {"default_payment_method": made.id}})
    assert [each.id for each in client.v1.customers.payment_methods.list(customer.id).data] == [made.id]
    assert [each.id for each in client.v1.payment_methods.list({"customer": customer.id}).data] == [made.id]
    assert client.v1.customers.payment_methods.retrieve(customer.id, made.id).id == made.id
    assert client.v1.payment_methods.detach(made.id).customer is None
    assert client.v1.customers.retrieve(customer.id).invoice_settings.default_payment_method is None
    assert event_types(client, after=1) == [
        "payment_method.attached",
        "customer.updated",
        "payment_method.detached",
    ]
    with pytest.raises(stripe.InvalidRequestError, match="previously detached"):
        client.v1.payment_methods.attach(made.id, {"customer": customer.id})


def test_a_test_payment_method_is_a_new_one_each_time(client: stripe.StripeClient) -> None:
    params: Any = {"payment_method": "pm_card_visa", "invoice_settings": {"default_payment_method": "pm_card_visa"}}
    made = client.v1.customers.create(params)
    (attached,) = client.v1.customers.payment_methods.list(made.id).data
    assert made.invoice_settings.default_payment_method == attached.id != "pm_card_visa"
    assert event_types(client) == ["payment_method.attached", "customer.created"]


@pytest.mark.parametrize(
    ("number", "code"), [("4242424242424241", "incorrect_number"), ("4000000000000002", "card_declined")]
)
def test_cards_that_are_refused_at_once(
    client: stripe.StripeClient, customer: stripe.Customer, number: str, code: str
) -> None:
    params: Any = {"type": "card", "card": {"number": number, "exp_month": 1, "exp_year": 2030}}
    with pytest.raises(stripe.CardError) as caught:
        client.v1.payment_methods.attach(client.v1.payment_methods.create(params).id, {"customer": customer.id})
    assert (caught.value.code, caught.value.http_status) == (code, 402)


def test_a_card_that_the_stand_in_does_not_know_is_a_sentence(client: stripe.StripeClient) -> None:
    params: Any = {"type": "card", "card": {"number": "4111111111111111"}}
    with pytest.raises(stripe.InvalidRequestError, match="test cards only"):
        client.v1.payment_methods.create(params)


@pytest.mark.parametrize(("card", "more"), [(FAILS, []), (ASKS, ["invoice.payment_action_required"])])
def test_a_first_payment_that_fails_leaves_it_incomplete(
    client: stripe.StripeClient, subscribe: Subscribe, give_card: GiveCard, card: str, more: list[str]
) -> None:
    give_card(card)
    known = len(event_types(client))
    made = subscribe()
    assert made.status == "incomplete"
    assert event_types(client, after=known) == ["customer.subscription.created", *FAILED, *more]
    owed = client.v1.invoices.retrieve(made.latest_invoice)
    assert (owed.status, owed.attempted, owed.attempt_count, owed.next_payment_attempt) == ("open", True, 1, None)


def test_an_incomplete_one_expires_after_23_hours(
    client: stripe.StripeClient, control: Control, subscribe: Subscribe, give_card: GiveCard
) -> None:
    give_card(FAILS)
    made = subscribe()
    control("POST", "clock", {"now": NOW + 23 * 3600 - 1, "renew": True})
    assert client.v1.subscriptions.retrieve(made.id).status == "incomplete"
    control("POST", "clock", {"now": NOW + 23 * 3600, "renew": True})
    assert client.v1.subscriptions.retrieve(made.id).status == "incomplete_expired"
    assert event_types(client)[-2:] == ["invoice.voided", "customer.subscription.updated"]


def test_an_incomplete_one_is_mended_by_another_card(
    client: stripe.StripeClient, subscribe: Subscribe, give_card: GiveCard
) -> None:
    give_card(FAILS)
    made = subscribe()
    known = len(event_types(client))
    with pytest.raises(stripe.CardError) as caught:
        client.v1.invoices.pay(made.latest_invoice)
    assert caught.value.code == "card_declined"
    assert event_types(client, after=known) == ["invoice.payment_failed"]
    assert client.v1.invoices.retrieve(made.latest_invoice).attempt_count == 1
    assert client.v1.invoices.pay(made.latest_invoice, {"payment_method": "pm_card_visa"}).status == "paid"
    assert client.v1.subscriptions.retrieve(made.id).status == "active"


def test_a_payment_that_needs_action_is_confirmed(
    client: stripe.StripeClient, control: Control, subscribe: Subscribe, give_card: GiveCard
) -> None:
    give_card(ASKS)
    made = subscribe()
    with pytest.raises(stripe.CardError) as caught:
        client.v1.invoices.pay(made.latest_invoice)
    assert caught.value.code == "invoice_payment_intent_requires_action"
    assert control("POST", f"invoices/{made.latest_invoice}/authenticate", {})["status"] == "paid"
    assert client.v1.subscriptions.retrieve(made.id).status == "active"


def test_nothing_is_made_when_an_error_is_asked_for(
    client: stripe.StripeClient, subscribe: Subscribe, give_card: GiveCard
) -> None:
    give_card(FAILS)
    known = len(event_types(client))
    with pytest.raises(stripe.CardError):
        subscribe(payment_behavior="error_if_incomplete")
    assert client.v1.subscriptions.list({"status": "all"}).data == []
    assert len(event_types(client)) == known


@pytest.mark.parametrize("becomes", ["canceled", "unpaid", "past_due"])
def test_a_renewal_that_fails_is_tried_again_three_times(
    client: stripe.StripeClient, control: Control, subscribe: Subscribe, give_card: GiveCard, becomes: str
) -> None:
    control("POST", "billing", {"after_retries": becomes, "upcoming_days": 0})
    made = subscribe()
    give_card(FAILS)
    due = made["items"].data[0].current_period_end
    known = len(event_types(client))
    for attempts, (day, following) in enumerate([(0, 3), (3, 8), (8, 15)], start=1):
        control("POST", "clock", {"now": due + day * DAY, "renew": True})
        shown = client.v1.subscriptions.retrieve(made.id, {"expand": ["latest_invoice"]})
        owed = shown.latest_invoice
        assert (shown.status, owed.attempt_count) == ("past_due", attempts)
        assert owed.next_payment_attempt == due + following * DAY
    control("POST", "clock", {"now": due + 15 * DAY, "renew": True})
    shown = client.v1.subscriptions.retrieve(made.id, {"expand": ["latest_invoice"]})
    assert (shown.status, shown.latest_invoice.attempt_count) == (becomes, 4)
    assert shown.latest_invoice.next_payment_attempt is None
    updated, failed = "customer.subscription.updated", "invoice.payment_failed"
    left = "invoice.updated"
    last = {"canceled": [left, "customer.subscription.deleted"], "unpaid": [left, updated], "past_due": []}
    assert event_types(client, after=known) == [updated, *FAILED, updated, failed, failed, failed, *last[becomes]]
    if becomes == "canceled":
        assert shown.cancellation_details.reason == "payment_failed"


def test_another_card_is_charged_at_the_next_retry(
    client: stripe.StripeClient, control: Control, subscribe: Subscribe, give_card: GiveCard
) -> None:
    made = subscribe()
    give_card(FAILS)
    due = made["items"].data[0].current_period_end
    control("POST", "clock", {"now": due, "renew": True})
    give_card("pm_card_visa")
    assert client.v1.subscriptions.retrieve(made.id).status == "past_due"
    known = len(event_types(client))
    control("POST", "clock", {"now": due + 3 * DAY, "renew": True})
    assert client.v1.subscriptions.retrieve(made.id).status == "active"
    assert event_types(client, after=known) == [
        "invoice.paid",
        "invoice.payment_succeeded",
        "customer.subscription.updated",
    ]


def test_a_retry_of_an_earlier_invoice_does_not_undo_that_the_latest_is_paid(
    client: stripe.StripeClient, control: Control, subscribe: Subscribe, give_card: GiveCard
) -> None:
    made = subscribe()
    give_card(FAILS)
    due = made["items"].data[0].current_period_end
    control("POST", "clock", {"now": due, "renew": True})
    latest = control.set_status(made.id, "past_due")["latest_invoice"]
    client.v1.invoices.pay(latest, {"payment_method": "pm_card_visa"})
    assert client.v1.subscriptions.retrieve(made.id).status == "active"
    known = len(event_types(client))
    control("POST", "clock", {"now": due + 3 * DAY, "renew": True})
    assert event_types(client, after=known) == ["invoice.payment_failed"]
    assert client.v1.subscriptions.retrieve(made.id).status == "active"


def test_the_next_payment_fails_on_demand(
    client: stripe.StripeClient, control: Control, subscribe: Subscribe, customer: stripe.Customer
) -> None:
    made = subscribe()
    control("POST", f"customers/{customer.id}/fail_next", {})
    due = made["items"].data[0].current_period_end
    control("POST", "clock", {"now": due, "renew": True})
    assert client.v1.subscriptions.retrieve(made.id).status == "past_due"
    control("POST", "clock", {"now": due + 3 * DAY, "renew": True})
    assert client.v1.subscriptions.retrieve(made.id).status == "active"


def test_a_status_that_was_asked_for_is_not_undone_by_a_retry(
    client: stripe.StripeClient, control: Control, subscribe: Subscribe
) -> None:
    made = subscribe()
    control.set_status(made.id, "past_due")
    control("POST", "clock", {"now": NOW + 20 * DAY, "renew": True})
    assert client.v1.subscriptions.retrieve(made.id).status == "past_due"


def test_a_payment_method_can_be_required(client: stripe.StripeClient, control: Control, subscribe: Subscribe) -> None:
    control("POST", "billing", {"require_method": True})
    assert subscribe().status == "incomplete"
    assert control.status_of("POST", "billing", {"after_retries": "happy"}) == 400


@pytest.mark.parametrize(
    ("missing", "status"), [("create_invoice", "active"), ("cancel", "canceled"), ("pause", "paused")]
)
def test_a_trial_that_ends_without_a_card(
    client: stripe.StripeClient, control: Control, subscribe: Subscribe, missing: str, status: str
) -> None:
    made = subscribe(trial_period_days=7, trial_settings={"end_behavior": {"missing_payment_method": missing}})
    control("POST", "clock", {"now": NOW + 7 * DAY, "renew": True})
    assert client.v1.subscriptions.retrieve(made.id).status == status
