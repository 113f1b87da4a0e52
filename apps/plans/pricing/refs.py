"""References to plans, features and orgs, in Tier's grammar and with Tier's messages. Pure.

| what | example |
|---|---|
| plan | `plan:pro@3` |
| feature | `feature:calls` |
| feature of a plan | `feature:calls@plan:pro@3`, or `feature:calls@3` without one |
| org | `org:acme` |
"""

import re
from dataclasses import dataclass
from functools import total_ordering

from apps.plans.pricing.errors import MalformedRef

NAME = re.compile(r"[a-zA-Z0-9:]+")
VERSION = re.compile(r"[a-zA-Z0-9]+")
PLAN_PATTERN = rf"plan:{NAME.pattern}@{VERSION.pattern}"
FEATURE_PATTERN = rf"feature:{NAME.pattern}"
ORG_PREFIX = "org:"


class _Ordered:
    """Sorted by how it is written, as Tier sorts."""

    def __lt__(self, other: object) -> bool:
        return str(self) < str(other) if isinstance(other, type(self)) else NotImplemented


@total_ordering
@dataclass(frozen=True)
class PlanRef(_Ordered):
    """One version of a plan: `plan:pro@3`. Tier's versions are opaque words."""

    name: str
    version: str

    def __str__(self) -> str:
        return f"plan:{self.name}@{self.version}"


@total_ordering
@dataclass(frozen=True)
class FeatureName(_Ordered):
    """A feature, whichever plan has it: `feature:calls`."""

    name: str

    def __str__(self) -> str:
        return f"feature:{self.name}"

    def of(self, plan: PlanRef) -> "FeaturePlan":
        """This feature as that plan has it."""
        return FeaturePlan(self.name, plan)


@total_ordering
@dataclass(frozen=True)
class FeaturePlan(_Ordered):
    """A feature as one plan version has it; `version` is a mere word where it belongs to no plan."""

    name: str
    version: PlanRef | str

    def __str__(self) -> str:
        return f"feature:{self.name}@{self.version}"

    @property
    def feature(self) -> FeatureName:
        """The feature without the plan."""
        return FeatureName(self.name)

    @property
    def plan(self) -> PlanRef | None:
        """The plan that it belongs to, if any."""
        return self.version if isinstance(self.version, PlanRef) else None


def parse_plan(text: str) -> PlanRef:
    """The plan version that a text names.

    Raises:
        MalformedRef: in Tier's words.
    """
    rest = _without_prefix(text, "plan:", "plan name must start with 'plan:'")
    name, _, version = rest.partition("@")
    if not version:
        raise MalformedRef("plan must have version", text)
    _refuse_unless(NAME, name, "plan name must match [a-zA-Z0-9:]+", text)
    _refuse_unless(VERSION, version, "plan version must match [a-zA-Z0-9]+", text)
    return PlanRef(name, version)


def parse_feature(text: str) -> FeatureName:
    """The feature that a text names.

    Raises:
        MalformedRef: in Tier's words.
    """
    name = _without_prefix(text, "feature:", "feature name must start with 'feature:'")
    _refuse_unless(NAME, name, "feature name must match [a-zA-Z0-9:]+", text)
    return FeatureName(name)


def parse_feature_plan(text: str) -> FeaturePlan:
    """The feature of a plan that a text names.

    Raises:
        MalformedRef: in Tier's words.
    """
    rest = _without_prefix(text, "feature:", "feature plan must start with 'feature:'")
    name, at, version = rest.partition("@")
    _refuse_unless(NAME, name, "feature plan name must match [a-zA-Z0-9:]+", text)
    if not at:
        raise MalformedRef("feature plan must have version", text)
    try:
        return FeaturePlan(name, parse_plan(version))
    except MalformedRef:
        message = "feature plan version must match [a-zA-Z0-9]+ or be a valid plan"
        _refuse_unless(VERSION, version, message, text)
    return FeaturePlan(name, version)


def parse_org(text: str) -> str:
    """What follows `org:` in the name of an org.

    Raises:
        MalformedRef: in Tier's words, when it has no such prefix.
    """
    return _without_prefix(text, ORG_PREFIX, f'org must be prefixed with "{ORG_PREFIX}"')


def stripe_id(ref: PlanRef | FeaturePlan) -> str:
    """The id of the product, and lookup key of the price, under which Tier keeps it: `tier__plan-pro-3`."""
    return "tier__" + "".join(each if each.isalnum() or each == "_" else "-" for each in str(ref))


def meter_event_name(key: str) -> str:
    """The events of the Stripe meter that counts the feature of this key in the catalogue, in all plans."""
    return f"tenantry_{key}"


def _without_prefix(text: str, prefix: str, message: str) -> str:
    if not text.startswith(prefix):
        raise MalformedRef(message, text)
    return text.removeprefix(prefix)


def _refuse_unless(grammar: re.Pattern[str], part: str, message: str, text: str) -> None:
    if not grammar.fullmatch(part):
        raise MalformedRef(message, text)
