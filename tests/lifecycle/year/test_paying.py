"""A tenant's year, as long as its customer pays: by the month, by the year, after a trial, with other plans."""

import pytest

from tests.factories import make_member
from tests.support.told import ToldTenant
from tests.support.year import TestClockYear, Year

# Where nothing depends on whose time it is, once is enough.
on_a_test_clock = pytest.mark.parametrize("year", [TestClockYear], ids=["test clock"], indirect=True)
STARTER = {"users": 3, "applications": 5}
BUSINESS = {"users": 50}


def test_by_the_month(year: Year, acme: ToldTenant, starter: str) -> None:
    acme.subscribes(starter)
    acme.is_("approved", plan="plan:starter@1", limits=STARTER, paid=1)
    year.advance(days=20)
    acme.is_("approved")
    year.advance(days=11)
    acme.is_("approved", paid=2)
    year.advance(months=10)
    acme.is_("approved", paid=12)


def test_by_the_year(year: Year, acme: ToldTenant) -> None:
    acme.subscribes(year.vendor.price(name="Annual", amount=9900, limits={"max-users": "3"}, interval="year"))
    acme.is_("approved", plan="plan:annual@1", limits={"users": 3}, paid=1)
    year.advance(days=364)
    acme.is_("approved")
    year.advance(days=1)
    acme.is_("approved", paid=2)
    assert acme.paid_amounts() == [9900, 9900]


def test_a_trial_that_is_paid_for_when_it_ends(year: Year, acme: ToldTenant, starter: str) -> None:
    acme.subscribes(starter, trial_period_days=14)
    acme.is_("approved", plan="plan:starter@1", limits=STARTER)
    year.advance(days=12)
    acme.is_("approved")
    year.advance(days=2)
    acme.is_("approved", paid=1)
    year.advance(months=1)
    acme.is_("approved", paid=2)


def test_an_upgrade_gives_its_limits_at_once_and_costs_its_share(
    year: Year, acme: ToldTenant, starter: str, business: str
) -> None:
    acme.subscribes(starter)
    acme.is_("approved", plan="plan:starter@1", limits=STARTER, paid=1)
    year.advance(days=15.5)
    acme.moves_to(business)
    acme.is_("approved", plan="plan:business@1", limits=BUSINESS)
    year.advance(days=15.5)
    acme.is_("approved", paid=2)
    # Half of what Starter cost comes back, half of what Business costs is due, and the month that begins.
    assert acme.paid_amounts() == [900, -450 + 4500 + 9000]


@on_a_test_clock
def test_an_upgrade_can_be_paid_at_once(year: Year, acme: ToldTenant, starter: str, business: str) -> None:
    acme.subscribes(starter)
    year.advance(days=15.5)
    acme.moves_to(business, proration_behavior="always_invoice")
    acme.is_("approved", plan="plan:business@1", limits=BUSINESS, paid=2)
    assert acme.paid_amounts() == [900, -450 + 4500]


def test_an_upgrade_that_is_not_paid_flags_the_tenant_with_its_new_limits(
    year: Year, acme: ToldTenant, starter: str, business: str
) -> None:
    acme.subscribes(starter)
    year.advance(days=15.5)
    owed_since = year.now
    acme.pays_with("pm_card_chargeCustomerFail")
    acme.moves_to(business, proration_behavior="always_invoice")
    acme.is_(
        "flagged",
        "Stripe subscription past due",
        plan="plan:business@1",
        limits=BUSINESS,
        paid=1,
        again=year.days_after(owed_since, 21),
    )


def test_a_downgrade_lowers_the_limits_and_deletes_nothing(
    year: Year, acme: ToldTenant, starter: str, business: str
) -> None:
    acme.subscribes(business)
    acme.is_("approved", plan="plan:business@1", limits=BUSINESS, paid=1)
    for name in ("bob", "cem", "dee", "eve"):
        make_member(acme.tenant, name)
    year.advance(days=15.5)
    acme.moves_to(starter)
    acme.is_("approved", plan="plan:starter@1", limits=STARTER)
    acme.has_users("acme", "bob", "cem", "dee", "eve")
    year.advance(days=15.5)
    # The unused half of Business covers the next months of Starter.
    acme.is_("approved", paid=1)
    year.advance(months=4)
    acme.is_("approved", paid=2)
    acme.has_users("acme", "bob", "cem", "dee", "eve")


@on_a_test_clock
def test_more_of_the_same_plan(year: Year, acme: ToldTenant, starter: str) -> None:
    acme.subscribes(starter)
    year.advance(days=15.5)
    acme.buys(quantity=3)
    acme.is_("approved", plan="plan:starter@1", limits=STARTER, paid=1)
    year.advance(days=15.5)
    acme.is_("approved", paid=2)
    assert acme.paid_amounts() == [900, -450 + 1350 + 2700]


@on_a_test_clock
@pytest.mark.parametrize(
    "behavior",
    [
        "void",
        pytest.param("keep_as_draft", marks=pytest.mark.slow),
        pytest.param("mark_uncollectible", marks=pytest.mark.slow),
    ],
)
def test_a_paused_collection_keeps_the_tenant(year: Year, acme: ToldTenant, starter: str, behavior: str) -> None:
    acme.subscribes(starter)
    acme.updates(pause_collection={"behavior": behavior})
    acme.is_("approved", plan="plan:starter@1", limits=STARTER, paid=1)
    year.advance(months=2)
    acme.is_("approved")
    acme.updates(pause_collection="")
    acme.is_("approved")
    year.advance(months=1)
    acme.is_("approved", paid=2)
