"""Accounts that Tier laid out, one product per feature, before there were meters."""

import json
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import requests
import stripe
from django.conf import settings as configured
from hypothesis import given, settings

from apps.billing import gateway
from apps.billing.offered import OfferedPrice
from apps.lifecycle.publishing import services
from apps.lifecycle.publishing.difference import difference
from apps.lifecycle.publishing.errors import UnpushablePricing
from apps.lifecycle.publishing.layout import AGGREGATE, FEATURE, layout_of
from apps.lifecycle.publishing.reading import document_of
from apps.lifecycle.publishing.types import Account, Layout
from apps.plans.pricing.catalogued import effective
from apps.plans.pricing.errors import UnconvertiblePricing
from apps.plans.pricing.reading import read
from apps.plans.pricing.types import Aggregate, Document
from apps.plans.pricing.writing import write
from tests.factories import NOW, SOMEBODY
from tests.plans.pricing.strategies import documents
from tests.support.standin import StandIn

EXAMPLES = Path(__file__).parents[2] / "plans" / "pricing" / "examples"
USAGE_RECORDS = {
    Aggregate.SUM: "sum",
    Aggregate.MAX: "max",
    Aggregate.LAST: "last_during_period",
    Aggregate.PERPETUAL: "last_ever",
}


def _laid_out_by_tier(layout: Layout) -> list[OfferedPrice]:
    """The same prices, each with a product of its own, counting by usage records, without what is not Tier's."""
    return [_of_tier(each.price) for each in layout.prices if each.place.position == 0]


def _of_tier(price: OfferedPrice) -> OfferedPrice:
    aggregate = price.metadata.get(AGGREGATE)
    return replace(
        price,
        id=f"price_{price.lookup_key}",
        product_id=price.lookup_key,
        metadata={name: told for name, told in price.metadata.items() if name.startswith("tier.")},
        aggregate_usage=USAGE_RECORDS[Aggregate(aggregate)] if aggregate else "",
    )


def _as_read(document: Document) -> Document:
    plans = {
        ref: replace(plan, features={name: effective(each) for name, each in plan.features.items()})
        for ref, plan in document.plans.items()
    }
    return Document(plans)


def _laid_out(document: Document) -> Layout | None:
    try:
        return layout_of(document)
    except (UnpushablePricing, UnconvertiblePricing):
        return None


@settings(max_examples=60, deadline=None)
@given(document=documents(extended=False).filter(_laid_out))
def test_any_account_that_tier_laid_out_is_read_as_the_same_file(document: Document) -> None:
    layout = layout_of(document)
    prices = _laid_out_by_tier(layout)
    assert write(document_of(prices, ())) == write(_as_read(document))
    lacking = difference(document, layout, Account(prices=tuple(prices)))
    assert (lacking.conflicts, lacking.prices, lacking.meters) == ((), (), ())


@pytest.mark.django_db
class TestOnTheStandIn:
    """An account with prices that the stand-in keeps, as Stripe shows them today."""

    @pytest.fixture(autouse=True)
    def _account(self, standin: StandIn) -> None:
        self.standin = standin
        self.document = read((EXAMPLES / "tier.hujson").read_text())
        meter = gateway.client().v1.billing.meters.create(
            {"event_name": "any", "display_name": "Any", "default_aggregation": {"formula": "sum"}}
        )
        for price in _laid_out_by_tier(layout_of(self.document)):
            self._make(price, meter.id)
        for ref in self.document.plans:
            sentinel = f"tier__plan-{ref.name}-{ref.version}".replace(":", "-")
            gateway.client().v1.products.create({"id": sentinel, "name": str(ref), "active": False})

    def _make(self, price: OfferedPrice, meter: str) -> None:
        named = {"id": price.product_id, "name": f"{price.metadata['tier.plan_title']} - {price.nickname}"}
        gateway.client().v1.products.create(named)  # type: ignore[arg-type]
        made = gateway.create_price(replace(price, meter=meter if price.tariff.metered else ""))
        if price.tariff.metered:
            requests.post(f"{self.standin.url}/_sandbox/prices/{made.id}/legacy", timeout=20).raise_for_status()

    def test_it_is_pulled_as_the_same_file(self) -> None:
        # Stripe no longer tells what former usage records add up to: everything is a sum.
        sums = write(_as_read(self.document))
        for aggregate in ("max", "last", "perpetual"):
            sums = sums.replace(f',\n          "aggregate": "{aggregate}"', "").replace(
                f'          "aggregate": "{aggregate}",\n', ""
            )
        assert write(services.pull()) == sums

    def test_pushing_the_file_again_makes_nothing_and_names_what_should_move_to_meters(self) -> None:
        pulled = services.pull()
        before = services.account()
        made, results = services.preview(pulled, actor=SOMEBODY, now=NOW)
        metered = [each.id for each in before.prices if each.tariff.metered]
        assert made.is_empty
        assert made.legacy == tuple(sorted(metered))
        assert {(each.ok, each.reason) for each in results} == {(True, "feature already exists")}
        assert all(each.ok for each in services.push(pulled, actor=SOMEBODY, now=NOW))
        assert services.account() == before

    def test_what_usage_records_add_up_to_is_asked_in_a_former_version(self, monkeypatch: pytest.MonkeyPatch) -> None:
        wanted = {
            each.price.lookup_key: USAGE_RECORDS[Aggregate(each.price.metadata[AGGREGATE])]
            for each in layout_of(self.document).prices
            if each.price.tariff.metered
        }
        send = stripe.RequestsClient.request

        def formerly(self: Any, method: str, url: str, headers: Any, post_data: Any = None) -> Any:
            if headers["Stripe-Version"] != gateway.BEFORE_METERS:
                return send(self, method, url, headers, post_data)
            told = send(self, method, url, {**headers, "Stripe-Version": str(now_spoken)}, post_data)
            body = json.loads(told[0])
            for price in body["data"]:
                price["recurring"]["aggregate_usage"] = wanted[price["lookup_key"]]
            return json.dumps(body).encode(), *told[1:]

        now_spoken = configured.STRIPE_API_VERSION
        monkeypatch.setattr(stripe.RequestsClient, "request", formerly)
        assert write(services.pull()) == write(_as_read(self.document))

    def test_pushing_the_original_file_is_no_difference_though_stripe_tells_less(self) -> None:
        before = services.account()
        results = services.push(self.document, actor=SOMEBODY, now=NOW)
        assert {(each.ok, each.reason) for each in results} == {(True, "feature already exists")}
        assert services.account() == before

    def test_a_plan_of_tiers_never_changes_either(self) -> None:
        pulled = services.pull()
        ref, plan = next(each for each in pulled.plans.items() if len(each[1].features) > 1)
        less = dict(list(plan.features.items())[1:])
        dearer = {name: replace(each, base=each.base + Decimal(1), tiers=()) for name, each in plan.features.items()}
        for features in (less, dearer):
            changed = Document({ref: replace(plan, features=features)})
            results = services.push(changed, actor=SOMEBODY, now=NOW)
            assert {(each.ok, each.reason) for each in results} == {(False, "plan already exists")}

    def test_prices_that_are_not_tiers_are_left_alone(self) -> None:
        before = write(services.pull())
        gateway.client().v1.prices.create(
            {"currency": "usd", "unit_amount": 1, "recurring": {"interval": "month"}, "product_data": {"name": "Mine"}}
        )
        gateway.client().v1.prices.create(
            {
                "currency": "usd",
                "unit_amount": 1,
                "recurring": {"interval": "month"},
                "product_data": {"name": "Broken"},
                "metadata": {FEATURE: "no ref"},
            }
        )
        assert write(services.pull()) == before
