"""An account as a pricing.json, by Tier's rules: whoever laid it out, by one product per plan or per feature. Pure.

Prices without `tier.feature` in their metadata are no part of it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace

from apps.billing.offered import ZERO, Meter, OfferedPrice
from apps.lifecycle.publishing.layout import AGGREGATE, FEATURE, LIMIT, PLAN_TITLE, TITLE
from apps.plans.pricing.catalogued import INTERVALS
from apps.plans.pricing.errors import MalformedRef
from apps.plans.pricing.refs import FeatureName, FeaturePlan, PlanRef, parse_feature_plan
from apps.plans.pricing.types import INFINITE, Aggregate, Divide, Document, Feature, Mode, Plan, Tier

LEGACY = {
    "sum": Aggregate.SUM,
    "max": Aggregate.MAX,
    "last_during_period": Aggregate.LAST,
    "last_ever": Aggregate.PERPETUAL,
}
METERED = {"sum": Aggregate.SUM, "count": Aggregate.SUM, "last": Aggregate.LAST}


def document_of(prices: Iterable[OfferedPrice], meters: Iterable[Meter]) -> Document:
    """Every plan of an account that Tier would know; archived prices are none."""
    formulas = {meter.id: meter.formula for meter in meters}
    grouped: dict[PlanRef, dict[FeatureName, OfferedPrice]] = {}
    for found, price in named(price for price in prices if price.active).items():
        if found.plan:
            grouped.setdefault(found.plan, {})[found.feature] = price
    return Document({ref: _plan(ref, each, formulas) for ref, each in sorted(grouped.items())})


def named(prices: Iterable[OfferedPrice]) -> dict[FeaturePlan, OfferedPrice]:
    """The prices that are a feature of a plan; of several the active one, and that with the lookup key, counts."""
    found: dict[FeaturePlan, OfferedPrice] = {}
    for price in sorted(prices, key=lambda each: (not each.active, not each.lookup_key, each.id)):
        try:
            found.setdefault(parse_feature_plan(price.metadata.get(FEATURE, "")), price)
        except MalformedRef:
            continue
    return found


def _plan(ref: PlanRef, prices: Mapping[FeatureName, OfferedPrice], formulas: Mapping[str, str]) -> Plan:
    first = prices[min(prices)]
    return Plan(
        title=first.metadata.get(PLAN_TITLE) or str(ref),
        features={
            name: feature_of(prices[name], str(name.of(ref)), formulas.get(prices[name].meter, ""))
            for name in sorted(prices)
        },
        currency=first.tariff.currency,
        interval=INTERVALS[first.tariff.interval],
    )


def feature_of(price: OfferedPrice, usual_title: str, formula: str) -> Feature:
    """What a price says of its feature; `formula` is that of its meter."""
    tariff = price.tariff
    divide = Divide(tariff.divide_by, tariff.divide_up) if tariff.divide_by else None
    tiers = _tiers(price)
    return Feature(
        base=tariff.unit if not tiers else ZERO,
        tiers=tiers,
        divide=divide,
        title=price.metadata.get(TITLE) or usual_title,
        mode=Mode(tariff.mode) if tariff.mode else Mode.GRADUATED,
        aggregate=aggregate_of(price, formula) if tiers else Aggregate.SUM,
    )


def _tiers(price: OfferedPrice) -> tuple[Tier, ...]:
    tariff = price.tariff
    if not tariff.metered:
        return ()
    tiers = [Tier(band.up_to, band.unit, int(band.flat)) for band in tariff.bands] or [Tier(None, tariff.unit)]
    return (*tiers[:-1], replace(tiers[-1], upto=_limit(price.metadata.get(LIMIT, ""))))


def _limit(told: str) -> int | None:
    """Tier writes «no limit» as a number, or not at all."""
    limit = int(told) if told.isascii() and told.isdigit() else INFINITE
    return limit if 0 < limit < INFINITE else None


def aggregate_of(price: OfferedPrice, formula: str) -> Aggregate:
    """What of a period's usage a price bills: as it says, else as its meter or its former usage records do."""
    told = price.metadata.get(AGGREGATE, "")
    if told in {each.value for each in Aggregate}:
        return Aggregate(told)
    return METERED.get(formula) or LEGACY.get(price.aggregate_usage, Aggregate.SUM)
