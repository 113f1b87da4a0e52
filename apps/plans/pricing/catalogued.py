"""What the catalogue keeps of a pricing.json, apart from its rows. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from apps.core.periods import Unit
from apps.plans.pricing.refs import FeatureName, PlanRef
from apps.plans.pricing.types import Aggregate, Feature, Interval, Mode, Rate
from apps.plans.resolution import Grant
from apps.plans.terms import Kind

UNITS: Mapping[Interval, Unit] = {
    Interval.DAILY: Unit.DAY,
    Interval.WEEKLY: Unit.WEEK,
    Interval.MONTHLY: Unit.MONTH,
    Interval.YEARLY: Unit.YEAR,
}
INTERVALS: Mapping[str, Interval] = {unit.value: interval for interval, unit in UNITS.items()}


@dataclass(frozen=True)
class CataloguedFeature:
    """A feature under its key, and the name that a pricing.json has for it. Empty words are the usual ones."""

    key: str
    name: FeatureName
    kind: Kind
    aggregate: Aggregate = Aggregate.SUM
    title: str = ""
    unit: str = ""
    units: str = ""


@dataclass(frozen=True)
class Charged:
    """What one feature costs in one price of a plan."""

    rate: Rate
    title: str = ""
    mode: Mode = Mode.GRADUATED
    aggregate: Aggregate = Aggregate.SUM


@dataclass(frozen=True)
class Paid:
    """One way to pay for a plan version: its currency and period, and what each feature costs, by key."""

    currency: str
    unit: Unit
    charges: Mapping[str, Charged]
    count: int = 1


@dataclass(frozen=True)
class CataloguedPlan:
    """One version of a plan. The first of its prices is the one that Tier knows; without any it is free."""

    title: str
    grants: Mapping[str, Grant]
    prices: tuple[Paid, ...] = ()
    add_on: bool = False
    trial_days: int = 0


@dataclass(frozen=True)
class Catalogue:
    """Features by key, and plan versions."""

    features: Mapping[str, CataloguedFeature] = field(default_factory=dict)
    plans: Mapping[PlanRef, CataloguedPlan] = field(default_factory=dict)


def rate_of(charge: Any) -> Rate:
    """Only what it costs, of a rate or of a feature that is one."""
    return Rate(base=charge.base, tiers=charge.tiers, divide=charge.divide)


def effective(feature: Feature) -> Feature:
    """The same but for words that have no effect, which Stripe has no place for: so it is read from there."""
    if not feature.tiers:
        return replace(feature, mode=Mode.GRADUATED, aggregate=Aggregate.SUM)
    return feature if is_tiered(feature) else replace(feature, mode=Mode.GRADUATED)


def is_tiered(rate: Rate) -> bool:
    """Whether it needs tiers in Stripe: one that begins with nothing to pay is a mere price for each unit."""
    return len(rate.tiers) > 1 or any(tier.base for tier in rate.tiers)
