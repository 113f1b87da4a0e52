"""From a pricing.json to what the catalogue keeps, and back."""

import pytest
from hypothesis import given, settings

from apps.plans.pricing.converting import keys_of, to_catalogue, to_document
from apps.plans.pricing.digest import digest
from apps.plans.pricing.errors import UnconvertiblePricing
from apps.plans.pricing.reading import read
from apps.plans.pricing.refs import FeatureName, PlanRef
from apps.plans.pricing.types import Document
from tests.plans.pricing.strategies import documents


def _convertible(document: Document) -> bool:
    try:
        to_catalogue(document)
    except UnconvertiblePricing:
        return False
    return True


@settings(max_examples=60, deadline=None)
@given(document=documents(extended=False).filter(_convertible))
def test_a_file_in_tiers_format_comes_back_as_it_was(document: Document) -> None:
    assert to_document(to_catalogue(document)) == document


@settings(max_examples=60, deadline=None)
@given(document=documents().filter(_convertible))
def test_any_document_comes_back_with_the_same_meaning(document: Document) -> None:
    catalogue = to_catalogue(document)
    back = to_document(catalogue, document.extension.credit_types)
    assert to_catalogue(back) == catalogue
    assert back.extension.credit_types == document.extension.credit_types
    assert [digest(back, ref) for ref in document.refs()] == [digest(document, ref) for ref in document.refs()]


@pytest.mark.parametrize(
    ("name", "extension", "key"),
    [
        ("feature:calls", "", "calls"),
        ("feature:ai:Tokens", "", "ai-tokens"),
        ("feature:devices", '"feature:devices": {"kind": "count", "key": "end-devices"}', "end-devices"),
        ("feature:end:devices", '"feature:end:devices": {"kind": "count"}', "end-devices"),
        # The Things Stack counts its users; this one is a mere fee.
        ("feature:users", "", "users-billed"),
    ],
)
def test_a_feature_has_a_key(name: str, extension: str, key: str) -> None:
    block = f', "x-tenantry": {{"features": {{{extension}}}}}' if extension else ""
    limits = ', "x-tenantry": {"features": {%s}, "plans": {"plan:a@1": {"features": {"%s": {"limit": 5}}}}}'
    block = limits % (extension, name) if extension else block
    document = read(f'{{"plans": {{"plan:a@1": {{"features": {{"{name}": {{}}}}}}}}{block}}}')
    assert keys_of(document) == {FeatureName(name.removeprefix("feature:")): key}


def test_a_clash_of_keys_is_told() -> None:
    document = read(
        '{"plans": {"plan:a@1": {"features": {"feature:calls": {}, "feature:Calls": {}, "feature:::": {}}}}}'
    )
    with pytest.raises(UnconvertiblePricing) as told:
        keys_of(document)
    assert told.value.problems == (
        "feature::: has no key: name one in x-tenantry.features",
        "feature:calls and feature:Calls both have the key calls: name another in x-tenantry.features",
    )


def test_several_aggregates_of_one_feature_are_told() -> None:
    document = read(
        '{"plans": {"plan:a@1": {"features": {"feature:calls": {"tiers": [{}]}}},'
        '"plan:b@1": {"features": {"feature:calls": {"aggregate": "max", "tiers": [{}]}}}}}'
    )
    with pytest.raises(UnconvertiblePricing, match="feature:calls has several aggregates, max and sum"):
        to_catalogue(document)


def test_a_digest_is_of_the_meaning() -> None:
    written = read('{"plans": {"plan:a@1": {"features": {"feature:x": {"base": 100}, "feature:y": {"tiers": [{}]}}}}}')
    otherwise = read(
        '{"plans": {"plan:a@1": {"currency": "usd", "title": "plan:a@1", "features": '
        '{"feature:y": {"tiers": [{"price": 0}]}, "feature:x": {"base": 1e2, "mode": "graduated"}}}}}'
    )
    another = read('{"plans": {"plan:a@1": {"features": {"feature:x": {"base": 101}, "feature:y": {"tiers": [{}]}}}}}')
    ref = PlanRef("a", "1")
    assert digest(written, ref) == digest(otherwise, ref) != digest(another, ref)
