"""Tier's names of plans, features and orgs."""

import pytest
from hypothesis import given

from apps.plans.pricing.errors import MalformedRef
from apps.plans.pricing.refs import (
    FeatureName,
    FeaturePlan,
    PlanRef,
    parse_feature,
    parse_feature_plan,
    parse_org,
    parse_plan,
    stripe_id,
)

from .strategies import feature_names, feature_plans, plan_refs


@given(plan_refs)
def test_a_plan_is_written_as_it_is_read(ref: PlanRef) -> None:
    assert parse_plan(str(ref)) == ref


@given(feature_names)
def test_a_feature_is_written_as_it_is_read(name: FeatureName) -> None:
    assert parse_feature(str(name)) == name


@given(feature_plans)
def test_a_feature_of_a_plan_is_written_as_it_is_read(ref: FeaturePlan) -> None:
    assert parse_feature_plan(str(ref)) == ref


def test_the_parts_of_a_feature_of_a_plan() -> None:
    ref = parse_feature_plan("feature:a:b@plan:pro:eu@3x")
    assert (ref.feature, ref.plan) == (FeatureName("a:b"), PlanRef("pro:eu", "3x"))
    assert ref == ref.feature.of(PlanRef("pro:eu", "3x"))


def test_a_feature_with_a_mere_version_belongs_to_no_plan() -> None:
    ref = parse_feature_plan("feature:a@3")
    assert (ref.plan, ref.version) == (None, "3")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "plan name must start with 'plan:'"),
        ("pro@3", "plan name must start with 'plan:'"),
        ("Plan:pro@3", "plan name must start with 'plan:'"),
        ("feature:pro@3", "plan name must start with 'plan:'"),
        ("plan:", "plan must have version"),
        ("plan:pro", "plan must have version"),
        ("plan:pro@", "plan must have version"),
        ("plan:@3", "plan name must match [a-zA-Z0-9:]+"),
        ("plan:pro-eu@3", "plan name must match [a-zA-Z0-9:]+"),
        ("plan:pro_eu@3", "plan name must match [a-zA-Z0-9:]+"),
        ("plan:é@3", "plan name must match [a-zA-Z0-9:]+"),
        ("plan:pro@3.1", "plan version must match [a-zA-Z0-9]+"),
        ("plan:pro@3@4", "plan version must match [a-zA-Z0-9]+"),
        ("plan:pro@3:4", "plan version must match [a-zA-Z0-9]+"),
        ("plan:pro@3\n", "plan version must match [a-zA-Z0-9]+"),
        ("plan:pro@٣", "plan version must match [a-zA-Z0-9]+"),
    ],
)
def test_what_is_no_plan(text: str, message: str) -> None:
    with pytest.raises(MalformedRef) as refused:
        parse_plan(text)
    assert refused.value.message == message
    assert str(refused.value) == f"{message}: {text}"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "feature name must start with 'feature:'"),
        ("calls", "feature name must start with 'feature:'"),
        ("feature:", "feature name must match [a-zA-Z0-9:]+"),
        ("feature:end-devices", "feature name must match [a-zA-Z0-9:]+"),
        ("feature:calls@plan:pro@3", "feature name must match [a-zA-Z0-9:]+"),
    ],
)
def test_what_is_no_feature(text: str, message: str) -> None:
    with pytest.raises(MalformedRef) as refused:
        parse_feature(text)
    assert refused.value.message == message


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "feature plan must start with 'feature:'"),
        ("plan:pro@3", "feature plan must start with 'feature:'"),
        ("feature:@3", "feature plan name must match [a-zA-Z0-9:]+"),
        ("feature:a-b@3", "feature plan name must match [a-zA-Z0-9:]+"),
        ("feature:calls", "feature plan must have version"),
        ("feature:calls@", "feature plan version must match [a-zA-Z0-9]+ or be a valid plan"),
        ("feature:calls@-", "feature plan version must match [a-zA-Z0-9]+ or be a valid plan"),
        ("feature:calls@plan:", "feature plan version must match [a-zA-Z0-9]+ or be a valid plan"),
        ("feature:calls@plan:pro", "feature plan version must match [a-zA-Z0-9]+ or be a valid plan"),
        ("feature:calls@plan:p-o@3", "feature plan version must match [a-zA-Z0-9]+ or be a valid plan"),
    ],
)
def test_what_is_no_feature_of_a_plan(text: str, message: str) -> None:
    with pytest.raises(MalformedRef) as refused:
        parse_feature_plan(text)
    assert refused.value.message == message


def test_an_org_is_whatever_follows_its_prefix() -> None:
    assert parse_org("org:acme@example.com") == "acme@example.com"
    with pytest.raises(MalformedRef, match='org must be prefixed with "org:"'):
        parse_org("acme")


@pytest.mark.parametrize(
    ("ref", "expected"),
    [
        (FeaturePlan("x", PlanRef("test", "0")), "tier__feature-x-plan-test-0"),
        (PlanRef("test", "0"), "tier__plan-test-0"),
        (FeaturePlan("a:B", "7"), "tier__feature-a-B-7"),
    ],
)
def test_what_tier_calls_it_in_stripe(ref: PlanRef | FeaturePlan, expected: str) -> None:
    assert stripe_id(ref) == expected


def test_names_are_sorted_as_they_are_written() -> None:
    refs = [PlanRef("b", "1"), PlanRef("a", "2"), PlanRef("a:b", "1"), PlanRef("a", "10")]
    assert sorted(refs) == sorted(refs, key=str)
