"""A tenant's year when its customer does not pay: retries, 21 days of grace, the end of a trial without a card.

Since when a payment is due is when its invoice was finalized, whenever it is tried to collect it.
"""

import pytest

from tests.support.told import ToldTenant
from tests.support.year import Year

STARTER = {"users": 3, "applications": 5}
PAST_DUE = "Stripe subscription past due"
TOO_LONG = "Stripe subscription past due for more than 21 days"
FAILS = "pm_card_chargeCustomerFail"
PAYS = "pm_card_visa"
SECOND = 1 / 86_400


@pytest.fixture
def owing(year: Year, acme: ToldTenant, starter: str) -> ToldTenant:
    """A tenant whose second month has just not been paid; Stripe leaves it past due after the last retry."""
    year.vendor.standin.configure_billing(after_retries="past_due")
    acme.subscribes(starter)
    acme.is_("approved", plan="plan:starter@1", limits=STARTER, paid=1)
    acme.pays_with(FAILS)
    year.advance(months=1)
    acme.is_("flagged", PAST_DUE, again=year.days_after(year.now, 21))
    return acme


def test_past_due_and_recovered_by_a_retry(year: Year, owing: ToldTenant) -> None:
    due = year.days_after(year.now, 21)
    year.advance(days=3)
    owing.is_("flagged", PAST_DUE, again=due)
    owing.pays_with(PAYS)
    owing.is_("flagged", PAST_DUE, again=due)
    year.advance(days=5)
    owing.is_("approved", paid=2)
    year.advance(months=1)
    owing.is_("approved", paid=3)


def test_past_due_for_21_days_then_paid(year: Year, owing: ToldTenant) -> None:
    due = year.days_after(year.now, 21)
    for days in (3, 5, 7):
        year.advance(days=days)
        owing.is_("flagged", PAST_DUE, again=due)
    year.go_to(year.days_after(due, -SECOND))
    owing.is_("flagged", PAST_DUE, again=due)
    year.go_to(due)
    owing.is_("suspended", TOO_LONG, by=year.time_itself)
    (invoice,) = owing.open_invoices()
    assert invoice.attempt_count == 4

    owing.pays_with(PAYS)
    owing.pays(invoice.id)
    owing.is_("approved", paid=2)
    year.advance(months=1)
    owing.is_("approved", paid=3)


def test_a_payment_that_fails_by_hand_gives_no_more_time(year: Year, owing: ToldTenant) -> None:
    due = year.days_after(year.now, 21)
    year.advance(days=20)
    owing.fails_to_pay(owing.open_invoices()[0].id)
    owing.is_("flagged", PAST_DUE, again=due)
    year.go_to(due)
    owing.is_("suspended", TOO_LONG, by=year.time_itself)


def test_the_oldest_of_two_unpaid_months_counts(year: Year, owing: ToldTenant) -> None:
    year.advance(months=1)
    owing.is_("suspended", TOO_LONG)
    first, second = owing.open_invoices()
    owing.pays_with(PAYS)
    owing.pays(first.id)
    owing.is_("flagged", PAST_DUE, paid=2, again=year.days_after(year.now, 21))
    owing.pays(second.id)
    owing.is_("approved", paid=3)


def test_a_month_that_was_skipped_counts_as_long_as_it_is_open(year: Year, owing: ToldTenant) -> None:
    year.advance(months=1)
    skipped, latest = owing.open_invoices()
    owing.pays_with(PAYS)
    owing.pays(latest.id)
    owing.is_("approved", paid=2)
    year.advance(months=1)
    owing.is_("approved", paid=3)
    owing.pays_with(FAILS)
    year.advance(months=1)
    owing.is_("suspended", TOO_LONG)

    year.vendor.client.v1.invoices.mark_uncollectible(skipped.id)
    year.settle()
    owing.is_("flagged", PAST_DUE, again=year.days_after(year.now, 21))


def test_writing_off_what_is_owed_ends_it(year: Year, owing: ToldTenant) -> None:
    year.vendor.client.v1.invoices.mark_uncollectible(owing.open_invoices()[0].id)
    year.settle()
    owing.is_("approved")


def test_stripe_gives_up_before_the_days_of_grace_are_over(year: Year, acme: ToldTenant, starter: str) -> None:
    year.vendor.standin.configure_billing(after_retries="canceled")
    acme.subscribes(starter)
    acme.pays_with(FAILS)
    year.advance(months=1)
    year.advance(days=15)
    acme.is_("suspended", "Stripe subscription ended", plan="", limits={}, paid=1)


def test_unpaid_and_back(year: Year, acme: ToldTenant, starter: str) -> None:
    year.vendor.standin.configure_billing(after_retries="unpaid")
    acme.subscribes(starter)
    acme.pays_with(FAILS)
    year.advance(months=1)
    year.advance(days=15)
    acme.is_("suspended", "Stripe subscription unpaid", plan="plan:starter@1", limits=STARTER, paid=1)
    acme.pays_with(PAYS)
    acme.pays(acme.open_invoices()[0].id)
    acme.is_("approved", paid=2)


def test_a_trial_that_ends_without_a_card_is_past_due(year: Year, acme: ToldTenant, starter: str) -> None:
    acme.has_no_card()
    acme.subscribes(starter, trial_period_days=14)
    acme.is_("approved", plan="plan:starter@1", limits=STARTER)
    year.advance(days=14)
    acme.is_("flagged", PAST_DUE, again=year.days_after(year.now, 21))
    acme.pays_with(PAYS)
    year.advance(days=3)
    acme.is_("approved", paid=1)


def test_a_trial_that_ends_without_a_card_can_pause(year: Year, acme: ToldTenant, starter: str) -> None:
    acme.has_no_card()
    ends: dict[str, object] = {"trial_settings": {"end_behavior": {"missing_payment_method": "pause"}}}
    acme.subscribes(starter, trial_period_days=14, **ends)
    year.advance(days=14)
    acme.is_("suspended", "Stripe subscription paused", plan="plan:starter@1", limits=STARTER)
    year.advance(months=2)
    acme.is_("suspended", "Stripe subscription paused")
    acme.resumes()
    acme.is_("suspended", "Stripe subscription paused")
    acme.pays_with(PAYS)
    acme.pays(acme.open_invoices()[0].id)
    acme.is_("approved", paid=1)
    year.advance(months=1)
    acme.is_("approved", paid=2)


def test_a_trial_that_ends_without_a_card_can_end_it_all(year: Year, acme: ToldTenant, starter: str) -> None:
    acme.has_no_card()
    ends: dict[str, object] = {"trial_settings": {"end_behavior": {"missing_payment_method": "cancel"}}}
    acme.subscribes(starter, trial_period_days=14, **ends)
    year.advance(days=13)
    acme.is_("approved", plan="plan:starter@1", limits=STARTER)
    year.advance(days=1)
    acme.is_("suspended", "Stripe subscription ended", plan="", limits={})
