"""The published JSON Schema says the same as reading does."""

import json
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
from hypothesis import given, settings

from apps.plans.pricing.errors import UnreadablePricing
from apps.plans.pricing.hujson import standardize
from apps.plans.pricing.reading import read
from apps.plans.pricing.schema import SCHEMA
from apps.plans.pricing.types import Document
from apps.plans.pricing.writing import write

from .strategies import documents

VALIDATOR = jsonschema_rs.Draft202012Validator(dict(SCHEMA))
EXAMPLES = sorted((Path(__file__).parent / "examples").iterdir())


def plan(told: Any) -> Any:
    return {"plans": {"plan:pro@1": told}}


def feature(told: Any) -> Any:
    return plan({"features": {"feature:calls": told}})


def block(**told: Any) -> Any:
    return {"x-tenantry": told}


def test_it_is_a_schema_and_plain_json() -> None:
    jsonschema_rs.meta.validate(json.loads(json.dumps(SCHEMA)))


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.name)
def test_every_example_is_valid(example: Path) -> None:
    text = example.read_text()
    assert read(text)
    VALIDATOR.validate(json.loads(standardize(text)))


@settings(max_examples=40)
@given(documents())
def test_it_accepts_what_reading_accepts(document: Document) -> None:
    VALIDATOR.validate(json.loads(write(document)))


@pytest.mark.parametrize(
    "told",
    [
        None,
        {"plans": None, "x-tenantry": None},
        feature(None),
        feature({"title": None, "base": None, "mode": "", "aggregate": None, "tiers": None, "divide": None}),
        feature({"tiers": [None]}),
        feature({"tiers": [{"upto": 10.0, "price": 1e-12, "base": 1e3}]}),
        feature({"divide": {"by": 5, "rounding": "sideways"}}),
        plan({"title": "", "currency": "", "interval": "", "features": {"feature:calls": {}}}),
    ],
)
def test_it_accepts_what_says_nothing_as_reading_does(told: Any) -> None:
    read(json.dumps(told))
    VALIDATOR.validate(told)


@pytest.mark.parametrize(
    "told",
    [
        [],
        {"plan": {}},
        {"plans": {"pro@1": {}}},
        {"plans": {"plan:pro": {}}},
        {"plans": {"plan:pro@1.0": {}}},
        plan({"interval": "@quarterly"}),
        plan({"features": {"calls": {}}}),
        plan({"features": {"feature:a-b": {}}}),
        plan({"trial_days": 5}),
        feature({"base": -1}),
        feature({"base": "5"}),
        feature({"mode": "stairs"}),
        feature({"aggregate": "mean"}),
        feature({"tiers": [{"upto": 0}]}),
        feature({"tiers": [{"upto": 1.5}]}),
        feature({"tiers": [{"base": 0.5}]}),
        feature({"tiers": [{"price": -1}]}),
        feature({"tiers": [{"upTo": 1}]}),
        feature({"divide": {"by": -1}}),
        block(features={"feature:sso": {}}),
        block(features={"feature:sso": {"kind": "toggle"}}),
        block(features={"sso": {"kind": "switch"}}),
        block(credit_types={"Task": {"name": "a", "amount": 1}}),
        block(credit_types={"task": {"name": "a"}}),
        block(plans={"plan:pro@1": {"trial_days": 731}}),
        block(plans={"plan:pro@1": {"features": {"feature:sso": {"limit": -1}}}}),
        block(plans={"plan:pro@1": {"features": {"feature:sso": {"limit": "much"}}}}),
        block(plans={"plan:pro@1": {"features": {"feature:sso": {"reset_period": "fortnight"}}}}),
        block(things={}),
    ],
)
def test_it_refuses_what_reading_refuses(told: Any) -> None:
    assert not VALIDATOR.is_valid(told)
    with pytest.raises(UnreadablePricing):
        read(json.dumps(told))
