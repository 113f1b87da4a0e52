"""The difference between a pricing.json and an account, as data."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from apps.billing.offered import Meter, OfferedPrice, Product
from apps.plans.pricing.refs import FeatureName, PlanRef

# Tier's words.
CREATED = "created"
FEATURE_EXISTS = "feature already exists"
PLAN_EXISTS = "plan already exists"


@dataclass(frozen=True)
class Place:
    """One feature in one of the prices of a plan version; the first, 0, is the one that Tier knows."""

    ref: PlanRef
    feature: FeatureName
    position: int = 0
    period: str = ""


@dataclass(frozen=True)
class WantedPrice:
    """A price that a pricing.json asks for; its meter is named by its events, as its id may not be known yet."""

    place: Place
    key: str
    price: OfferedPrice
    event_name: str = ""


@dataclass(frozen=True)
class Layout:
    """Everything that a pricing.json asks of an account. `free`: what needs nothing there."""

    meters: tuple[Meter, ...] = ()
    products: tuple[Product, ...] = ()
    prices: tuple[WantedPrice, ...] = ()
    free: tuple[Place, ...] = ()


@dataclass(frozen=True)
class Account:
    """What there is in an account."""

    products: tuple[Product, ...] = ()
    prices: tuple[OfferedPrice, ...] = ()
    meters: tuple[Meter, ...] = ()


@dataclass(frozen=True)
class Conflict:
    """What cannot be as the pricing.json says, since the account has it otherwise."""

    place: Place
    reason: str


@dataclass(frozen=True)
class Difference:
    """What an account lacks, what it has, and what stands in the way. With `conflicts` nothing is done."""

    meters: tuple[Meter, ...] = ()
    products: tuple[Product, ...] = ()
    prices: tuple[WantedPrice, ...] = ()
    present: Mapping[Place, str] = field(default_factory=dict)
    free: tuple[Place, ...] = ()
    conflicts: tuple[Conflict, ...] = ()
    legacy: tuple[str, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Whether the account has everything."""
        return not (self.meters or self.products or self.prices or self.conflicts)


@dataclass(frozen=True)
class Result:
    """What became of one feature; `reason` in Tier's words."""

    place: Place
    ok: bool
    reason: str
    price_id: str = ""
