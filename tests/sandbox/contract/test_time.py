"""Subscriptions on a test clock: renewals, trials, ends, unpaid invoices, what a change within a period costs.

A week is as long in every month, and Stripe finalizes a renewal's invoice an hour after it has made it.
"""

from typing import Any

import pytest
import stripe

from tests.sandbox.contract.account import DAY, HOUR, NOW, WEEK, Account, item_of

FAILS = "pm_card_chargeCustomerFail"
RENEWED = NOW + WEEK + 2 * HOUR
HALF = NOW + WEEK // 2


@pytest.fixture
def clock(account: Account) -> stripe.test_helpers.TestClock:
    return account.clock()


@pytest.fixture
def customer(account: Account, clock: stripe.test_helpers.TestClock) -> str:
    """A customer on the clock, with a card that pays."""
    return account.customer(test_clock=clock.id).id


def test_everything_of_the_customer_is_in_the_clocks_time(
    account: Account, clock: stripe.test_helpers.TestClock, customer: str
) -> None:
    made = account.subscribe(customer, account.price().id)
    assert (made.created, made.start_date, made.test_clock) == (NOW, NOW, clock.id)
    invoice = account.v1.invoices.retrieve(made.latest_invoice)
    assert (invoice.created, invoice.status_transitions.paid_at) == (NOW, NOW)
    on_clock: Any = {"test_clock": clock.id}
    assert [each.id for each in account.v1.customers.list(on_clock).data] == [customer]
    assert [each.id for each in account.v1.subscriptions.list(on_clock).data] == [made.id]
    assert [each.id for each in account.v1.subscriptions.list({"customer": customer}).data] == [made.id]
    assert account.v1.subscriptions.list({"price": item_of(made).price.id}).data == []


def test_a_month_is_as_long_as_the_calendar_has_it(account: Account, customer: str) -> None:
    made = account.subscribe(customer, account.price(recurring={"interval": "month"}).id)
    assert item_of(made).current_period_end == NOW + 28 * DAY  # from the 31st of January to the 28th of February


def test_it_is_renewed(account: Account, clock: stripe.test_helpers.TestClock, customer: str) -> None:
    made = account.subscribe(customer, account.price().id)
    account.advance(clock, RENEWED)
    renewed = account.status_becomes(made.id, "active")
    assert item_of(renewed).current_period_start == NOW + WEEK
    second, first = account.invoices(made.id)
    assert (first.billing_reason, second.billing_reason) == ("subscription_create", "subscription_cycle")
    assert (second.status, second.amount_paid, renewed.latest_invoice) == ("paid", 1000, second.id)


def test_a_trial_costs_nothing_until_it_ends(
    account: Account, clock: stripe.test_helpers.TestClock, customer: str
) -> None:
    made = account.subscribe(customer, account.price().id, trial_period_days=5)
    assert (made.status, made.trial_end) == ("trialing", NOW + 5 * DAY)
    assert sum(each.total for each in account.invoices(made.id)) == 0
    account.advance(clock, NOW + 5 * DAY + 2 * HOUR)
    over = account.status_becomes(made.id, "active")
    assert item_of(over).current_period_start == NOW + 5 * DAY
    assert account.invoices(made.id)[0].amount_paid == 1000


@pytest.mark.parametrize(("missing", "status"), [("cancel", "canceled"), ("pause", "paused")])
def test_a_trial_can_end_without_a_card(
    account: Account, clock: stripe.test_helpers.TestClock, missing: str, status: str
) -> None:
    customer = account.customer(card=None, test_clock=clock.id).id
    ends: Any = {"end_behavior": {"missing_payment_method": missing}}
    made = account.subscribe(customer, account.price().id, trial_period_days=5, trial_settings=ends)
    account.advance(clock, NOW + 5 * DAY + 2 * HOUR)
    account.status_becomes(made.id, status)


def test_what_was_paused_goes_on_once_it_is_paid(account: Account, clock: stripe.test_helpers.TestClock) -> None:
    customer = account.customer(card=None, test_clock=clock.id).id
    ends: Any = {"end_behavior": {"missing_payment_method": "pause"}}
    made = account.subscribe(customer, account.price().id, trial_period_days=5, trial_settings=ends)
    account.advance(clock, NOW + 6 * DAY)
    account.status_becomes(made.id, "paused")
    account.give_card(customer, FAILS)
    resuming = account.v1.subscriptions.resume(made.id)
    assert resuming.status == "paused"
    owed = account.v1.invoices.retrieve(resuming.latest_invoice)
    assert (owed.status, owed.amount_remaining) == ("open", 1000)
    account.give_card(customer, "pm_card_visa")
    account.v1.invoices.pay(owed.id)
    running = account.status_becomes(made.id, "active")
    assert item_of(running).current_period_start == NOW + 6 * DAY


def test_what_was_paused_stays_so_when_it_is_not_paid_in_time(
    account: Account, clock: stripe.test_helpers.TestClock
) -> None:
    customer = account.customer(card=None, test_clock=clock.id).id
    ends: Any = {"end_behavior": {"missing_payment_method": "pause"}}
    made = account.subscribe(customer, account.price().id, trial_period_days=5, trial_settings=ends)
    account.advance(clock, NOW + 6 * DAY)
    account.status_becomes(made.id, "paused")
    account.give_card(customer, FAILS)
    owed = account.v1.subscriptions.resume(made.id).latest_invoice
    account.advance(clock, NOW + 7 * DAY + 2 * HOUR)
    assert account.v1.invoices.retrieve(owed).status == "void"
    assert account.v1.subscriptions.retrieve(made.id).status == "paused"


@pytest.mark.parametrize("ends", [{"cancel_at_period_end": True}, {"cancel_at": NOW + 10 * DAY}], ids=" ".join)
def test_it_ends_when_it_was_to(
    account: Account, clock: stripe.test_helpers.TestClock, customer: str, ends: Any
) -> None:
    made = account.subscribe(customer, account.price().id)
    ending = account.v1.subscriptions.update(made.id, ends)
    assert ending.status == "active" and ending.canceled_at == NOW
    account.advance(clock, NOW + 11 * DAY)
    ended = account.status_becomes(made.id, "canceled")
    assert ended.ended_at == ending.cancel_at
    assert ended.cancellation_details.reason == "cancellation_requested"


def test_an_incomplete_one_expires_after_23_hours(account: Account, clock: stripe.test_helpers.TestClock) -> None:
    customer = account.customer(card=FAILS, test_clock=clock.id).id
    made = account.subscribe(customer, account.price().id)
    account.advance(clock, NOW + 22 * HOUR)
    assert account.v1.subscriptions.retrieve(made.id).status == "incomplete"
    account.advance(clock, NOW + 25 * HOUR)
    account.status_becomes(made.id, "incomplete_expired")
    assert account.v1.invoices.retrieve(made.latest_invoice).status == "void"


def test_a_renewal_that_fails_is_past_due_until_it_is_paid(
    account: Account, clock: stripe.test_helpers.TestClock, customer: str
) -> None:
    made = account.subscribe(customer, account.price().id)
    account.give_card(customer, FAILS)
    account.advance(clock, RENEWED)
    owing = account.status_becomes(made.id, "past_due")
    owed = account.v1.invoices.retrieve(owing.latest_invoice)
    assert (owed.status, owed.amount_remaining, owed.attempt_count) == ("open", 1000, 1)
    assert NOW + WEEK <= owed.status_transitions.finalized_at <= RENEWED
    assert owed.next_payment_attempt > RENEWED
    account.give_card(customer, "pm_card_visa")
    assert account.v1.subscriptions.retrieve(made.id).status == "past_due"
    account.v1.invoices.pay(owed.id)
    account.status_becomes(made.id, "active")


def test_the_latest_invoice_decides_whatever_is_owed_from_before(
    account: Account, clock: stripe.test_helpers.TestClock, customer: str
) -> None:
    made = account.subscribe(customer, account.price().id)
    account.give_card(customer, FAILS)
    account.advance(clock, RENEWED)
    earlier = account.status_becomes(made.id, "past_due").latest_invoice
    account.advance(clock, RENEWED + WEEK)
    latest = account.status_becomes(made.id, "past_due").latest_invoice
    assert latest != earlier
    account.give_card(customer, "pm_card_visa")
    account.v1.invoices.pay(latest)
    account.status_becomes(made.id, "active")
    assert account.v1.invoices.retrieve(earlier).status == "open"


@pytest.mark.parametrize("settle", ["void_invoice", "mark_uncollectible"])
def test_what_is_written_off_is_owed_no_more(
    account: Account, clock: stripe.test_helpers.TestClock, customer: str, settle: str
) -> None:
    made = account.subscribe(customer, account.price().id)
    account.give_card(customer, FAILS)
    account.advance(clock, RENEWED)
    owing = account.status_becomes(made.id, "past_due")
    getattr(account.v1.invoices, settle)(owing.latest_invoice)
    account.status_becomes(made.id, "active")


def test_a_paused_collection_voids_what_is_made_meanwhile(
    account: Account, clock: stripe.test_helpers.TestClock, customer: str
) -> None:
    made = account.subscribe(customer, account.price().id)
    account.v1.subscriptions.update(made.id, {"pause_collection": {"behavior": "void"}})
    account.advance(clock, RENEWED)
    assert account.status_becomes(made.id, "active").pause_collection
    assert account.invoices(made.id)[0].status == "void"


def test_an_upgrade_is_on_the_next_invoice(
    account: Account, clock: stripe.test_helpers.TestClock, customer: str
) -> None:
    made = account.subscribe(customer, account.price().id)
    double = account.price(unit_amount=2000)
    account.advance(clock, HALF)
    account.v1.subscriptions.update(made.id, {"items": [{"id": item_of(made).id, "price": double.id}]})
    pending = account.v1.invoice_items.list({"customer": customer, "pending": True}).data
    assert sorted(each.amount for each in pending) == [-500, 1000]
    account.advance(clock, RENEWED)
    account.status_becomes(made.id, "active")
    invoice = account.invoices(made.id)[0]
    assert (invoice.total, sorted(line.amount for line in invoice.lines.data)) == (2500, [-500, 1000, 2000])
    prorated = [line for line in invoice.lines.data if line.parent.subscription_item_details.proration]
    assert {(line.period.start, line.period.end) for line in prorated} == {(HALF, NOW + WEEK)}


def test_more_seats_are_invoiced_at_once_when_asked_for(
    account: Account, clock: stripe.test_helpers.TestClock, customer: str
) -> None:
    made = account.subscribe(customer, account.price().id)
    account.advance(clock, HALF)
    params: Any = {"items": [{"id": item_of(made).id, "quantity": 3}], "proration_behavior": "always_invoice"}
    changed = account.v1.subscriptions.update(made.id, params)
    invoice = account.v1.invoices.retrieve(changed.latest_invoice)
    assert (invoice.total, invoice.billing_reason) == (1000, "subscription_update")
    assert sorted(line.amount for line in invoice.lines.data) == [-500, 1500]
    assert item_of(changed).current_period_end == NOW + WEEK


def test_nothing_is_prorated_when_that_is_asked_for(
    account: Account, clock: stripe.test_helpers.TestClock, customer: str
) -> None:
    made = account.subscribe(customer, account.price().id)
    account.advance(clock, HALF)
    params: Any = {"items": [{"id": item_of(made).id, "quantity": 3}], "proration_behavior": "none"}
    assert account.v1.subscriptions.update(made.id, params).latest_invoice == made.latest_invoice
    assert account.v1.invoice_items.list({"customer": customer}).data == []


def test_less_becomes_credit(account: Account, clock: stripe.test_helpers.TestClock, customer: str) -> None:
    made = account.subscribe(customer, account.price().id, items=[{"price": account.price().id, "quantity": 4}])
    account.advance(clock, HALF)
    params: Any = {"items": [{"id": item_of(made).id, "quantity": 1}], "proration_behavior": "always_invoice"}
    invoice = account.v1.invoices.retrieve(account.v1.subscriptions.update(made.id, params).latest_invoice)
    assert (invoice.total, invoice.amount_due, invoice.status) == (-1500, 0, "paid")
    assert account.v1.customers.retrieve(customer).balance == -1500


def test_another_interval_is_billed_from_now_on(
    account: Account, clock: stripe.test_helpers.TestClock, customer: str
) -> None:
    made = account.subscribe(customer, account.price().id)
    yearly = account.price(unit_amount=52_000, recurring={"interval": "year"})
    account.advance(clock, HALF)
    params: Any = {"items": [{"id": item_of(made).id, "price": yearly.id}]}
    changed = account.v1.subscriptions.update(made.id, params)
    assert item_of(changed).current_period_start == HALF
    assert account.v1.invoices.retrieve(changed.latest_invoice).total == 52_000 - 500


def test_what_is_owed_is_not_collected_after_the_end(
    account: Account, clock: stripe.test_helpers.TestClock, customer: str
) -> None:
    made = account.subscribe(customer, account.price().id)
    account.give_card(customer, FAILS)
    account.advance(clock, RENEWED)
    owed = account.status_becomes(made.id, "past_due").latest_invoice
    account.v1.subscriptions.cancel(made.id)
    left = account.v1.invoices.retrieve(owed)
    assert (left.status, left.auto_advance, left.next_payment_attempt) == ("open", False, None)


def test_what_a_change_cost_is_forgotten_when_it_is_canceled_at_once(
    account: Account, clock: stripe.test_helpers.TestClock, customer: str
) -> None:
    made = account.subscribe(customer, account.price().id)
    account.advance(clock, HALF)
    account.v1.subscriptions.update(made.id, {"items": [{"id": item_of(made).id, "quantity": 3}]})
    account.v1.subscriptions.cancel(made.id)
    assert account.v1.invoice_items.list({"customer": customer, "pending": True}).data == []


def test_what_a_change_cost_is_billed_when_it_ends_with_the_period(
    account: Account, clock: stripe.test_helpers.TestClock, customer: str
) -> None:
    made = account.subscribe(customer, account.price().id)
    account.advance(clock, HALF)
    items: Any = [{"id": item_of(made).id, "quantity": 3}]
    account.v1.subscriptions.update(made.id, {"items": items, "cancel_at_period_end": True})
    account.advance(clock, RENEWED)
    account.status_becomes(made.id, "canceled")
    assert account.invoices(made.id)[0].total == -500 + 1500


def test_a_clock_goes_forward_by_two_intervals_at_most(
    account: Account, clock: stripe.test_helpers.TestClock, customer: str
) -> None:
    account.subscribe(customer, account.price().id)
    for until in (NOW, NOW - 1, NOW + 3 * WEEK):
        with pytest.raises(stripe.InvalidRequestError):
            account.advance(clock, until)
    assert account.v1.test_helpers.test_clocks.retrieve(clock.id).frozen_time == NOW


def test_a_deleted_clock_takes_its_customers_along(
    account: Account, clock: stripe.test_helpers.TestClock, customer: str
) -> None:
    account.subscribe(customer, account.price().id)
    assert account.v1.test_helpers.test_clocks.delete(clock.id).deleted
    with pytest.raises(stripe.InvalidRequestError):
        account.v1.test_helpers.test_clocks.retrieve(clock.id)
    with pytest.raises(stripe.InvalidRequestError):
        account.v1.customers.create({"test_clock": clock.id})
