"""One plan in further currencies and intervals, as Tenantry's block of a pricing.json says it. Pure."""

from collections.abc import Mapping

from apps.plans.pricing.fields import Fields, Place
from apps.plans.pricing.rates import RATE_FIELDS, read_rate
from apps.plans.pricing.refs import FeatureName, PlanRef, parse_feature
from apps.plans.pricing.types import DEFAULT_CURRENCY, Document, Feature, FurtherPrice, Interval, Plan, Rate

PRICE_FIELDS = ("currency", "interval", "interval_count", "features")
# Stripe bills at least every third year.
MOST_INTERVALS = {Interval.DAILY: 1095, Interval.WEEKLY: 156, Interval.MONTHLY: 36, Interval.YEARLY: 3}


def read_further_prices(ref: PlanRef, terms: Fields, known: Document) -> tuple[FurtherPrice, ...]:
    """The further prices of a plan, which has a first one in Tier's part."""
    plan = known.plans.get(ref)
    if plan is None:
        if "prices" in terms:
            terms.place_of("prices").refuse(f'a further price needs a first one, in plans["{ref}"]')
        return ()
    taken = {(plan.currency, plan.interval, 1)}
    prices = []
    for node, place in terms.items("prices"):
        price = _price(Fields(node, place, PRICE_FIELDS), plan)
        period = (price.currency, price.interval, price.count)
        if period in taken:
            place.refuse(f"{ref} has a price in that currency and interval already")
        taken.add(period)
        prices.append(price)
    return tuple(prices)


def _price(fields: Fields, plan: Plan) -> FurtherPrice:
    interval = fields.word("interval", Interval, Interval.MONTHLY)
    rates = {
        name: _rate(name, Fields(node, place, RATE_FIELDS), plan)
        for name, node, place in fields.refs("features", parse_feature)
    }
    _refuse_unpriced(rates, plan, fields.place)
    return FurtherPrice(
        currency=fields.text("currency", DEFAULT_CURRENCY).lower(),
        interval=interval,
        count=_count(fields, interval),
        features=rates,
    )


def _count(fields: Fields, interval: Interval) -> int:
    count = fields.integer("interval_count") if "interval_count" in fields else 1
    if count is None or 1 <= count <= MOST_INTERVALS[interval]:
        return count or 1
    fields.place.refuse(f"interval_count must be from 1 to {MOST_INTERVALS[interval]} for {interval.value}")
    return 1


def _rate(name: FeatureName, fields: Fields, plan: Plan) -> Rate:
    rate, first = read_rate(fields), plan.features.get(name)
    if first is None:
        fields.place.refuse("the plan has no such feature")
    elif rate.metered != first.metered:
        fields.place.refuse("it must have tiers here and in the plan, or neither here nor there")
    elif rate.limit != first.limit:
        fields.place.refuse(f"the last tier must end at {_end(first)}, as in the plan: that is the limit")
    return rate


def _end(feature: Feature) -> str:
    return "no upto" if feature.limit is None else str(feature.limit)


def _refuse_unpriced(rates: Mapping[FeatureName, Rate], plan: Plan, place: Place) -> None:
    for name, feature in sorted(plan.features.items()):
        # A meter that is free here has to say so: else it would be free by an oversight.
        if name not in rates and (feature.costs or feature.metered):
            place.refuse(f"{name} needs a price here, as it has one in the plan")
