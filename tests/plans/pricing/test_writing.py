"""What is written is what `tier pull` writes, and reads back as the same."""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apps.plans.pricing.extension_writing import beyond_tier
from apps.plans.pricing.reading import read
from apps.plans.pricing.refs import FeatureName, PlanRef
from apps.plans.pricing.types import Document, Feature, Plan, Tier
from apps.plans.pricing.writing import write

from .strategies import documents, dressed

EXAMPLES = Path(__file__).parent / "examples"
PRO, CALLS = PlanRef("pro", "1"), FeatureName("calls")


def written(feature: Feature, *, title: str = "Pro") -> str:
    return write(Document(plans={PRO: Plan(title=title, features={CALLS: feature})}))


@settings(max_examples=40)
@given(documents())
def test_any_document_reads_back_as_it_was(document: Document) -> None:
    text = write(document)
    assert read(text) == document
    assert write(read(text)) == text


@settings(max_examples=30)
@given(documents().flatmap(lambda each: st.tuples(st.just(each), dressed(write(each)))))
def test_comments_and_trailing_commas_change_nothing(dressing: tuple[Document, str]) -> None:
    document, text = dressing
    assert read(text) == document
    assert read(text.encode()) == document


@settings(max_examples=40)
@given(documents())
def test_in_tiers_format_only_what_tier_cannot_say_is_lost_and_that_is_told(document: Document) -> None:
    tiers_format = write(document, extension=False)
    assert list(json.loads(tiers_format)) == ["plans"]
    assert read(tiers_format) == Document(plans=document.plans)
    assert bool(beyond_tier(document)) == (document != Document(plans=document.plans))


def test_what_gets_lost_is_named() -> None:
    lost = beyond_tier(read((EXAMPLES / "extended.hujson").read_text()))
    assert 'x-tenantry.plans["plan:pro@3"].trial_days: 14' in lost
    assert 'x-tenantry.plans["plan:pro@3"].prices[0].features["feature:base"].base: 900' in lost
    assert 'x-tenantry.plans["plan:pro@3"].features["feature:sso"]: {}' in lost
    assert 'x-tenantry.plans["plan:pro@3"].features["feature:support"].value.channels[1]: "phone"' in lost
    assert beyond_tier(read((EXAMPLES / "tier.hujson").read_text())) == ()


def test_an_example_is_written_as_tier_pulls_it() -> None:
    document = read((EXAMPLES / "tier.hujson").read_text())
    assert write(document) + "\n" == (EXAMPLES / "pulled.json").read_text()


def test_defaults_are_left_out_but_the_title_of_a_plan() -> None:
    text = json.dumps(
        {
            "plans": {
                "plan:pro@1": {
                    "currency": "usd",
                    "interval": "@monthly",
                    "features": {
                        "feature:calls": {
                            "title": "feature:calls@plan:pro@1",
                            "base": 0,
                            "mode": "graduated",
                            "aggregate": "sum",
                            "divide": {"by": 0},
                            "tiers": [{"upto": 2**63 - 1, "price": 0, "base": 0}],
                        }
                    },
                }
            }
        }
    )
    assert json.loads(write(read(text))) == {
        "plans": {"plan:pro@1": {"title": "plan:pro@1", "features": {"feature:calls": {"tiers": [{}]}}}}
    }


def test_without_anything() -> None:
    assert write(Document()) == '{\n  "plans": {}\n}'


@pytest.mark.parametrize(
    ("price", "text"),
    [
        ("0.5", "0.5"),
        ("100", "100"),
        ("1E+3", "1000"),
        ("2.50", "2.5"),
        ("0.000001", "0.000001"),
        ("0.0000015", "0.0000015"),
        ("0.0000009", "9e-7"),
        ("0.00000012300", "1.23e-7"),
        ("0.000000000001", "1e-12"),
        ("99999999999999.123456789012", "99999999999999.123456789012"),
    ],
)
def test_numbers(price: str, text: str) -> None:
    assert f'"price": {text}\n' in written(Feature(tiers=(Tier(price=Decimal(price)),)))


@pytest.mark.parametrize(
    ("title", "text"),
    [
        ("Größe 😀", "Größe 😀"),
        ('a"b\\c', 'a\\"b\\\\c'),
        ("\n\r\t\b\f\x1f\x7f", "\\n\\r\\t\\u0008\\u000c\\u001f\x7f"),
        ("<b>&</b>\u2028\u2029", "\\u003cb\\u003e\\u0026\\u003c/b\\u003e\\u2028\\u2029"),
    ],
)
def test_texts(title: str, text: str) -> None:
    written_text = written(Feature(), title=title)
    assert f'"title": "{text}"' in written_text
    assert json.loads(written_text)["plans"]["plan:pro@1"]["title"] == title


def test_plans_and_features_are_sorted_and_members_stand_in_tiers_order() -> None:
    features: dict[str, Any] = {"feature:b": {}, "feature:a:b": {}, "feature:a": {"divide": {"by": 2}, "base": 1}}
    plan = {"features": features, "currency": "eur", "interval": "@daily", "title": "T"}
    tree = json.loads(write(read(json.dumps({"plans": {"plan:b@1": plan, "plan:a@10": plan, "plan:a@2": plan}}))))
    assert list(tree["plans"]) == ["plan:a@10", "plan:a@2", "plan:b@1"]
    assert list(tree["plans"]["plan:b@1"]) == ["title", "interval", "currency", "features"]
    assert list(tree["plans"]["plan:b@1"]["features"]) == ["feature:a", "feature:a:b", "feature:b"]
    assert list(tree["plans"]["plan:b@1"]["features"]["feature:a"]) == ["base", "divide"]
