"""What a pricing.json says, defaults filled in. Amounts are minor units of the currency, exact to 12 decimals."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from enum import StrEnum
from typing import Any

from apps.plans.pricing.refs import FeatureName, PlanRef
from apps.plans.terms import (
    DEFAULT_WARNING_THRESHOLDS,
    PERIODIC,
    Anchor,
    Enforcement,
    Kind,
    OnDowngrade,
    OnError,
    ResetPeriod,
)

# Tier writes «no limit» so.
INFINITE = 2**63 - 1
# The member that Tier's files lack.
EXTENSION = "x-tenantry"
UNLIMITED = "unlimited"
ZERO = Decimal(0)
DEFAULT_CURRENCY = "usd"
CREDITS = FeatureName("credits")


class Interval(StrEnum):
    """How often a plan is billed."""

    DAILY = "@daily"
    WEEKLY = "@weekly"
    MONTHLY = "@monthly"
    YEARLY = "@yearly"


class Mode(StrEnum):
    """Whether each tier prices the units within it, or the tier that the total reaches prices all of them."""

    GRADUATED = "graduated"
    VOLUME = "volume"


class Aggregate(StrEnum):
    """What of a period's usage counts."""

    SUM = "sum"
    MAX = "max"
    LAST = "last"
    PERPETUAL = "perpetual"


@dataclass(frozen=True)
class Tier:
    """Units up to a total cost `price` each, and `base` once. `upto` None: without end."""

    upto: int | None = None
    price: Decimal = ZERO
    base: int = 0


@dataclass(frozen=True)
class Divide:
    """Units are sold in packages of `by`; what is left over is a whole package, or nothing."""

    by: int
    round_up: bool = False


@dataclass(frozen=True)
class Rate:
    """What one feature costs: `base` each period in advance, or by its `tiers` in arrears."""

    base: Decimal = ZERO
    tiers: tuple[Tier, ...] = ()
    divide: Divide | None = None

    @property
    def metered(self) -> bool:
        """Whether it is billed by use."""
        return bool(self.tiers)

    @property
    def limit(self) -> int | None:
        """The end of the last tier; None: unlimited."""
        return self.tiers[-1].upto if self.tiers else None

    @property
    def costs(self) -> bool:
        """Whether anybody can ever have to pay for it."""
        return bool(self.base) or any(tier.price or tier.base for tier in self.tiers)


@dataclass(frozen=True)
class Feature(Rate):
    """A feature as one plan prices it."""

    title: str = ""
    mode: Mode = Mode.GRADUATED
    aggregate: Aggregate = Aggregate.SUM


@dataclass(frozen=True)
class Plan:
    """One version of a plan, as Tier knows it. All of its features are billed in one currency and interval."""

    title: str
    features: Mapping[FeatureName, Feature]
    currency: str = DEFAULT_CURRENCY
    interval: Interval = Interval.MONTHLY


@dataclass(frozen=True)
class Definition:
    """What a feature is, whichever plan has it.

    `key` is its name in the catalogue where that is another, such as `end-devices`, which Tier
    could not write. `aggregate` None: as the plans say that price it, else the sum.
    """

    kind: Kind
    title: str = ""
    key: str = ""
    aggregate: Aggregate | None = None
    unit: str = ""
    units: str = ""


@dataclass(frozen=True)
class Allowance:
    """What one plan grants of a feature, beyond what Tier can say.

    `limit` None: unlimited, or as the last tier says, or the kind has no number.
    """

    limit: int | None = None
    value: Any = None
    reset_period: ResetPeriod = ResetPeriod.NEVER
    anchor: Anchor = Anchor.SUBSCRIPTION
    enforcement: Enforcement = Enforcement.HARD
    warning_thresholds: tuple[int, ...] = DEFAULT_WARNING_THRESHOLDS
    on_error: OnError = OnError.CLOSED
    on_downgrade: OnDowngrade = OnDowngrade.BLOCK
    min_rollover: int = 0
    max_rollover: int = 0


@dataclass(frozen=True)
class FurtherPrice:
    """The same plan in another currency or interval; `count` intervals make one period."""

    currency: str
    interval: Interval
    features: Mapping[FeatureName, Rate]
    count: int = 1


@dataclass(frozen=True)
class PlanTerms:
    """What Tier cannot say of a plan. `title` only where Tier's own part does not have the plan."""

    title: str = ""
    add_on: bool = False
    trial_days: int = 0
    prices: tuple[FurtherPrice, ...] = ()
    features: Mapping[FeatureName, Allowance] = field(default_factory=dict)


@dataclass(frozen=True)
class CreditType:
    """An action that costs credits of a feature, and may use one unit of another besides."""

    name: str
    amount: int
    description: str = ""
    feature: FeatureName = CREDITS
    usage_feature: FeatureName | None = None


@dataclass(frozen=True)
class Extension:
    """Tenantry's block in the file: what Tier cannot say. Credit types are by their value, as SaasRock has it."""

    features: Mapping[FeatureName, Definition] = field(default_factory=dict)
    credit_types: Mapping[str, CreditType] = field(default_factory=dict)
    plans: Mapping[PlanRef, PlanTerms] = field(default_factory=dict)


@dataclass(frozen=True)
class Document:
    """One pricing.json."""

    plans: Mapping[PlanRef, Plan] = field(default_factory=dict)
    extension: Extension = field(default_factory=Extension)

    def refs(self) -> list[PlanRef]:
        """Every plan version of either part, sorted."""
        return sorted({*self.plans, *self.extension.plans})

    def kind_of(self, feature: FeatureName) -> Kind:
        """What a feature is: as it is defined, else metered where any plan has tiers for it, else a switch."""
        definition = self.extension.features.get(feature)
        if definition:
            return definition.kind
        metered = any(self.is_metered(feature, ref) for ref in self.plans)
        return Kind.METERED if metered else Kind.SWITCH

    def is_metered(self, feature: FeatureName, ref: PlanRef) -> bool:
        """Whether a plan bills a feature by use; the last tier then says the limit."""
        plan = self.plans.get(ref)
        return plan is not None and feature in plan.features and plan.features[feature].metered

    def aggregate_of(self, feature: FeatureName, ref: PlanRef) -> Aggregate:
        """What of a period's usage of a feature counts in a plan."""
        if self.is_metered(feature, ref):
            return self.plans[ref].features[feature].aggregate
        definition = self.extension.features.get(feature)
        return (definition and definition.aggregate) or Aggregate.SUM

    def usual(self, feature: FeatureName, ref: PlanRef) -> Allowance:
        """The allowance of a feature of which nothing further is said; of a plan without it also."""
        return usual_allowance(self.kind_of(feature), self.aggregate_of(feature, ref))

    def allowances(self, ref: PlanRef) -> dict[FeatureName, Allowance]:
        """Everything that a plan grants, limits of tiers included, sorted by feature."""
        plan, terms = self.plans.get(ref), self.extension.plans.get(ref, PlanTerms())
        priced = plan.features if plan else {}
        told = {name: terms.features.get(name) or self.usual(name, ref) for name in sorted({*priced, *terms.features})}
        return {
            name: replace(each, limit=priced[name].limit) if self.is_metered(name, ref) else each
            for name, each in told.items()
        }


def usual_allowance(kind: Kind, aggregate: Aggregate = Aggregate.SUM) -> Allowance:
    """What a kind of feature grants when nothing is said: a switch is on, what is used up comes anew each period."""
    returns = kind in PERIODIC and aggregate != Aggregate.PERPETUAL
    return Allowance(
        value=True if kind == Kind.SWITCH else None,
        reset_period=ResetPeriod.BILLING_PERIOD if returns else ResetPeriod.NEVER,
    )
