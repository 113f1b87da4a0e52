"""The end of a tenant's year, announced or not, and what comes after it."""

from typing import Any

import pytest

from apps.plans.catalogue import publish_plan, set_default_plan
from apps.plans.resolution import Grant
from tests.factories import NOW, SOMEBODY, make_member
from tests.support.told import ToldTenant
from tests.support.year import TestClockYear, Year

STARTER = {"users": 3, "applications": 5}
BUSINESS = {"users": 50}
ENDED = "Stripe subscription ended"
# With its last subscription a tenant loses its plan; it is suspended, so what nobody limits is of no use to it.
NO_PLAN: dict[str, Any] = {"plan": "", "limits": {}}


def test_cancelled_at_the_end_of_the_month(year: Year, acme: ToldTenant, starter: str) -> None:
    acme.subscribes(starter)
    end = year.days_after(year.now, 31)
    year.advance(days=10)
    acme.updates(cancel_at_period_end=True)
    acme.is_("approved", plan="plan:starter@1", limits=STARTER, paid=1, again=end)
    acme.updates(cancel_at_period_end=False)
    acme.is_("approved")
    acme.updates(cancel_at_period_end=True)
    year.advance(days=20)
    acme.is_("approved", again=end)
    year.go_to(end)
    acme.is_("suspended", ENDED, **NO_PLAN)
    year.advance(months=6)
    acme.is_("suspended", ENDED)


def test_cancelled_at_a_date(year: Year, acme: ToldTenant, starter: str) -> None:
    acme.subscribes(starter)
    end = year.days_after(year.now, 45)
    acme.updates(cancel_at=int(end.timestamp()))
    acme.is_("approved", plan="plan:starter@1", limits=STARTER, paid=1, again=end)
    year.advance(months=1)
    acme.is_("approved", paid=2, again=end)
    year.go_to(end)
    acme.is_("suspended", ENDED, **NO_PLAN)


def test_cancelled_now(year: Year, acme: ToldTenant, starter: str) -> None:
    acme.subscribes(starter)
    year.advance(days=10)
    acme.cancels_now()
    acme.is_("suspended", ENDED, **NO_PLAN, paid=1)


def test_the_end_comes_at_its_time_though_every_event_about_it_is_lost(
    year: Year, acme: ToldTenant, starter: str
) -> None:
    acme.subscribes(starter)
    acme.updates(cancel_at_period_end=True)
    year.advance(days=31, heard=False)
    acme.catches_up()
    acme.is_("suspended", ENDED, **NO_PLAN, paid=1, by=year.time_itself)


def test_a_beginning_of_which_nothing_was_heard_is_found_by_catching_up(
    year: Year, acme: ToldTenant, starter: str
) -> None:
    acme.subscribes(starter, heard=False)
    acme.catches_up()
    acme.is_("approved", plan="plan:starter@1", limits=STARTER, paid=1)


def test_returned_to_the_same_tenant(year: Year, acme: ToldTenant, starter: str, business: str) -> None:
    acme.subscribes(starter)
    make_member(acme.tenant, "max")
    before = acme.tenant
    acme.cancels_now()
    acme.is_("suspended", ENDED, **NO_PLAN, paid=1)
    year.advance(months=7)

    # Whoever comes back need not say which tenant it was.
    acme.subscribes(business, metadata={})
    acme.is_("approved", plan="plan:business@1", limits=BUSINESS, paid=2)
    assert (acme.tenant.pk, acme.tenant.schema_name) == (before.pk, before.schema_name)
    acme.has_users("acme", "max")
    year.advance(months=1)
    acme.is_("approved", paid=3)


@pytest.mark.parametrize("year", [TestClockYear], ids=["test clock"], indirect=True)
def test_where_there_is_a_default_plan_it_takes_the_place_of_the_one_that_ended(
    year: Year, acme: ToldTenant, starter: str
) -> None:
    publish_plan(key="free", grants={"users": Grant(limit=1)}, actor=SOMEBODY, now=NOW)
    set_default_plan(key="free", actor=SOMEBODY, now=NOW)
    acme.subscribes(starter)
    acme.is_("approved", plan="plan:starter@1", limits=STARTER, paid=1)
    acme.cancels_now()
    acme.is_("suspended", ENDED, plan="plan:free@1", limits={"users": 1})
    acme.subscribes(starter, metadata={})
    acme.is_("approved", plan="plan:starter@1", limits=STARTER, paid=2)
