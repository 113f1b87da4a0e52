"""Pushing a pricing.json into an account, on the stand-in for Stripe."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import stripe

from apps.billing import gateway
from apps.billing.errors import StripeUnavailable
from apps.lifecycle.publishing import services
from apps.lifecycle.publishing.types import Account, Result
from apps.plans import published
from apps.plans.models import Charge, PlanVersion
from apps.plans.pricing.reading import read
from apps.plans.pricing.types import Document
from apps.plans.pricing.writing import write
from tests.factories import NOW, SOMEBODY
from tests.support.standin import StandIn

pytestmark = pytest.mark.django_db
BY = {"actor": SOMEBODY, "now": NOW}
EXAMPLES = Path(__file__).parents[2] / "plans" / "pricing" / "examples"
SMALL = """{"plans": {"plan:pro@1": {"title": "Pro", "features": {
  "feature:base": {"title": "Base fee", "base": 990.5},
  "feature:calls": {"tiers": [{"upto": 1000}, {"upto": 5000, "price": 0.000000000001}, {"price": 0.25, "base": 500}]},
  "feature:seats": {"mode": "volume", "aggregate": "max", "tiers": [{"upto": 5}, {"upto": 50, "price": 300}]},
  "feature:mail": {"aggregate": "last", "divide": {"by": 100, "rounding": "up"}, "tiers": [{"price": 7, "upto": 9}]}
}}}}"""


@pytest.fixture(autouse=True)
def _standin(standin: StandIn) -> None:
    """Every test here talks to an empty account."""


def push(document: Document | str) -> tuple[Result, ...]:
    return services.push(read(document) if isinstance(document, str) else document, **BY)


def told(results: tuple[Result, ...]) -> set[tuple[bool, str]]:
    return {(each.ok, each.reason) for each in results}


def ids(account: Account) -> set[str]:
    return {each.id for each in (*account.products, *account.prices, *account.meters)}


def test_an_empty_account_gets_everything() -> None:
    assert told(push(SMALL)) == {(True, "created")}
    account = services.account()
    assert [(each.id, each.name, each.active) for each in account.products] == [("tier__plan-pro-1", "Pro", True)]
    assert {each.event_name: each.formula for each in account.meters} == {
        "tenantry_calls": "sum",
        "tenantry_seats": "last",
        "tenantry_mail": "last",
    }
    calls = next(each for each in account.prices if each.lookup_key == "tier__feature-calls-plan-pro-1")
    assert calls.metadata["tier.feature"] == "feature:calls@plan:pro@1"
    assert calls.metadata["tier.plan_title"] == "Pro"
    assert calls.metadata["tier.limit"] == "9223372036854775807"
    assert {each.product_id for each in account.prices} == {"tier__plan-pro-1"}


def test_what_was_pushed_is_pulled_as_the_same_file() -> None:
    push(SMALL)
    assert write(services.pull()) == write(read(SMALL))


@pytest.mark.parametrize("name", ["pulled.json", "extended.hujson"])
def test_the_examples_come_back(name: str) -> None:
    document = read((EXAMPLES / name).read_text())
    assert told(push(document)) == {(True, "created")}
    pulled = services.pull()
    assert told(push(pulled)) == {(True, "feature already exists")}
    # Credit types are the credits'.
    assert {**pulled.extension.plans} == {**document.extension.plans}


def test_a_second_push_makes_nothing() -> None:
    push(SMALL)
    before = services.account()
    assert told(push(SMALL)) == {(True, "feature already exists")}
    assert services.account() == before


def test_the_catalogue_knows_the_prices() -> None:
    results = push(SMALL)
    assert set(Charge.objects.values_list("stripe_price_id", flat=True)) == {each.price_id for each in results}
    version = PlanVersion.objects.get()
    assert set(published.versions_of_prices([each.price_id for each in results]).values()) == {version}


def test_a_preview_says_what_a_push_does_and_does_nothing() -> None:
    difference, results = services.preview(read(SMALL), **BY)
    assert (len(difference.meters), len(difference.products), len(difference.prices)) == (3, 1, 4)
    assert not ids(services.account())
    assert not PlanVersion.objects.exists()
    assert {(each.place, each.ok, each.reason) for each in results} == {
        (each.place, each.ok, each.reason) for each in push(SMALL)
    }
    assert services.preview(read(SMALL), **BY)[0].is_empty


@pytest.mark.parametrize(
    ("before", "after"),
    [('"base": 990.5', '"base": 991'), ('"upto": 5000', '"upto": 5001'), ('"title": "Pro"', '"title": "Prof"')],
)
def test_another_content_is_refused_and_nothing_is_done(before: str, after: str) -> None:
    push(SMALL)
    account = services.account()
    assert told(push(SMALL.replace(before, after))) == {(False, "plan already exists")}
    assert services.account() == account


def test_another_content_is_refused_where_only_the_account_knows_the_plan() -> None:
    push(SMALL)
    PlanVersion.objects.all().delete()
    assert told(push(SMALL.replace('"base": 990.5', '"base": 991'))) == {(False, "plan already exists")}
    assert told(push(SMALL)) == {(True, "feature already exists")}
    assert PlanVersion.objects.exists()


def test_another_meter_under_the_name_is_told() -> None:
    push(SMALL)
    another = SMALL.replace("plan:pro@1", "plan:pro@2").replace('"aggregate": "max", ', "")
    PlanVersion.objects.all().delete()
    assert (False, "the meter of tenantry_seats aggregates by last, not by sum") in told(push(another))


class Line:
    """The line to Stripe, which breaks at the n-th request: before it arrives, or before its answer does."""

    def __init__(self, breaks_at: int, *, arrives: bool) -> None:
        self.breaks_at, self.arrives, self.requests = breaks_at, arrives, 0

    def carry(self, send: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        self.requests += 1
        if self.requests == self.breaks_at and not self.arrives:
            raise stripe.APIConnectionError("cut", should_retry=False)
        answer = send(*args, **kwargs)
        if self.requests == self.breaks_at:
            raise stripe.APIConnectionError("cut", should_retry=False)
        return answer


@contextmanager
def line(breaks_at: int = 0, *, arrives: bool = False) -> Iterator[Line]:
    made, send = Line(breaks_at, arrives=arrives), stripe.RequestsClient.request
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stripe.RequestsClient, "request", lambda *args, **kwargs: made.carry(send, *args, **kwargs))
        yield made


@pytest.mark.parametrize("arrives", [False, True])
def test_interrupted_at_any_request_a_second_push_finishes_it(standin: StandIn, *, arrives: bool) -> None:
    with line() as whole:
        push(SMALL)
    expected = write(services.pull())
    lookup_keys = {each.lookup_key for each in services.account().prices}
    assert whole.requests > 8
    for number in range(1, whole.requests + 1):
        standin.reset()
        PlanVersion.objects.all().delete()
        with line(number, arrives=arrives), pytest.raises(StripeUnavailable):
            push(SMALL)
        assert {each.ok for each in push(SMALL)} == {True}
        account = services.account()
        assert write(services.pull()) == expected
        assert sorted(each.lookup_key for each in account.prices) == sorted(lookup_keys)
        assert (len(account.products), len(account.meters)) == (1, 3)
        assert PlanVersion.objects.count() == 1


def test_a_price_that_stripe_refuses_is_told_and_the_others_are_made() -> None:
    document = read('{"plans": {"plan:a@1": {"features": {"feature:x": {"base": 1}, "feature:y": {"base": 2}}}}}')
    gateway.client().v1.prices.create(
        {
            "lookup_key": "tier__feature-x-plan-a-1",
            "currency": "usd",
            "unit_amount": 1,
            "product_data": {"name": "Somebody else's"},
        }
    )
    results = {str(each.place.feature): each for each in push(document)}
    assert results["feature:y"].ok
    assert not results["feature:x"].ok
    assert "already uses that lookup key" in results["feature:x"].reason
    assert not PlanVersion.objects.exists()
