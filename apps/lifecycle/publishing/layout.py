"""What a pricing.json asks of an account, laid out as Tier lays it out but for one product per plan. Pure.

| what | in Stripe |
|---|---|
| plan version | a product with Tier's id, `tier__plan-pro-3`, and a digest of the plan's content |
| feature of a plan | a price with Tier's lookup key and metadata |
| the same in a further currency or interval | a price that only Tenantry reads: Tier would see the feature twice |
| what is billed by use | one meter per feature, whichever plan has it |
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal

from apps.billing.offered import Band, Meter, OfferedPrice, Product, Tariff
from apps.lifecycle.publishing.errors import UnpushablePricing
from apps.lifecycle.publishing.types import Layout, Place, WantedPrice
from apps.plans.pricing.catalogued import UNITS, is_tiered
from apps.plans.pricing.converting import keys_of
from apps.plans.pricing.digest import digest
from apps.plans.pricing.refs import FeatureName, PlanRef, meter_event_name, stripe_id
from apps.plans.pricing.types import INFINITE, Aggregate, Document, Interval, PlanTerms, Rate

CONTENT = "tenantry-content"
AGGREGATE = "tenantry-aggregate"
FEATURE, LIMIT, TITLE, PLAN_TITLE = "tier.feature", "tier.limit", "tier.title", "tier.plan_title"
FURTHER = "tenantry-feature"
MAX_NAME, MAX_METADATA = 250, 500
FORMULAS = {Aggregate.SUM: "sum", Aggregate.MAX: "last", Aggregate.LAST: "last", Aggregate.PERPETUAL: "last"}


@dataclass(frozen=True)
class _Period:
    currency: str
    interval: Interval
    count: int = 1

    def __str__(self) -> str:
        return f"{self.currency} {self.interval.value}" + (f" x {self.count}" if self.count > 1 else "")


def layout_of(document: Document) -> Layout:
    """The meters, products and prices of a document.

    Raises:
        UnpushablePricing: when Stripe has no place for something.
        UnconvertiblePricing: when features cannot have keys of the catalogue.
    """
    _refuse_unpushable(document)
    keys = keys_of(document)
    prices = tuple(each for ref in sorted(document.plans) for each in _prices(document, ref, keys))
    return Layout(
        meters=tuple(sorted(set(_meters(document, keys)), key=lambda meter: meter.event_name)),
        products=tuple(_product(document, ref) for ref in sorted(document.plans)),
        prices=prices,
        free=tuple(
            Place(ref, name)
            for ref in document.refs()
            for name in document.allowances(ref)
            if ref not in document.plans or name not in document.plans[ref].features
        ),
    )


def _refuse_unpushable(document: Document) -> None:
    problems = []
    for ref, plan in sorted(document.plans.items()):
        if len(plan.title) > MAX_NAME:
            problems.append(f"{ref}: the title must have at most {MAX_NAME} characters")
        further = [(name, rate) for each in _terms(document, ref).prices for name, rate in each.features.items()]
        for name, rate in [*sorted(plan.features.items()), *further]:
            if rate.divide and is_tiered(rate):
                problems.append(f"{name.of(ref)}: divide cannot be combined with several tiers, or the base of one")
        problems += [
            f"{name.of(ref)}: the title must have at most {MAX_METADATA} characters"
            for name, each in sorted(plan.features.items())
            if len(each.title) > MAX_METADATA
        ]
    if problems:
        raise UnpushablePricing(problems)


def _terms(document: Document, ref: PlanRef) -> PlanTerms:
    return document.extension.plans.get(ref, PlanTerms())


def _product(document: Document, ref: PlanRef) -> Product:
    return Product(stripe_id(ref), document.plans[ref].title, metadata={CONTENT: digest(document, ref)})


def _meters(document: Document, keys: Mapping[FeatureName, str]) -> Iterator[Meter]:
    for ref, plan in document.plans.items():
        for name, feature in plan.features.items():
            if document.is_metered(name, ref):
                event = meter_event_name(keys[name])
                yield Meter(event, FORMULAS[feature.aggregate], display_name=str(name)[:MAX_NAME])


def _prices(document: Document, ref: PlanRef, keys: Mapping[FeatureName, str]) -> Iterator[WantedPrice]:
    plan = document.plans[ref]
    rates: list[tuple[_Period, Mapping[FeatureName, Rate]]] = [(_Period(plan.currency, plan.interval), plan.features)]
    rates += [
        (_Period(each.currency, each.interval, each.count), each.features) for each in _terms(document, ref).prices
    ]
    for position, (period, features) in enumerate(rates):
        for name, rate in sorted(features.items()):
            place = Place(ref, name, position, str(period))
            price = OfferedPrice(
                product_id=stripe_id(ref),
                lookup_key=_lookup_key(place, period),
                tariff=tariff_of(rate, plan.features[name].mode.value, period.currency, period.interval, period.count),
                metadata=_metadata(document, place),
                nickname=plan.features[name].title,
            )
            yield WantedPrice(place, keys[name], price, meter_event_name(keys[name]) if rate.metered else "")


def _lookup_key(place: Place, period: _Period) -> str:
    first = stripe_id(place.feature.of(place.ref))
    interval = period.interval.value.removeprefix("@")
    return first if place.position == 0 else f"{first}__{period.currency}_{interval}_{period.count}"


def _metadata(document: Document, place: Place) -> dict[str, str]:
    plan, name = document.plans[place.ref], place.feature
    feature = plan.features[name]
    aggregate = {AGGREGATE: feature.aggregate.value} if feature.metered else {}
    if place.position:
        return {FURTHER: str(name.of(place.ref)), **aggregate}
    limit = {LIMIT: str(feature.limit or INFINITE)} if feature.metered else {}
    return {
        PLAN_TITLE: plan.title,
        TITLE: feature.title,
        FEATURE: str(name.of(place.ref)),
        **limit,
        **aggregate,
    }


def tariff_of(rate: Rate, mode: str, currency: str, interval: Interval, count: int = 1) -> Tariff:
    """What a rate is in Stripe. Where the last tier ends, it goes on in Stripe: the end is Tenantry's to enforce."""
    tiered = is_tiered(rate)
    bands = [Band(tier.upto, tier.price, Decimal(tier.base)) for tier in rate.tiers] if tiered else []
    if bands:
        bands[-1] = Band(None, bands[-1].unit, bands[-1].flat)
    unit = rate.tiers[0].price if rate.tiers else rate.base
    return Tariff(
        currency=currency,
        interval=UNITS[interval].value,
        interval_count=count,
        metered=rate.metered,
        unit=Decimal(0) if tiered else unit,
        bands=tuple(bands),
        mode=mode if tiered else "",
        divide_by=rate.divide.by if rate.divide else 0,
        divide_up=bool(rate.divide and rate.divide.round_up),
    )
