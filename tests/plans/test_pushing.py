"""Plans of a pricing.json in the catalogue."""

from datetime import timedelta
from pathlib import Path

import pytest

from apps.plans import catalogue, published, pushing, selectors
from apps.plans.errors import FeatureIsOfAnotherKind, PlanExists, UnusablePlan
from apps.plans.models import Charge, Feature, PlanVersion
from apps.plans.pricing.reading import read
from apps.plans.pricing.refs import PlanRef
from apps.plans.pricing.types import Document
from apps.plans.pricing.writing import write
from tests.factories import NOW, SOMEBODY

pytestmark = pytest.mark.django_db
BY = {"actor": SOMEBODY, "now": NOW}
EXAMPLES = Path(__file__).parent / "pricing" / "examples"


def _publish(document: Document | str) -> tuple[str, ...]:
    known = read(document) if isinstance(document, str) else document
    new = pushing.publish(document=known, price_ids=lambda ref, key, n: f"price_{ref}_{key}_{n}", **BY)
    return tuple(str(ref) for ref in new)


def _one(feature: str = '"feature:x": {"base": 100}', ref: str = "plan:a@1") -> str:
    return f'{{"plans": {{"{ref}": {{"features": {{{feature}}}}}}}}}'


def test_a_file_of_tier_comes_back_byte_for_byte() -> None:
    text = (EXAMPLES / "pulled.json").read_text()
    _publish(text)
    assert write(published.catalogue_document(), extension=False) == text.rstrip("\n")


def test_what_tier_cannot_say_comes_back() -> None:
    # What is usual goes without saying.
    text = (EXAMPLES / "extended.hujson").read_text()
    document = read(text.replace(', "aggregate": "sum"', "").replace(', "title": "Support"', ""))
    _publish(document)
    back = published.catalogue_document(document.extension.credit_types)
    assert write(back) == write(document)


def test_versions_keep_their_names() -> None:
    refs = [f"plan:a@{version}" for version in ("0", "beta", "7", "007", "99999999999")]
    for ref in refs:
        assert _publish(_one(ref=ref)) == (ref,)
    assert {str(ref) for ref in published.catalogued().plans} == set(refs)
    assert set(PlanVersion.objects.values_list("number", "word")) == {
        (0, ""),
        (1, "beta"),
        (7, ""),
        (8, "007"),
        (9, "99999999999"),
    }


def test_a_version_that_was_pushed_is_pushed_again_without_effect() -> None:
    assert _publish(_one()) == ("plan:a@1",)
    assert _publish(_one('"feature:x": {"base": 100, "mode": "graduated"}')) == ()
    assert PlanVersion.objects.count() == 1


def test_another_content_under_a_pushed_version_is_refused() -> None:
    _publish(_one())
    with pytest.raises(PlanExists, match=r"illegal attempt to push features to existing plan\(s\); aborting\."):
        _publish(_one('"feature:x": {"base": 101}'))
    assert Charge.objects.get().base == 100


def test_the_prices_in_stripe_are_noted() -> None:
    _publish(_one())
    found = published.versions_of_prices(["price_plan:a@1_x_0", "price_other", ""])
    assert {price: version.ref for price, version in found.items()} == {"price_plan:a@1_x_0": "plan:a@1"}


def test_limits_of_tiers_are_granted() -> None:
    _publish(_one('"feature:calls": {"tiers": [{"upto": 10}, {"upto": 50, "price": 1}]}, "feature:sso": {}'))
    grants = catalogue.grants_of(PlanVersion.objects.get())
    assert grants["calls"].limit == 50
    assert grants["calls"].terms.reset_period == "billing_period"
    assert grants["sso"].value is True


def test_a_feature_keeps_the_name_it_came_with() -> None:
    _publish(_one('"feature:apiCalls": {"tiers": [{}]}'))
    assert Feature.objects.get().key == "apicalls"
    assert "feature:apiCalls" in write(published.catalogue_document(), extension=False)
    with pytest.raises(UnusablePlan, match=r"apicalls is feature:apiCalls already"):
        _publish(_one('"feature:apicalls": {"tiers": [{}]}', ref="plan:b@1"))


def test_a_feature_of_another_kind_is_told_with_what_to_do() -> None:
    catalogue.define_feature(key="x", kind="credits", **BY)
    with pytest.raises(FeatureIsOfAnotherKind, match=r'x-tenantry.features\["feature:x"\].key'):
        _publish(_one())


def test_what_is_summed_up_since_ever_never_starts_anew() -> None:
    _publish(
        '{"plans": {"plan:a@1": {"features": {"feature:calls": {"aggregate": "perpetual", "tiers": [{}]}}},'
        '"plan:b@1": {"features": {"feature:calls": {}}}}}'
    )
    assert {each.reset_period for v in PlanVersion.objects.all() for each in v.allowances.all()} == {"never"}


def test_plans_that_were_not_pushed_are_in_the_file_too() -> None:
    catalogue.define_feature(key="seats", kind="count", **BY)
    grants = {"seats": catalogue.Grant(limit=5)}
    catalogue.publish_plan(key="free", name="Free", grants=grants, actor=SOMEBODY, now=NOW + timedelta(days=1))
    document = published.catalogue_document()
    assert document.extension.plans[PlanRef("free", "1")].title == "Free"
    assert selectors.feature("seats").kind == "count"
    assert _publish(document) == ()
