"""Between The Things Stack's metadata and a pricing.json."""

from decimal import Decimal
from pathlib import Path

from hypothesis import assume, given, settings

from apps.plans.offers import read_offer
from apps.plans.pricing.catalogued import Catalogue, CataloguedFeature, CataloguedPlan
from apps.plans.pricing.converting import to_catalogue
from apps.plans.pricing.errors import UnconvertiblePricing
from apps.plans.pricing.reading import read
from apps.plans.pricing.refs import FeatureName, PlanRef
from apps.plans.pricing.things_stack import PriceFacts, to_prices, to_pricing
from apps.plans.pricing.types import Document
from apps.plans.pricing.writing import write
from apps.plans.resolution import Grant, Grantable
from apps.plans.terms import Kind
from tests.plans.pricing.strategies import documents

EXTENDED = Path(__file__).parent / "examples" / "extended.hujson"


def _known(catalogue: Catalogue) -> dict[str, Grantable]:
    return {
        key: Grantable(key, key, each.kind.value, aggregate=each.aggregate.value)
        for key, each in catalogue.features.items()
    }


@settings(max_examples=60, deadline=None)
@given(document=documents())
def test_metadata_grants_what_the_file_grants_or_it_is_told(document: Document) -> None:
    try:
        catalogue = to_catalogue(document)
    except UnconvertiblePricing:
        assume(False)
    for plan in to_prices(document):
        offer = read_offer(plan.metadata, _known(catalogue))
        assume(not offer.problems)
        wanted = catalogue.plans[plan.ref]
        assert offer.add_on == wanted.add_on
        for key, grant in wanted.grants.items():
            absent = key not in offer.grants
            unlimited_by_silence = catalogue.features[key].kind == Kind.COUNT and grant == Grant()
            told = any(f"-{key}: " in each for each in plan.lost)
            assert unlimited_by_silence or told if absent else offer.grants[key] == grant


def test_a_plan_becomes_metadata_and_the_rest_is_told() -> None:
    plans = {str(each.ref): each for each in to_prices(read(EXTENDED.read_text()))}
    free, pro = plans["plan:free@1"], plans["plan:pro@3"]
    assert free.amount is None
    assert free.metadata == {"max-end-devices": "5", "tenantry-grant-exports": "3/day;calendar"}
    assert plans["plan:morecalls@1"].metadata["tenantry-add-on"] == "true"
    assert (pro.amount, pro.currency, pro.unit) == (Decimal(1490), "usd", "month")
    assert pro.metadata["tenantry-grant-calls"] == "50000/billing_period;soft;open;warn=50+80+100"
    assert pro.metadata["tenantry-grant-support"] == '{"hours": [9, 17], "channels": ["mail", "phone"]}'
    for told in (
        "plan:pro@3: what each of feature:base, feature:support costs, as a price has one amount: 1490",
        "plan:pro@3: what the use of feature:calls costs",
        "plan:pro@3: trial_days: 14",
        "plan:pro@3: its price in eur each 1 month",
        "plan:pro@3: feature:devices, as the feature is end-devices in metadata",
        "plan:pro@3: feature:sso is of the kind switch, which metadata cannot say: define it first",
        "plan:pro@3: the credit types credit-project-creation, credit-task-creation",
    ):
        assert told in pro.lost


def _starter() -> tuple[PlanRef, Catalogue]:
    ref = PlanRef("starter", "2")
    features = {
        key: CataloguedFeature(key, FeatureName(key.replace("-", ":")), Kind.COUNT)
        for key in ("end-devices", "projects", "unused")
    }
    grants = {"end-devices": Grant(limit=50), "projects": Grant(limit=3)}
    return ref, Catalogue(features, {ref: CataloguedPlan("Starter", grants)})


def test_a_price_becomes_a_plan_and_the_rest_is_told() -> None:
    ref, catalogue = _starter()
    facts = PriceFacts("price_1", Decimal(900), "eur", "month", 1, frozenset({"end-devices", "projects"}))
    document, lost = to_pricing(ref, catalogue, facts)
    back = read(write(document))
    assert back == document
    assert back.plans[ref].features[FeatureName("base")].base == 900
    assert {str(name): each.limit for name, each in back.extension.plans[ref].features.items()} == {
        "feature:end:devices": 50,
        "feature:projects": 3,
    }
    assert lost == (
        "plan:starter@2: that projects is unlimited in plans that do not name it",
        "plan:starter@2: that it is price_1: whoever subscribed to that stays with it",
    )
    (price,) = to_prices(back)
    assert price.amount == 900
    assert {"max-end-devices": "50", "max-projects": "3"}.items() <= price.metadata.items()


def test_what_a_price_costs_is_told_where_no_file_could_say_it() -> None:
    ref, catalogue = _starter()
    for facts, told in (
        (PriceFacts("price_1", None, "eur", "month"), "what price_1 costs, as that is no single amount"),
        (PriceFacts("price_1", Decimal(9), "eur", "month", 3), "what price_1 costs, 9 eur each 3 months"),
    ):
        document, lost = to_pricing(ref, catalogue, facts)
        assert not document.plans
        assert f"plan:starter@2: {told}" in lost
