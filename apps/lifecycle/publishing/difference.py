"""What an account lacks of a pricing.json, and what stands in the way. Pure.

A plan version whose product carries the same digest is one that a push began: it is completed.
One that Tier laid out carries none: it is the same when each of its features is.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace

from apps.billing.offered import Meter, OfferedPrice, Product
from apps.lifecycle.publishing.layout import CONTENT
from apps.lifecycle.publishing.reading import document_of, feature_of, named
from apps.lifecycle.publishing.types import PLAN_EXISTS, Account, Conflict, Difference, Layout, Place, WantedPrice
from apps.plans.pricing.catalogued import effective
from apps.plans.pricing.refs import FeaturePlan, PlanRef, stripe_id
from apps.plans.pricing.types import Document, Feature


def difference(document: Document, layout: Layout, account: Account) -> Difference:
    """What has to be made in an account so that it has a document, whose layout this is."""
    products = {each.id: each for each in account.products}
    present = _present(document, layout, account)
    broken = set(_broken(document, layout, account, products))
    conflicts = [Conflict(each.place, PLAN_EXISTS) for each in layout.prices if each.place.ref in broken]
    conflicts += _meter_conflicts(layout, account)
    lacking = tuple(each for each in layout.prices if each.place not in present)
    by_id = {price.id: price for price in account.prices}
    return Difference(
        meters=tuple(_lacking_meters(layout, account, {each.event_name for each in lacking})),
        products=tuple(each for each in layout.products if each.id not in products),
        prices=lacking,
        present=present,
        free=layout.free,
        conflicts=tuple(conflicts),
        legacy=tuple(sorted({found for found in present.values() if by_id[found].is_legacy})),
    )


def _present(document: Document, layout: Layout, account: Account) -> dict[Place, str]:
    """The prices that there are, by their place; that they say the same is not looked at here."""
    by_feature = named(account.prices)
    by_key = {each.lookup_key: each for each in account.prices if each.lookup_key}
    found = {}
    for wanted in layout.prices:
        price = by_key.get(wanted.price.lookup_key)
        if wanted.place.position == 0:
            price = by_feature.get(wanted.place.feature.of(wanted.place.ref)) or price
        if price:
            found[wanted.place] = price.id
    return found


def _broken(document: Document, layout: Layout, account: Account, products: Mapping[str, Product]) -> Iterator[PlanRef]:
    """The plan versions that the account has with another content."""
    contents = {each.id: each.metadata[CONTENT] for each in layout.products}
    by_feature = named(account.prices)
    for ref in document.plans:
        product = products.get(stripe_id(ref))
        told = product.metadata.get(CONTENT) if product else None
        there = {each: price for each, price in by_feature.items() if each.plan == ref}
        if told:
            same = told == contents[stripe_id(ref)]
        else:
            same = _is_same(document, ref, there, account, complete=product is not None)
        if not same:
            yield ref


def _is_same(
    document: Document, ref: PlanRef, there: Mapping[FeaturePlan, OfferedPrice], account: Account, *, complete: bool
) -> bool:
    """Whether what is there of a plan is what the document says; `complete`: and all of it is there."""
    plan = document.plans[ref]
    wanted = {name: effective(each) for name, each in plan.features.items()}
    if any(each.feature not in wanted for each in there) or (complete and len(there) != len(wanted)):
        return False
    formulas = {meter.id: meter.formula for meter in account.meters}
    for each, price in there.items():
        present = feature_of(price, str(each), formulas.get(price.meter, ""))
        if _comparable(present, wanted[each.feature], price) != wanted[each.feature]:
            return False
    found = document_of(there.values(), account.meters).plans.get(ref)
    return found is None or (found.title, found.currency, found.interval) == (plan.title, plan.currency, plan.interval)


def _comparable(present: Feature, wanted: Feature, price: OfferedPrice) -> Feature:
    """What is present; where Stripe does not tell any more what usage adds up to, that is no difference."""
    untold = price.is_legacy and not price.aggregate_usage and wanted.metered and present.metered
    return replace(present, aggregate=wanted.aggregate) if untold else present


def _lacking_meters(layout: Layout, account: Account, used: set[str]) -> Iterator[Meter]:
    """The meters to make, or, where they have an id, to activate; for prices from before meters none is needed."""
    there = {each.event_name: each for each in reversed(account.meters)}
    for meter in layout.meters:
        found = there.get(meter.event_name)
        if meter.event_name in used and (found is None or not found.active):
            yield found or meter


def _meter_conflicts(layout: Layout, account: Account) -> Iterator[Conflict]:
    there = {each.event_name: each.formula for each in reversed(account.meters)}
    wanted = {each.event_name: each.formula for each in layout.meters}
    for price in layout.prices:
        formula = there.get(price.event_name)
        if formula and formula != wanted[price.event_name]:
            yield Conflict(price.place, _other_formula(price, formula, wanted[price.event_name]))


def _other_formula(price: WantedPrice, formula: str, wanted: str) -> str:
    return f"the meter of {price.event_name} aggregates by {formula}, not by {wanted}"
