"""Reads about what was pushed: the catalogue as a pricing.json knows it."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any

from django.db.models import QuerySet

from apps.core.periods import Unit
from apps.plans.gathering import grant_of
from apps.plans.models import Charge, Feature, PlanPrice, PlanVersion
from apps.plans.pricing.catalogued import Catalogue, CataloguedFeature, CataloguedPlan, Charged, Paid
from apps.plans.pricing.converting import to_document, usual_name
from apps.plans.pricing.refs import FeatureName, PlanRef
from apps.plans.pricing.types import Aggregate, CreditType, Divide, Document, Mode, Rate, Tier
from apps.plans.terms import Kind


def catalogue_document(credit_types: Mapping[str, CreditType] | None = None) -> Document:
    """The catalogue as a pricing.json. What is a price of The Things Stack's kind is none of it, see `things_stack`."""
    return to_document(catalogued(), credit_types)


def catalogued() -> Catalogue:
    """Every feature, and every published version of a plan that is no price of The Things Stack's kind."""
    return _catalogue(PlanVersion.objects.filter(plan__price_id=None))


def things_stack() -> dict[str, tuple[PlanRef, Catalogue]]:
    """By price: the newest version of each plan that is a price of The Things Stack's kind, and all features."""
    versions = PlanVersion.objects.exclude(plan__price_id=None)
    newest = versions.order_by("plan_id", "-number").distinct("plan_id").select_related("plan")
    prices = {ref_of(each): each.plan.price_id for each in newest}
    known = _catalogue(versions)
    return {price: (ref, replace(known, plans={ref: known.plans[ref]})) for ref, price in prices.items() if price}


def _catalogue(which: QuerySet[PlanVersion]) -> Catalogue:
    versions = which.select_related("plan").prefetch_related("prices__charges", "allowances")
    return Catalogue(
        features={each.key: _feature(each) for each in Feature.objects.all()},
        plans={ref_of(each): _plan(each) for each in versions},
    )


def ref_of(version: PlanVersion) -> PlanRef:
    """A version's reference."""
    return PlanRef(version.plan.key, version.word or str(version.number))


def name_of(feature: Feature) -> FeatureName:
    """What a pricing.json calls a feature."""
    return FeatureName(feature.tier_name) if feature.tier_name else usual_name(feature.key)


def contents(refs: Iterable[PlanRef]) -> dict[PlanRef, str]:
    """The digest of what was said of each of these versions that is published; empty: it came from no pricing.json."""
    wanted = set(refs)
    versions = PlanVersion.objects.filter(plan__key__in={ref.name for ref in wanted}).select_related("plan")
    found = {ref_of(each): each.content for each in versions}
    return {ref: content for ref, content in found.items() if ref in wanted}


def versions_of_prices(price_ids: Iterable[str]) -> dict[str, PlanVersion]:
    """The pushed plan version that each of these Stripe prices bills a part of; others are left out."""
    charges = Charge.objects.filter(stripe_price_id__in=set(price_ids) - {""}).select_related("price__version__plan")
    return {each.stripe_price_id: each.price.version for each in charges}


def _feature(feature: Feature) -> CataloguedFeature:
    return CataloguedFeature(
        key=feature.key,
        name=name_of(feature),
        kind=Kind(feature.kind),
        aggregate=Aggregate(feature.aggregate),
        title=feature.name,
        unit=feature.unit,
        units=feature.units,
    )


def _plan(version: PlanVersion) -> CataloguedPlan:
    prices = sorted(version.prices.all(), key=lambda price: price.position)
    return CataloguedPlan(
        title=version.title or version.plan.name,
        grants={each.feature_id: grant_of(each) for each in version.allowances.all()},
        prices=tuple(_paid(each) for each in prices),
        add_on=version.add_on,
        trial_days=version.trial_days,
    )


def _paid(price: PlanPrice) -> Paid:
    charges = {each.feature_id: _charged(each) for each in price.charges.all()}
    return Paid(price.currency, Unit(price.interval), charges, price.interval_count)


def _charged(charge: Charge) -> Charged:
    tiers = tuple(_tier(each) for each in charge.tiers)
    divide = Divide(charge.divide_by, charge.divide_up) if charge.divide_by else None
    rate = Rate(base=charge.base, tiers=tiers, divide=divide)
    return Charged(rate, charge.title, Mode(charge.mode), Aggregate(charge.aggregate))


def _tier(told: Mapping[str, Any]) -> Tier:
    return Tier(upto=told["upto"], price=Decimal(told["price"]), base=told["base"])
