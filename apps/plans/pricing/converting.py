"""Between what a pricing.json says and what the catalogue keeps. Pure.

A feature's key is the one that the extension names, else its name in lower case with dashes
for colons: `feature:ai:Tokens` is `ai-tokens`. Back it is the name that it came with.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict, replace

from apps.plans.metadata import ENTITY_GRAMMAR, STANDARD_ENTITIES, entity_name
from apps.plans.pricing.catalogued import (
    INTERVALS,
    UNITS,
    Catalogue,
    CataloguedFeature,
    CataloguedPlan,
    Charged,
    Paid,
    rate_of,
)
from apps.plans.pricing.errors import UnconvertiblePricing
from apps.plans.pricing.refs import FeatureName, PlanRef
from apps.plans.pricing.types import (
    Aggregate,
    Allowance,
    CreditType,
    Definition,
    Document,
    Extension,
    Feature,
    FurtherPrice,
    Plan,
    PlanTerms,
    usual_allowance,
)
from apps.plans.resolution import Grant, Terms
from apps.plans.terms import Anchor, Enforcement, Kind, OnDowngrade, OnError, ResetPeriod

MAX_KEY = 80


def dashed(name: FeatureName) -> str:
    """The key of a feature for which none is named; empty when the name has neither letters nor digits."""
    return re.sub(":+", "-", name.name.lower()).strip("-")


def usual_name(key: str) -> FeatureName:
    """What a pricing.json calls a feature of the catalogue that came from elsewhere."""
    return FeatureName(key.replace("-", ":"))


def keys_of(document: Document) -> dict[FeatureName, str]:
    """The catalogue's key of every feature that a document names.

    Raises:
        UnconvertiblePricing: when two have one key, or one has none.
    """
    keys = {name: _key(document, name) for name in _names(document)}
    problems = [f"{name} has no key: name one in x-tenantry.features" for name, key in keys.items() if not _usable(key)]
    problems += _clashes(keys)
    if problems:
        raise UnconvertiblePricing(problems)
    return keys


def _names(document: Document) -> list[FeatureName]:
    extension = document.extension
    named = {name for ref in document.refs() for name in document.allowances(ref)} | set(extension.features)
    for credit_type in extension.credit_types.values():
        named |= {credit_type.feature, *filter(None, [credit_type.usage_feature])}
    return sorted(named)


def _key(document: Document, name: FeatureName) -> str:
    definition = document.extension.features.get(name)
    if definition and definition.key:
        return definition.key
    key = dashed(name)
    # The Things Stack's entities are counted: what is something else under such a name is another feature.
    return f"{key}-billed" if key in STANDARD_ENTITIES and document.kind_of(name) != Kind.COUNT else key


def _usable(key: str) -> bool:
    return len(key) <= MAX_KEY and ENTITY_GRAMMAR.fullmatch(key) is not None


def _clashes(keys: Mapping[FeatureName, str]) -> Iterator[str]:
    first: dict[str, FeatureName] = {}
    for name, key in keys.items():
        other = first.setdefault(key, name)
        if other != name:
            yield f"{name} and {other} both have the key {key}: name another in x-tenantry.features"


def to_catalogue(document: Document) -> Catalogue:
    """What the catalogue keeps of a document; its credit types are not the catalogue's.

    Raises:
        UnconvertiblePricing: when features cannot have keys, or a metered one has several aggregates.
    """
    keys = keys_of(document)
    features = {keys[name]: _catalogued_feature(document, name, keys[name]) for name in keys}
    plans = {ref: _catalogued_plan(document, ref, keys) for ref in document.refs()}
    return Catalogue(features, plans)


def _catalogued_feature(document: Document, name: FeatureName, key: str) -> CataloguedFeature:
    definition = document.extension.features.get(name)
    kind = document.kind_of(name)
    return CataloguedFeature(
        key=key,
        name=name,
        kind=kind,
        aggregate=_aggregate(document, name) if kind == Kind.METERED else Aggregate.SUM,
        title=definition.title if definition else "",
        unit=definition.unit if definition else "",
        units=definition.units if definition else "",
    )


def _aggregate(document: Document, name: FeatureName) -> Aggregate:
    """The one aggregate of a feature, in whichever plan it is billed by use."""
    found = {document.aggregate_of(name, ref) for ref in document.plans if document.is_metered(name, ref)}
    definition = document.extension.features.get(name)
    if not found:
        return (definition and definition.aggregate) or Aggregate.SUM
    if len(found) > 1:
        several = " and ".join(sorted(found))
        raise UnconvertiblePricing([f"{name} has several aggregates, {several}: a feature has one in all plans"])
    return found.pop()


def _catalogued_plan(document: Document, ref: PlanRef, keys: Mapping[FeatureName, str]) -> CataloguedPlan:
    plan, terms = document.plans.get(ref), document.extension.plans.get(ref, PlanTerms())
    first = [_first_paid(plan, keys)] if plan else []
    further = [_further_paid(each, keys) for each in terms.prices]
    return CataloguedPlan(
        title=plan.title if plan else terms.title,
        grants={keys[name]: _grant(_kept(document, name, each)) for name, each in document.allowances(ref).items()},
        prices=(*first, *further),
        add_on=terms.add_on,
        trial_days=terms.trial_days,
    )


def _kept(document: Document, name: FeatureName, allowance: Allowance) -> Allowance:
    """What is summed up since ever in one plan is so in all, also where that plan does not bill it by use."""
    if document.kind_of(name) != Kind.METERED or _aggregate(document, name) != Aggregate.PERPETUAL:
        return allowance
    usual = usual_allowance(Kind.METERED)
    unsaid = (allowance.reset_period, allowance.anchor) == (usual.reset_period, usual.anchor)
    return replace(allowance, reset_period=ResetPeriod.NEVER) if unsaid else allowance


def _first_paid(plan: Plan, keys: Mapping[FeatureName, str]) -> Paid:
    charges = {
        keys[name]: Charged(rate_of(each), title=each.title, mode=each.mode, aggregate=each.aggregate)
        for name, each in plan.features.items()
    }
    return Paid(plan.currency, UNITS[plan.interval], charges)


def _further_paid(price: FurtherPrice, keys: Mapping[FeatureName, str]) -> Paid:
    charges = {keys[name]: Charged(rate_of(rate)) for name, rate in price.features.items()}
    return Paid(price.currency, UNITS[price.interval], charges, price.count)


def _grant(allowance: Allowance) -> Grant:
    told = asdict(allowance)
    limit, value = told.pop("limit"), told.pop("value")
    return Grant(limit=limit, value=value, terms=Terms(**told))


def to_document(catalogue: Catalogue, credit_types: Mapping[str, CreditType] | None = None) -> Document:
    """What a pricing.json says of a catalogue: of what is as usual, nothing."""
    names = {key: feature.name for key, feature in catalogue.features.items()}
    plans = {ref: _plan(plan, names) for ref, plan in catalogue.plans.items() if plan.prices}
    definitions = {each.name: definition for each in catalogue.features.values() if (definition := _definition(each))}
    # What is usual depends on the kinds, so first the features are told, then the plans.
    known = Document(plans, Extension(features=definitions))
    terms = {ref: _terms(ref, plan, known, names) for ref, plan in catalogue.plans.items()}
    told = {ref: each for ref, each in terms.items() if each != PlanTerms()}
    needed = {name: each for name, each in definitions.items() if _says_something(name, each, plans, told)}
    return Document(plans, Extension(needed, dict(credit_types or {}), told))


def _plan(plan: CataloguedPlan, names: Mapping[str, FeatureName]) -> Plan:
    first = plan.prices[0]
    features = {
        names[key]: Feature(
            **{each: getattr(charged.rate, each) for each in ("base", "tiers", "divide")},
            title=charged.title,
            mode=charged.mode,
            aggregate=charged.aggregate,
        )
        for key, charged in first.charges.items()
    }
    return Plan(plan.title, features, first.currency, INTERVALS[first.unit.value])


def _definition(feature: CataloguedFeature) -> Definition:
    told = {"title": feature.title} if feature.title != entity_name(feature.key) else {}
    named = {"key": feature.key} if dashed(feature.name) != feature.key else {}
    return Definition(
        kind=feature.kind,
        aggregate=feature.aggregate if feature.aggregate != Aggregate.SUM else None,
        unit=feature.unit,
        units=feature.units,
        **told,
        **named,
    )


def _says_something(
    name: FeatureName, definition: Definition, plans: Mapping[PlanRef, Plan], terms: Mapping[PlanRef, PlanTerms]
) -> bool:
    """Whether a reader would not know a feature without its definition."""
    unpriced = any(
        name in each.features and (ref not in plans or name not in plans[ref].features) for ref, each in terms.items()
    )
    priced = any(name in plan.features for plan in plans.values())
    usual = Definition(kind=Document(plans).kind_of(name), aggregate=definition.aggregate)
    return unpriced or not priced or definition != usual


def _terms(ref: PlanRef, plan: CataloguedPlan, known: Document, names: Mapping[str, FeatureName]) -> PlanTerms:
    priced = known.plans[ref].features if ref in known.plans else {}
    allowances = {names[key]: _allowance(grant) for key, grant in plan.grants.items()}
    told = {
        name: replace(each, limit=None) if known.is_metered(name, ref) else each for name, each in allowances.items()
    }
    return PlanTerms(
        title="" if plan.prices else plan.title,
        add_on=plan.add_on,
        trial_days=plan.trial_days,
        prices=tuple(_further(each, names) for each in plan.prices[1:]),
        features={name: each for name, each in told.items() if name not in priced or each != known.usual(name, ref)},
    )


def _allowance(grant: Grant) -> Allowance:
    terms = grant.terms
    return Allowance(
        limit=grant.limit,
        value=grant.value,
        reset_period=ResetPeriod(terms.reset_period),
        anchor=Anchor(terms.anchor),
        enforcement=Enforcement(terms.enforcement),
        warning_thresholds=tuple(terms.warning_thresholds),
        on_error=OnError(terms.on_error),
        on_downgrade=OnDowngrade(terms.on_downgrade),
        min_rollover=terms.min_rollover,
        max_rollover=terms.max_rollover,
    )


def _further(paid: Paid, names: Mapping[str, FeatureName]) -> FurtherPrice:
    rates = {names[key]: charged.rate for key, charged in paid.charges.items()}
    return FurtherPrice(paid.currency, INTERVALS[paid.unit.value], rates, paid.count)
