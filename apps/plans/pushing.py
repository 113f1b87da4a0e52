"""Publishing the plans of a pricing.json. A version that is published is never changed."""

from collections.abc import Callable, Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any

from django.db import transaction

from apps.audit import services as audit
from apps.core.actors import Actor
from apps.core.locks import lock_until_commit
from apps.plans import catalogue, published, renewing
from apps.plans.errors import FeatureIsOfAnotherKind, PlanExists, UnusablePlan
from apps.plans.gathering import features
from apps.plans.models import Allowance, Charge, Feature, Plan, PlanPrice, PlanVersion
from apps.plans.offers import refuse_what_no_plan_grants
from apps.plans.pricing.catalogued import Catalogue, CataloguedFeature, CataloguedPlan, Charged, Paid
from apps.plans.pricing.converting import to_catalogue, usual_name
from apps.plans.pricing.digest import digest
from apps.plans.pricing.refs import PlanRef
from apps.plans.pricing.types import Document, Tier
from apps.plans.terms import Kind

MOST_NUMBER = 10**9
# The id of the Stripe price that bills a feature, by its key, in the so-manieth price of a plan version.
PriceIds = Callable[[PlanRef, str, int], str]


def already_otherwise(document: Document) -> list[PlanRef]:
    """The plan versions of a document that are published with another content."""
    known = published.contents(document.refs())
    if "" in known.values():
        catalogue_now = published.catalogue_document()
        known = {ref: content or digest(catalogue_now, ref) for ref, content in known.items()}
    return [ref for ref in document.refs() if ref in known and known[ref] != digest(document, ref)]


@transaction.atomic
def publish(*, document: Document, price_ids: PriceIds, actor: Actor, now: datetime) -> tuple[PlanRef, ...]:
    """Let the catalogue have the features and plans of a document; returns the versions that are new.

    What is published already stays as it is, but for the ids of prices that it did not know.

    Raises:
        PlanExists: when a version is published with another content.
        UnconvertiblePricing: when features cannot have keys of the catalogue.
        FeatureIsOfAnotherKind, UnusableFeature, UnusableGrant, UnusablePlan: when something cannot be like that.
    """
    lock_until_commit("plans.publish")
    wanted = to_catalogue(document)
    if otherwise := already_otherwise(document):
        raise PlanExists(otherwise)
    for feature in wanted.features.values():
        _define(feature, actor=actor, now=now)
    present = published.contents(document.refs())
    new = tuple(ref for ref in document.refs() if ref not in present)
    _refuse_unusable_grants(wanted, new)
    for ref in new:
        _publish(ref, wanted.plans[ref], digest(document, ref), actor=actor, now=now)
    for ref in document.refs():
        _note_price_ids(ref, wanted.plans[ref], price_ids)
    return new


def _define(wanted: CataloguedFeature, *, actor: Actor, now: datetime) -> None:
    try:
        feature = catalogue.define_feature(
            key=wanted.key,
            kind=wanted.kind.value,
            aggregate=wanted.aggregate.value if wanted.kind == Kind.METERED else None,
            name=wanted.title,
            unit=wanted.unit,
            units=wanted.units,
            actor=actor,
            now=now,
        )
    except FeatureIsOfAnotherKind as error:
        hint = f'Name another key for {wanted.name} in x-tenantry.features["{wanted.name}"].key.'
        raise FeatureIsOfAnotherKind(f"{error} {hint}") from error
    _name(feature, wanted)


def _name(feature: Feature, wanted: CataloguedFeature) -> None:
    present = published.name_of(feature)
    if present == wanted.name:
        return
    if Charge.objects.filter(feature=feature).exists():
        raise UnusablePlan(f"The feature {feature.key} is {present} already, and cannot be {wanted.name} as well.")
    feature.tier_name = wanted.name.name if usual_name(feature.key) != wanted.name else ""
    feature.save(update_fields=["tier_name"])


def _refuse_unusable_grants(wanted: Catalogue, new: tuple[PlanRef, ...]) -> None:
    known = features()
    for ref in new:
        for key, grant in wanted.plans[ref].grants.items():
            refuse_what_no_plan_grants(known[key], grant)


def _publish(ref: PlanRef, wanted: CataloguedPlan, content: str, *, actor: Actor, now: datetime) -> None:
    plan = _plan(ref, wanted)
    with renewing.change_of(plan, now=now):
        _write_version(plan, ref, wanted, content, now=now)
    after = {"version": str(ref), "features": sorted(wanted.grants)}
    audit.record(actor=actor, action="plan.published", subject=f"plan:{ref.name}", now=now, after=after)


def _write_version(plan: Plan, ref: PlanRef, wanted: CataloguedPlan, content: str, *, now: datetime) -> None:
    number = _number(plan, ref)
    version = PlanVersion.objects.create(
        plan=plan,
        number=number,
        word=ref.version if ref.version != str(number) else "",
        title=wanted.title,
        trial_days=wanted.trial_days,
        content=content,
        add_on=wanted.add_on,
        published_at=now,
    )
    known = features()
    for key, grant in wanted.grants.items():
        feature = catalogue.ensure_feature(known[key])
        amount = {"limit": grant.limit, "value": grant.value}
        Allowance.objects.create(version=version, feature=feature, kind=feature.kind, **amount, **asdict(grant.terms))
    for position, paid in enumerate(wanted.prices):
        _price(version, position, paid)


def _plan(ref: PlanRef, wanted: CataloguedPlan) -> Plan:
    if len(ref.name) > 120 or len(ref.version) > 60:
        raise UnusablePlan(f"{str(ref)[:40]!r}… is too long: use at most 120 letters, and 60 for the version.")
    plan, _ = Plan.objects.get_or_create(key=ref.name, defaults={"name": wanted.title[:250]})
    if plan.price_id:
        raise UnusablePlan(f"plan:{ref.name} is what the price {plan.price_id} says. Give {ref} another name.")
    return plan


def _number(plan: Plan, ref: PlanRef) -> int:
    """The version's own number where it is one and free, else the next: only the order matters then."""
    taken = set(plan.versions.values_list("number", flat=True))
    number = int(ref.version) if ref.version.isascii() and ref.version.isdigit() and len(ref.version) < 10 else -1
    if str(number) == ref.version and number not in taken and number < MOST_NUMBER:
        return number
    return max(taken, default=0) + 1


def _price(version: PlanVersion, position: int, paid: Paid) -> None:
    price = PlanPrice.objects.create(
        version=version,
        position=position,
        currency=paid.currency,
        interval=paid.unit.value,
        interval_count=paid.count,
    )
    Charge.objects.bulk_create(_charge(price, key, charged) for key, charged in paid.charges.items())


def _charge(price: PlanPrice, key: str, charged: Charged) -> Charge:
    rate = charged.rate
    return Charge(
        price=price,
        feature_id=key,
        title=charged.title,
        base=rate.base,
        tiers=[_tier(each) for each in rate.tiers],
        mode=charged.mode.value,
        aggregate=charged.aggregate.value,
        divide_by=rate.divide.by if rate.divide else 0,
        divide_up=bool(rate.divide and rate.divide.round_up),
    )


def _tier(tier: Tier) -> Mapping[str, Any]:
    return {"upto": tier.upto, "price": f"{tier.price:f}", "base": tier.base}


def _note_price_ids(ref: PlanRef, wanted: CataloguedPlan, price_ids: PriceIds) -> None:
    for position, paid in enumerate(wanted.prices):
        for key in paid.charges:
            if found := price_ids(ref, key, position):
                charges = Charge.objects.filter(price__position=position, feature=key)
                charges = charges.filter(price__version__in=_versions(ref)).exclude(stripe_price_id=found)
                charges.update(stripe_price_id=found)


def _versions(ref: PlanRef) -> list[PlanVersion]:
    versions = PlanVersion.objects.filter(plan__key=ref.name).select_related("plan")
    return [each for each in versions if published.ref_of(each) == ref]
