"""Tenantry's block in a pricing.json: what Tier cannot say."""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from apps.plans.pricing.errors import UnreadablePricing
from apps.plans.pricing.reading import read
from apps.plans.pricing.refs import FeatureName, PlanRef
from apps.plans.pricing.types import (
    Aggregate,
    Allowance,
    CreditType,
    Definition,
    FurtherPrice,
    Interval,
    PlanTerms,
    Rate,
    Tier,
)
from apps.plans.pricing.writing import write
from apps.plans.terms import Anchor, Enforcement, Kind, OnDowngrade, OnError, ResetPeriod

EXAMPLE = read((Path(__file__).parent / "examples" / "extended.hujson").read_bytes())
PRO, FREE, MORE = PlanRef("pro", "3"), PlanRef("free", "1"), PlanRef("morecalls", "1")
TIERS_PART = {"plan:pro@1": {"features": {"feature:base": {"base": 990}, "feature:calls": {"tiers": [{"upto": 9}]}}}}
KINDS = {f"feature:{kind}": {"kind": kind} for kind in ("switch", "config", "count", "metered", "credits")}


def block(**told: Any) -> str:
    return json.dumps({"plans": TIERS_PART, "x-tenantry": told})


def terms(**told: Any) -> str:
    return block(features=KINDS, plans={"plan:pro@1": told})


def allowance(kind: str, **told: Any) -> str:
    return terms(features={f"feature:{kind}": told})


def price(**told: Any) -> str:
    return terms(prices=[told])


def refusal(text: str) -> str:
    with pytest.raises(UnreadablePricing) as refused:
        read(text)
    return str(refused.value).replace('x-tenantry.plans["plan:pro@1"]', "PRO")


def named(name: str) -> FeatureName:
    return FeatureName(name)


class TestWhatItSays:
    def test_what_features_are(self) -> None:
        assert EXAMPLE.extension.features[named("devices")] == Definition(kind=Kind.COUNT, key="end-devices")
        assert EXAMPLE.extension.features[named("calls")] == Definition(
            kind=Kind.METERED, title="API calls", unit="call", units="calls"
        )
        assert EXAMPLE.extension.features[named("exports")].aggregate == Aggregate.SUM

    def test_what_actions_cost(self) -> None:
        assert EXAMPLE.extension.credit_types == {
            "credit-project-creation": CreditType(
                name="Create a project", description="Once for each project", amount=2, feature=named("credits")
            ),
            "credit-task-creation": CreditType(name="Create a task", amount=1, usage_feature=named("exports")),
        }

    def test_a_plan_that_has_no_price(self) -> None:
        assert FREE not in EXAMPLE.plans
        assert EXAMPLE.extension.plans[FREE].title == "Free"
        assert EXAMPLE.refs() == [FREE, MORE, PRO]
        assert EXAMPLE.allowances(FREE) == {
            named("devices"): Allowance(limit=5),
            named("exports"): Allowance(limit=3, reset_period=ResetPeriod.DAY, anchor=Anchor.CALENDAR),
        }

    def test_an_add_on(self) -> None:
        assert EXAMPLE.extension.plans[MORE] == PlanTerms(
            add_on=True,
            features={named("exports"): Allowance(limit=1000, reset_period=ResetPeriod.BILLING_PERIOD)},
        )

    def test_further_currencies_and_intervals(self) -> None:
        euros, quarterly = EXAMPLE.extension.plans[PRO].prices
        assert euros == FurtherPrice(
            currency="eur",
            interval=Interval.MONTHLY,
            features={
                named("base"): Rate(base=Decimal(900)),
                named("calls"): Rate(tiers=(Tier(10000), Tier(50000, Decimal("0.09")))),
                named("support"): Rate(base=Decimal(450)),
            },
        )
        assert (quarterly.currency, quarterly.interval, quarterly.count) == ("usd", Interval.MONTHLY, 3)

    def test_everything_that_a_plan_grants(self) -> None:
        assert EXAMPLE.extension.plans[PRO].trial_days == 14
        assert EXAMPLE.allowances(PRO) == {
            named("base"): Allowance(value=True),
            named("calls"): Allowance(
                limit=50000,
                reset_period=ResetPeriod.BILLING_PERIOD,
                enforcement=Enforcement.SOFT,
                warning_thresholds=(50, 80, 100),
                on_error=OnError.OPEN,
            ),
            named("credits"): Allowance(limit=100, reset_period=ResetPeriod.MONTH, min_rollover=10, max_rollover=50),
            named("devices"): Allowance(limit=None, on_downgrade=OnDowngrade.FREEZE),
            named("sso"): Allowance(value=True),
            named("support"): Allowance(value={"hours": [9, 17], "channels": ["mail", "phone"]}),
        }

    def test_what_only_repeats_tiers_part_is_left_out(self) -> None:
        text = terms(features={"feature:calls": {"enforcement": "hard"}, "feature:base": {}})
        assert "plans" not in json.loads(write(read(text)))["x-tenantry"]

    def test_empty_it_is_left_out(self) -> None:
        assert "x-tenantry" not in write(read(block()))

    @pytest.mark.parametrize("value", [False, 0, "", [], {}, 0.5, -3, "large", {"a": [None, 1e300]}])
    def test_a_configuration_can_be_any_json(self, value: Any) -> None:
        document = read(allowance("config", value=value))
        assert document.extension.plans[PlanRef("pro", "1")].features[named("config")].value == value
        assert read(write(document)) == document

    def test_unlimited_is_said(self) -> None:
        document = read(allowance("count", limit="unlimited"))
        assert document.allowances(PlanRef("pro", "1"))[named("count")].limit is None
        assert '"limit": "unlimited"' in write(document)


class TestWhatItCannotSay:
    @pytest.mark.parametrize(
        ("told", "message"),
        [
            ({}, "kind is missing: it is one of switch, config, count, metered, credits"),
            ({"kind": "toggle"}, 'unknown kind: "toggle"'),
            ({"kind": "switch", "unit": "x"}, 'a feature of the kind switch has no "unit"'),
            ({"kind": "count", "aggregate": "max"}, 'a feature of the kind count has no "aggregate"'),
            ({"kind": "switch", "colour": 1}, 'unknown field "colour"'),
        ],
    )
    def test_of_a_feature(self, told: Any, message: str) -> None:
        assert refusal(block(features={"feature:x": told})) == f'x-tenantry.features["feature:x"]: {message}'

    @pytest.mark.parametrize("key", ["End", "a b", "a--b", "-a", "a" * 81])
    def test_a_key_that_is_none(self, key: str) -> None:
        text = block(features={"feature:x": {"kind": "count", "key": key}})
        assert refusal(text).startswith('x-tenantry.features["feature:x"].key: must be at most 80 lower-case letters')

    def test_a_key_twice(self) -> None:
        definition = {"kind": "count", "key": "a"}
        text = block(features={"feature:x": definition, "feature:y": definition})
        assert refusal(text).endswith('["feature:y"]: the key "a" is that of feature:x already')

    @pytest.mark.parametrize("kind", ["switch", "config", "credits"])
    def test_tiers_of_what_is_not_counted(self, kind: str) -> None:
        text = block(features={"feature:calls": {"kind": kind}})
        assert f"a feature of the kind {kind} has no tiers, but has some in plan:pro@1" in refusal(text)

    def test_an_aggregate_other_than_the_plans(self) -> None:
        text = block(features={"feature:calls": {"kind": "metered", "aggregate": "max"}})
        assert "the aggregate is another in plan:pro@1: sum" in refusal(text)

    @pytest.mark.parametrize("kind", ["config", "credits"])
    def test_a_plan_that_does_not_say_how_much(self, kind: str) -> None:
        text = block(features={"feature:base": {"kind": kind}})
        assert "plan:pro@1 has to say how much of it there is, in PRO.features" in refusal(text)

    @pytest.mark.parametrize(
        ("kind", "told", "message"),
        [
            ("switch", {"limit": 5}, ': a feature of the kind switch has no "limit"'),
            ("switch", {"value": False}, ": a switch is on where it is granted: its value is true, or it is left out"),
            ("config", {}, ": value is missing"),
            ("config", {"value": 1, "enforcement": "soft"}, ': a feature of the kind config has no "enforcement"'),
            ("count", {}, ': limit is missing: it is a whole number, or "unlimited"'),
            ("count", {"limit": -1}, ".limit: must not be negative"),
            ("count", {"limit": 0.5}, '.limit: must be an integer or "unlimited", not 0.5'),
            ("count", {"limit": "much"}, '.limit: must be an integer or "unlimited", not a text'),
            ("count", {"limit": 5, "reset_period": "month"}, ': a feature of the kind count has no "reset_period"'),
            ("metered", {"limit": 5, "reset_period": "fortnight"}, ': unknown reset_period: "fortnight"'),
            ("metered", {"limit": 5, "anchor": "moon"}, ': unknown anchor: "moon"'),
            ("metered", {"limit": 5, "max_rollover": 1}, ': a feature of the kind metered has no "max_rollover"'),
            ("calls", {"limit": 5}, ": the limit is that of the last tier"),
            ("calls", {"enforcement": "firm"}, ': unknown enforcement: "firm"'),
            ("calls", {"on_error": "maybe"}, ': unknown on_error: "maybe"'),
            ("calls", {"on_downgrade": "delete"}, ': unknown on_downgrade: "delete"'),
            (
                "calls",
                {"warning_thresholds": [80, 50]},
                ".warning_thresholds: must be ascending per cents from 1 to 1000",
            ),
            ("calls", {"warning_thresholds": [0]}, ".warning_thresholds: must be ascending per cents from 1 to 1000"),
            ("calls", {"warning_thresholds": ["80"]}, ".warning_thresholds[0]: must be an integer, not a text"),
            ("credits", {"limit": "unlimited"}, ": credits need a number as their limit"),
            ("credits", {"limit": "much"}, '.limit: must be an integer or "unlimited", not a text'),
            ("credits", {}, ": credits need a number as their limit"),
            ("credits", {"limit": 1, "min_rollover": -1}, ": min_rollover must be positive"),
            ("credits", {"limit": 1, "min_rollover": 2}, ": max_rollover must be at least min_rollover"),
            ("other", {}, ": feature:other is not defined: say what kind it is in x-tenantry.features"),
        ],
    )
    def test_of_an_allowance(self, kind: str, told: Any, message: str) -> None:
        assert refusal(allowance(kind, **told)) == f'PRO.features["feature:{kind}"]{message}'

    @pytest.mark.parametrize(
        ("told", "message"),
        [
            ({"title": "Pro"}, ': the title of plan:pro@1 stands in plans["plan:pro@1"]'),
            ({"trial_days": 731}, ": trial_days must be from 0 to 730"),
            ({"trial_days": -1}, ": trial_days must be from 0 to 730"),
            ({"add_on": "yes"}, ".add_on: must be true or false, not a text"),
            ({"price": 1}, ': unknown field "price"'),
        ],
    )
    def test_of_a_plan(self, told: Any, message: str) -> None:
        assert refusal(terms(**told)) == f"PRO{message}"

    def test_a_plan_without_a_price_has_features_and_no_further_price(self) -> None:
        text = block(plans={"plan:free@1": {"prices": [{}]}})
        assert refusal(text) == (
            "multiple errors:\n"
            '\tx-tenantry.plans["plan:free@1"]: plans must have at least one feature\n'
            '\tx-tenantry.plans["plan:free@1"].prices: a further price needs a first one, in plans["plan:free@1"]'
        )

    @pytest.mark.parametrize(
        ("told", "message"),
        [
            (
                {"currency": "eur", "features": {"feature:calls": {"tiers": [{"upto": 9}]}}},
                ".prices[0]: feature:base needs a price here, as it has one in the plan",
            ),
            (
                {"currency": "eur", "features": {"feature:base": {"base": 1}}},
                ".prices[0]: feature:calls needs a price here, as it has one in the plan",
            ),
        ],
    )
    def test_a_further_price_that_forgets_something(self, told: Any, message: str) -> None:
        assert refusal(price(**told)) == f"PRO{message}"

    @pytest.mark.parametrize(
        ("calls", "message"),
        [
            ({"base": 5}, "it must have tiers here and in the plan, or neither here nor there"),
            ({"tiers": [{}]}, "the last tier must end at 9, as in the plan: that is the limit"),
            ({"tiers": [{"upto": 9}], "base": 5}, "base must be zero with tiers"),
            ({"tiers": [{"upto": 9}], "mode": "volume"}, 'unknown field "mode"'),
        ],
    )
    def test_a_further_price_of_another_make(self, calls: Any, message: str) -> None:
        text = price(currency="eur", features={"feature:base": {"base": 1}, "feature:calls": calls})
        assert refusal(text) == f'PRO.prices[0].features["feature:calls"]: {message}'

    @pytest.mark.parametrize(
        ("told", "message"),
        [
            ({}, "plan:pro@1 has a price in that currency and interval already"),
            ({"currency": "USD"}, "plan:pro@1 has a price in that currency and interval already"),
            ({"interval": "@quarterly"}, 'unknown interval: "@quarterly"'),
            ({"interval": "@yearly", "interval_count": 4}, "interval_count must be from 1 to 3 for @yearly"),
            ({"interval": "@yearly", "interval_count": 0}, "interval_count must be from 1 to 3 for @yearly"),
        ],
    )
    def test_a_further_price_that_is_none(self, told: Any, message: str) -> None:
        rates = {"feature:base": {"base": 1}, "feature:calls": {"tiers": [{"upto": 9}]}}
        assert f"PRO.prices[0]: {message}" in refusal(price(**told, features=rates))

    def test_a_further_price_of_a_feature_that_the_plan_lacks(self) -> None:
        rates = {"feature:base": {"base": 1}, "feature:calls": {"tiers": [{"upto": 9}]}, "feature:x": {}}
        assert refusal(price(currency="eur", features=rates)).endswith("the plan has no such feature")

    @pytest.mark.parametrize(
        ("told", "message"),
        [
            ({"amount": 1}, "name is missing"),
            ({"name": "", "amount": 1}, "name is missing"),
            ({"name": "a"}, "amount is missing"),
            ({"name": "a", "amount": -1}, "amount must be positive"),
        ],
    )
    def test_of_a_credit_type(self, told: Any, message: str) -> None:
        assert refusal(block(features=KINDS, credit_types={"task": told})) == (
            f'x-tenantry.credit_types["task"]: {message}'
        )

    def test_a_credit_type_of_no_credits(self) -> None:
        told = {"name": "a", "amount": 1, "feature": "feature:count", "usage_feature": "feature:switch"}
        assert refusal(block(features=KINDS, credit_types={"task": told})) == (
            "multiple errors:\n"
            '\tx-tenantry.credit_types["task"].feature: feature:count is not of the kind credits\n'
            '\tx-tenantry.credit_types["task"].usage_feature: feature:switch is not of the kind metered'
        )

    def test_a_credit_type_without_credits_to_burn(self) -> None:
        text = block(credit_types={"task": {"name": "a", "amount": 1}})
        assert refusal(text).endswith('["task"]: feature:credits is not of the kind credits')

    def test_a_credit_type_whose_feature_is_none(self) -> None:
        told = {"name": "a", "amount": 1, "feature": "credits"}
        text = block(features=KINDS, credit_types={"task": told})
        assert refusal(text).endswith(".feature: feature name must start with 'feature:': credits")
