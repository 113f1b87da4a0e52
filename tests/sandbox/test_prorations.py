from typing import Any

import pytest
import stripe
from hypothesis import given
from hypothesis import strategies as st

from apps.sandbox.prorating import share
from tests.sandbox.conftest import Control, Subscribe, event_types

NOW = 1_767_225_600  # 2026-01-01T00:00:00Z
DAY = 86_400
END = NOW + 31 * DAY
HALF = NOW + 31 * DAY // 2

AMOUNTS = st.integers(0, 10**12)
LENGTHS = st.integers(1, 4 * 366 * DAY)


@pytest.fixture(autouse=True)
def clock(control: Control) -> None:
    control("POST", "clock", {"now": NOW})


@pytest.fixture
def double(client: stripe.StripeClient) -> stripe.Price:
    data: Any = {"currency": "usd", "unit_amount": 2000, "recurring": {"interval": "month"}}
    return client.v1.prices.create({**data, "product_data": {"name": "Max"}})


def item_of(subscription: stripe.Subscription) -> str:
    return subscription["items"].data[0].id


def amounts(client: stripe.StripeClient, invoice: Any) -> list[int]:
    return [line.amount for line in client.v1.invoices.retrieve(invoice).lines.data]


@given(amount=AMOUNTS, length=LENGTHS, part=st.floats(0, 1))
def test_a_share_is_rounded_half_up_and_never_more_than_all(amount: int, length: int, part: float) -> None:
    seconds = int(length * part)
    found = share(amount, start=length - seconds, end=length, whole=0)
    assert 0 <= found <= amount
    assert abs(2 * (found * length - amount * seconds)) <= length


@given(amount=AMOUNTS, length=LENGTHS, part=st.floats(0, 1))
def test_what_is_used_and_what_is_left_make_the_whole(amount: int, length: int, part: float) -> None:
    moment = int(length * part)
    left = share(amount, start=moment, end=length, whole=0)
    used = share(amount, start=0, end=moment, whole=moment - length)
    assert abs(used + left - amount) <= 1


CHANGES = st.lists(st.tuples(st.floats(0, 1), AMOUNTS), max_size=6).map(sorted)


@given(first=AMOUNTS, length=LENGTHS, changes=CHANGES)
def test_whatever_is_changed_each_second_costs_what_held_then(
    first: int, length: int, changes: list[tuple[float, int]]
) -> None:
    """What was paid at first, the credits and the charges sum up to each amount for as long as it held."""
    billed, exact, held, since = first, 0, first, 0
    for part, amount in changes:
        moment = int(length * part)
        billed += share(amount, start=moment, end=length, whole=0) - share(held, start=moment, end=length, whole=0)
        exact += held * (moment - since)
        held, since = amount, moment
    exact += held * (length - since)
    # Each credit and each charge is off by half a unit at most.
    assert abs(billed * length - exact) <= len(changes) * length


def test_an_upgrade_is_on_the_next_invoice(
    client: stripe.StripeClient, control: Control, subscribe: Subscribe, price: stripe.Price, double: stripe.Price
) -> None:
    made = subscribe()
    control("POST", "clock", {"now": HALF})
    known = len(event_types(client))
    client.v1.subscriptions.update(made.id, {"items": [{"id": item_of(made), "price": double.id}]})
    assert event_types(client, after=known) == [*["invoiceitem.created"] * 2, "customer.subscription.updated"]
    pending = client.v1.invoice_items.list({"customer": made.customer, "pending": True}).data
    assert [(each.amount, each.proration) for each in pending] == [(1000, True), (-500, True)]
    control("POST", "clock", {"now": END, "renew": True})
    invoice = client.v1.invoices.list({"subscription": made.id}).data[0]
    assert (invoice.subtotal, invoice.total, invoice.amount_due, invoice.amount_paid) == (2500, 2500, 2500, 2500)
    assert invoice.amount_remaining == 0
    credit, charge, whole = invoice.lines.data
    assert [line.amount for line in (credit, charge, whole)] == [-500, 1000, 2000]
    assert (credit.period.start, credit.period.end) == (HALF, END)
    assert (credit.pricing.price_details.price, charge.pricing.price_details.price) == (price.id, double.id)
    assert (credit.description, charge.description) == (
        "Unused time on Pro after 16 Jan 2026",
        "Remaining time on Max after 16 Jan 2026",
    )
    parent = credit.parent.subscription_item_details
    assert (parent.proration, parent.invoice_item, parent.subscription) == (True, pending[1].id, made.id)
    assert not whole.parent.subscription_item_details.proration and whole.period.start == END
    assert client.v1.invoice_items.retrieve(pending[0].id).invoice == invoice.id


def test_more_seats_are_invoiced_at_once_when_asked_for(
    client: stripe.StripeClient, control: Control, subscribe: Subscribe
) -> None:
    made = subscribe()
    control("POST", "clock", {"now": HALF})
    params: Any = {"items": [{"id": item_of(made), "quantity": 3}], "proration_behavior": "always_invoice"}
    changed = client.v1.subscriptions.update(made.id, params)
    assert amounts(client, changed.latest_invoice) == [-500, 1500]
    invoice = client.v1.invoices.retrieve(changed.latest_invoice)
    assert (invoice.billing_reason, invoice.status, invoice.amount_paid) == ("subscription_update", "paid", 1000)
    assert changed["items"].data[0].current_period_end == END
    assert client.v1.invoice_items.list({"pending": True}).data == []


def test_less_becomes_credit_that_the_next_invoices_use_up(
    client: stripe.StripeClient, control: Control, subscribe: Subscribe
) -> None:
    made = subscribe()
    client.v1.subscriptions.update(
        made.id, {"items": [{"id": item_of(made), "quantity": 4}], "proration_behavior": "always_invoice"}
    )
    control("POST", "clock", {"now": HALF})
    less = client.v1.subscriptions.update(
        made.id, {"items": [{"id": item_of(made), "quantity": 1}], "proration_behavior": "always_invoice"}
    )
    invoice = client.v1.invoices.retrieve(less.latest_invoice)
    assert (invoice.total, invoice.amount_due, invoice.status) == (-1500, 0, "paid")
    assert (invoice.starting_balance, invoice.ending_balance) == (0, -1500)
    assert client.v1.customers.retrieve(made.customer).balance == -1500
    control("POST", "clock", {"now": END + 31 * DAY, "renew": True})
    dues = [each.amount_due for each in client.v1.invoices.list({"subscription": made.id}).data[:2]]
    assert dues == [500, 0]
    assert client.v1.customers.retrieve(made.customer).balance == 0


def test_an_item_that_comes_or_goes_is_prorated(
    client: stripe.StripeClient, control: Control, subscribe: Subscribe, double: stripe.Price
) -> None:
    made = subscribe()
    control("POST", "clock", {"now": HALF})
    added = client.v1.subscription_items.create({"subscription": made.id, "price": double.id})
    client.v1.subscription_items.delete(added.id, {"proration_behavior": "none"})
    again = client.v1.subscription_items.create({"subscription": made.id, "price": double.id})
    client.v1.subscription_items.delete(again.id)
    assert [each.amount for each in client.v1.invoice_items.list().data] == [-1000, 1000, 1000]


def test_the_moment_of_a_proration_can_be_given(
    client: stripe.StripeClient, control: Control, subscribe: Subscribe, double: stripe.Price
) -> None:
    made = subscribe()
    control("POST", "clock", {"now": HALF + DAY})
    params: Any = {"items": [{"id": item_of(made), "price": double.id}], "proration_date": HALF}
    client.v1.subscriptions.update(made.id, params)
    assert [each.amount for each in client.v1.invoice_items.list().data] == [1000, -500]


def test_a_trial_is_not_prorated(client: stripe.StripeClient, subscribe: Subscribe, double: stripe.Price) -> None:
    made = subscribe(trial_period_days=14)
    client.v1.subscriptions.update(made.id, {"items": [{"id": item_of(made), "price": double.id}]})
    assert client.v1.invoice_items.list().data == []


def test_a_cycle_that_begins_anew_credits_the_old_one(
    client: stripe.StripeClient, control: Control, subscribe: Subscribe
) -> None:
    made = subscribe()
    control("POST", "clock", {"now": HALF})
    changed = client.v1.subscriptions.update(made.id, {"billing_cycle_anchor": "now"})
    assert amounts(client, changed.latest_invoice) == [-500, 1000]
    assert changed["items"].data[0].current_period_start == HALF


@pytest.mark.parametrize(("behavior", "lines"), [("create_prorations", [500]), ("none", [])])
def test_the_time_up_to_the_anchor_is_a_part_of_a_period(
    client: stripe.StripeClient, control: Control, subscribe: Subscribe, behavior: str, lines: list[int]
) -> None:
    made = subscribe(billing_cycle_anchor=HALF, proration_behavior=behavior)
    # The whole period that would end at the anchor is one of 31 days as well: it began in December.
    assert amounts(client, made.latest_invoice) == lines
    control("POST", "clock", {"now": HALF, "renew": True})
    assert client.v1.invoices.list({"subscription": made.id}).data[0].total == 1000


def test_a_cancellation_gives_back_the_rest_when_asked_to(
    client: stripe.StripeClient, control: Control, subscribe: Subscribe
) -> None:
    made = subscribe()
    control("POST", "clock", {"now": HALF})
    ended = client.v1.subscriptions.cancel(made.id, {"prorate": True, "invoice_now": True})
    assert amounts(client, ended.latest_invoice) == [-500]
    assert client.v1.customers.retrieve(made.customer).balance == -500


def test_items_of_different_intervals_are_billed_each_at_its_time(
    client: stripe.StripeClient, control: Control, subscribe: Subscribe
) -> None:
    data: Any = {"currency": "usd", "unit_amount": 9000, "recurring": {"interval": "year"}}
    yearly = client.v1.prices.create({**data, "product_data": {"name": "Y"}})
    made = subscribe()
    client.v1.subscription_items.create({"subscription": made.id, "price": yearly.id, "proration_behavior": "none"})
    control("POST", "clock", {"now": NOW + 366 * DAY, "renew": True})
    totals = [each.total for each in client.v1.invoices.list({"subscription": made.id, "limit": 20}).data]
    assert totals == [10000, *[1000] * 12]


def test_an_upgrade_that_cannot_be_paid(
    client: stripe.StripeClient, control: Control, subscribe: Subscribe, double: stripe.Price
) -> None:
    made = subscribe()
    card: Any = {"invoice_settings": {"default_payment_method": "pm_card_chargeCustomerFail"}}
    client.v1.customers.update(made.customer, card)
    control("POST", "clock", {"now": HALF})
    params: Any = {"items": [{"id": item_of(made), "price": double.id}], "proration_behavior": "always_invoice"}
    with pytest.raises(stripe.CardError):
        client.v1.subscriptions.update(made.id, {**params, "payment_behavior": "error_if_incomplete"})
    assert item_of(client.v1.subscriptions.retrieve(made.id)) == item_of(made)
    assert client.v1.invoice_items.list().data == []
    assert client.v1.subscriptions.update(made.id, params).status == "past_due"
