"""A year that a tenant lives through, told once on Stripe's test clock and once as the calendar itself."""

from typing import Any

import pytest

from tests.support.told import ToldTenant
from tests.support.vendor import Vendor
from tests.support.year import CalendarYear, TestClockYear, Year


@pytest.fixture(
    params=[
        pytest.param(TestClockYear, id=TestClockYear.kind),
        pytest.param(CalendarYear, id=CalendarYear.kind, marks=pytest.mark.slow),
    ]
)
def year(request: pytest.FixtureRequest, vendor: Vendor, live_server: Any) -> Year:
    """It begins on the 15th of January."""
    kind: type[Year] = request.param
    return kind(vendor, live_server.url)


@pytest.fixture
def acme(year: Year) -> ToldTenant:
    """A customer with a card that pays, who has not subscribed to anything yet."""
    return ToldTenant(year)


@pytest.fixture
def starter(year: Year) -> str:
    """The price of the plan that most stories begin with: 9 a month."""
    return year.vendor.price(name="Starter", amount=900, limits={"max-users": "3", "max-applications": "5"})


@pytest.fixture
def business(year: Year) -> str:
    """The price of a larger plan: 90 a month."""
    return year.vendor.price(name="Business", amount=9000, limits={"max-users": "50"})
