"""A pricing.json in Tier's format: its defaults, and every message of Tier's."""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apps.plans.pricing.errors import UnreadablePricing
from apps.plans.pricing.reading import read
from apps.plans.pricing.refs import FeatureName, PlanRef
from apps.plans.pricing.types import (
    INFINITE,
    Aggregate,
    Allowance,
    Divide,
    Document,
    Feature,
    Interval,
    Mode,
    Plan,
    Tier,
)
from apps.plans.terms import Kind, ResetPeriod

EXAMPLES = Path(__file__).parent / "examples"
PRO, CALLS = PlanRef("pro", "1"), FeatureName("calls")


def with_plan(plan: Any) -> str:
    return json.dumps({"plans": {"plan:pro@1": plan}})


def with_feature(feature: Any) -> str:
    return with_plan({"features": {"feature:calls": feature}})


def feature_of(told: Any) -> Feature:
    return read(with_feature(told)).plans[PRO].features[CALLS]


def refusal(text: str | bytes) -> str:
    with pytest.raises(UnreadablePricing) as refused:
        read(text)
    return str(refused.value)


class TestDefaults:
    def test_of_a_plan(self) -> None:
        assert read(with_feature({})) == Document(
            plans={
                PRO: Plan(
                    title="plan:pro@1",
                    currency="usd",
                    interval=Interval.MONTHLY,
                    features={CALLS: Feature(title="feature:calls@plan:pro@1")},
                )
            }
        )

    def test_of_a_feature(self) -> None:
        feature = feature_of({})
        assert (feature.base, feature.mode, feature.aggregate, feature.tiers, feature.divide) == (
            0,
            Mode.GRADUATED,
            Aggregate.SUM,
            (),
            None,
        )

    def test_of_a_tier(self) -> None:
        assert feature_of({"tiers": [{}]}).tiers == (Tier(upto=None, price=Decimal(0), base=0),)

    @pytest.mark.parametrize("nothing", [None, ""])
    @pytest.mark.parametrize("name", ["title", "currency", "interval"])
    def test_nothing_is_as_if_it_were_absent_in_a_plan(self, name: str, nothing: Any) -> None:
        assert read(with_plan({name: nothing, "features": {"feature:calls": {}}})) == read(with_feature({}))

    @pytest.mark.parametrize(
        "nothing",
        [
            None,
            {"title": None, "base": None, "mode": None, "aggregate": None, "tiers": None, "divide": None},
            {"title": "", "mode": "", "aggregate": ""},
            {"tiers": []},
            {"divide": {}},
            {"divide": {"by": 0, "rounding": "up"}},
        ],
    )
    def test_nothing_is_as_if_it_were_absent_in_a_feature(self, nothing: Any) -> None:
        assert feature_of(nothing) == feature_of({})

    @pytest.mark.parametrize("text", ["{}", "null", '{"plans": {}}', '{"plans": null}', '{"x-tenantry": {}}'])
    def test_a_file_without_plans(self, text: str) -> None:
        assert read(text) == Document()


class TestMeaning:
    def test_no_tiers_is_a_flat_fee_without_a_limit(self) -> None:
        feature = feature_of({"base": 1000})
        assert (feature.metered, feature.limit, feature.base) == (False, None, 1000)

    def test_the_end_of_the_last_tier_is_the_limit(self) -> None:
        assert feature_of({"tiers": [{"upto": 10}, {"upto": 20, "price": 1}]}).limit == 20
        assert feature_of({"tiers": [{"upto": 10}, {"price": 1}]}).limit is None

    def test_tier_writes_no_limit_as_a_number_too(self) -> None:
        assert feature_of({"tiers": [{"upto": INFINITE}]}) == feature_of({"tiers": [{}]})

    @pytest.mark.parametrize(("rounding", "up"), [("up", True), ("down", False), ("", False), ("sideways", False)])
    def test_packages(self, rounding: str, up: bool) -> None:
        assert feature_of({"divide": {"by": 100, "rounding": rounding}}).divide == Divide(100, round_up=up)

    @pytest.mark.parametrize(
        ("told", "price"),
        [
            ("0.5", "0.5"),
            ("0.000000000001", "1e-12"),
            ("1e-12", "1e-12"),
            ("0.10000000000000000", "0.1"),
            ("1E2", "100"),
        ],
    )
    def test_prices_are_exact_to_12_decimals(self, told: str, price: str) -> None:
        text = with_feature({"tiers": [{"price": 0}]}).replace('"price": 0', f'"price": {told}')
        assert read(text).plans[PRO].features[CALLS].tiers[0].price == Decimal(price)

    def test_what_binary_numbers_cannot_hold(self) -> None:
        text = with_feature({"base": 0}).replace('"base": 0', '"base": 99999999999999.123456789012')
        assert str(read(text).plans[PRO].features[CALLS].base) == "99999999999999.123456789012"

    @pytest.mark.parametrize("number", ["1000", "1000.0", "1e3"])
    def test_a_whole_number_however_it_is_written(self, number: str) -> None:
        text = with_feature({"tiers": [{"upto": 1}]}).replace('"upto": 1', f'"upto": {number}')
        assert read(text).plans[PRO].features[CALLS].limit == 1000

    @pytest.mark.parametrize(("told", "currency"), [("eur", "eur"), ("EUR", "eur"), ("gibberish", "gibberish")])
    def test_currencies_are_left_for_stripe_to_judge(self, told: str, currency: str) -> None:
        assert read(with_plan({"currency": told, "features": {"feature:calls": {}}})).plans[PRO].currency == currency

    def test_what_has_tiers_is_metered_and_everything_else_a_switch(self) -> None:
        document = read((EXAMPLES / "tier.hujson").read_bytes())
        assert document.kind_of(FeatureName("calls")) == Kind.METERED
        assert document.kind_of(FeatureName("base")) == Kind.SWITCH
        assert document.allowances(PlanRef("free", "1")) == {
            CALLS: Allowance(limit=100, reset_period=ResetPeriod.BILLING_PERIOD)
        }
        assert document.allowances(PRO)[FeatureName("storage:gb")] == Allowance(reset_period=ResetPeriod.NEVER)
        assert document.allowances(PRO)[FeatureName("base")] == Allowance(value=True)

    def test_a_plan_that_is_not_there_grants_nothing(self) -> None:
        assert Document().allowances(PRO) == {}


PLAN = 'plans["plan:pro@1"]'
FEATURE = f'{PLAN}.features["feature:calls"]'


class TestTiersMessages:
    @pytest.mark.parametrize("nothing", [{}, {"features": {}}, {"features": None}, None])
    def test_a_plan_without_features(self, nothing: Any) -> None:
        assert refusal(with_plan(nothing)) == f"{PLAN}: plans must have at least one feature"

    @pytest.mark.parametrize(
        ("feature", "message"),
        [
            ({"base": 1, "tiers": [{}]}, ": base must be zero with tiers"),
            ({"base": -1}, ": base must be positive"),
            ({"base": -0.5, "tiers": [{}]}, ": base must be positive"),
            ({"tiers": [{"upto": 0}]}, ".tiers[0]: upto must be greater than zero"),
            ({"tiers": [{"upto": 1}, {"upto": -5}]}, ".tiers[1]: upto must be greater than zero"),
            ({"tiers": [{"price": -0.1}]}, ".tiers[0]: price must be positive"),
            ({"tiers": [{"base": -1}]}, ".tiers[0]: base must be positive"),
            (
                {"tiers": [{"price": 0.1111111111111}]},
                ".tiers[0]: invalid price: 0.1111111111111; tier prices must not exceed 12 decimal places",
            ),
            (
                {"tiers": [{"price": 1e-20}]},
                ".tiers[0]: invalid price: 0.0000000000000; tier prices must not exceed 12 decimal places",
            ),
            ({"base": 0.1111111111111}, ": invalid base: 0.1111111111111; base must not exceed 12 decimal places"),
            ({"mode": "stairs"}, ': unknown mode: "stairs"'),
            ({"aggregate": "mean"}, ': unknown aggregate: "mean"'),
            ({"permLink": "x"}, ': unknown field "permLink"'),
            ({"Base": 1}, ': unknown field "Base"'),
            ({"tiers": [{"upTo": 1}]}, '.tiers[0]: unknown field "upTo"'),
            ({"divide": {"per": 1}}, '.divide: unknown field "per"'),
            ({"divide": {"by": -1}}, ".divide: by must be positive"),
            ({"tiers": [{}, {"upto": 5}]}, ".tiers[0]: only the last tier may go without upto"),
            (
                {"tiers": [{"upto": 5}, {"upto": 5}]},
                ".tiers[1]: upto must be greater than 5, that of the tier before",
            ),
        ],
    )
    def test_of_a_feature(self, feature: Any, message: str) -> None:
        assert refusal(with_feature(feature)) == f"{FEATURE}{message}"

    @pytest.mark.parametrize("interval", ["@quarterly", "monthly", "@Monthly"])
    def test_an_interval_that_is_none(self, interval: str) -> None:
        text = with_plan({"interval": interval, "features": {"feature:calls": {}}})
        assert refusal(text) == f'{PLAN}: unknown interval: "{interval}"'

    @pytest.mark.parametrize(
        ("ref", "message"),
        [
            ("pro@1", "plan name must start with 'plan:'"),
            ("plan:pro", "plan must have version"),
            ("plan:p-o@1", "plan name must match [a-zA-Z0-9:]+"),
            ("plan:pro@1.0", "plan version must match [a-zA-Z0-9]+"),
        ],
    )
    def test_a_plan_that_is_none(self, ref: str, message: str) -> None:
        assert refusal(json.dumps({"plans": {ref: {}}})) == f'plans["{ref}"]: {message}'

    @pytest.mark.parametrize(
        ("ref", "message"),
        [
            ("calls", "feature name must start with 'feature:'"),
            ("feature:a-b", "feature name must match [a-zA-Z0-9:]+"),
            ("feature:a@plan:pro@1", "feature name must match [a-zA-Z0-9:]+"),
        ],
    )
    def test_a_feature_that_is_none(self, ref: str, message: str) -> None:
        assert refusal(with_plan({"features": {ref: {}}})) == f'{PLAN}.features["{ref}"]: {message}'

    def test_several_are_told_at_once_as_tier_does(self) -> None:
        text = '{\n "plan": {},\n "plans": {"plan:pro@1": {}, "plan:x": {}}\n}'
        assert refusal(text) == (
            "multiple errors:\n"
            '\tunknown field "plan"\n'
            f"\t{PLAN}: plans must have at least one feature\n"
            '\tplans["plan:x"]: plan must have version'
        )

    def test_each_problem_knows_its_line_and_column(self) -> None:
        with pytest.raises(UnreadablePricing) as refused:
            read('{\n  "plans": {\n    /* é */ "plan:x": {}\n  }\n}')
        (problem,) = refused.value.problems
        assert (problem.path, problem.message) == ('plans["plan:x"]', "plan must have version")
        assert (problem.line, problem.column) == (3, 13)


class TestOtherMessages:
    @pytest.mark.parametrize(
        ("feature", "message"),
        [
            ([], ": must be an object, not a list"),
            ({"title": 5}, ".title: must be a text, not 5"),
            ({"base": "5"}, ".base: must be a number, not a text"),
            ({"base": True}, ".base: must be a number, not true"),
            ({"base": 1e15}, ".base: must be less than 1000000000000000"),
            ({"base": 1e300}, ".base: must be less than 1000000000000000"),
            ({"base": -1e300}, ".base: must be less than 1000000000000000"),
            ({"tiers": {}}, ".tiers: must be a list, not an object"),
            ({"tiers": [5]}, ".tiers[0]: must be an object, not 5"),
            ({"tiers": [{"upto": 1.5}]}, ".tiers[0].upto: must be an integer, not 1.5"),
            ({"tiers": [{"upto": "5"}]}, ".tiers[0].upto: must be an integer, not a text"),
            ({"tiers": [{"upto": INFINITE + 1}]}, f".tiers[0].upto: must be at most {INFINITE}"),
            ({"tiers": [{"upto": 1e300}]}, f".tiers[0].upto: must be at most {INFINITE}"),
            ({"tiers": [{"base": 0.5}]}, ".tiers[0].base: must be an integer, not 0.5"),
            ({"tiers": [{"base": 10**15}]}, ".tiers[0]: base must be less than 1000000000000000"),
            ({"divide": 100}, ".divide: must be an object, not 100"),
            ({"divide": {"by": 0.5}}, ".divide.by: must be an integer, not 0.5"),
        ],
    )
    def test_values_of_another_type(self, feature: Any, message: str) -> None:
        assert refusal(with_feature(feature)) == f"{FEATURE}{message}"

    def test_features_that_are_no_object(self) -> None:
        assert refusal(with_plan({"features": [{}]})) == f"{PLAN}.features: must be an object, not a list"

    def test_of_very_many_problems_the_first_hundred_are_told(self) -> None:
        with pytest.raises(UnreadablePricing) as refused:
            read(json.dumps({str(number): 0 for number in range(1000, 21_000)}))
        assert [problem.message for problem in refused.value.problems] == [
            f'unknown field "{number}"' for number in range(1000, 1100)
        ]

    @pytest.mark.parametrize("text", ["[]", "5", '"plans"', '{"plans": []}', with_plan([])])
    def test_no_object(self, text: str) -> None:
        assert "must be an object, not " in refusal(text)

    @pytest.mark.parametrize(
        ("text", "told"),
        [
            (b"\xff", "hujson: line 1, column 1: invalid UTF-8"),
            ('{"plans": {}, "plans": {}}', 'hujson: line 1, column 15: duplicate object name "plans"'),
            ('{"plans":' * 1000, "hujson: line 1, column 901: nested deeper than 100 levels"),
            ("", "hujson: line 1, column 1: parsing value: unexpected EOF"),
            ("1" * 5000, "hujson: line 1, column 1: invalid literal: "),
        ],
    )
    def test_what_is_no_hujson_is_one_readable_error(self, text: str | bytes, told: str) -> None:
        assert refusal(text).startswith(told)
        assert "\n" not in refusal(text)

    @settings(max_examples=200)
    @given(st.data())
    def test_an_example_with_anything_changed_is_read_or_refused(self, data: st.DataObject) -> None:
        text = (EXAMPLES / data.draw(st.sampled_from(["tier.hujson", "extended.hujson"]))).read_text()
        start = data.draw(st.integers(0, len(text)))
        cut = data.draw(st.integers(0, 9))
        changed = text[:start] + data.draw(st.text('{}[]",:-019.e@a', max_size=4)) + text[start + cut :]
        try:
            assert isinstance(read(changed), Document)
        except UnreadablePricing as refused:
            assert all(problem.line >= 1 and problem.column >= 1 for problem in refused.problems)  # noqa: PT017
