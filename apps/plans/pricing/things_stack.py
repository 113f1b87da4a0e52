"""Between The Things Stack's prices, whose metadata says the limits, and a pricing.json. Pure.

Neither can say all that the other can. What gets lost on the way is told, never dropped in silence.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal

from apps.core.periods import Unit
from apps.plans.grants import write_grant
from apps.plans.metadata import ADD_ON_KEY, GRANT_PREFIX, LIMIT_PREFIX, STANDARD_ENTITIES
from apps.plans.pricing.catalogued import Catalogue, CataloguedFeature, CataloguedPlan, Charged, Paid
from apps.plans.pricing.converting import dashed, to_catalogue, to_document, usual_name
from apps.plans.pricing.refs import FeatureName, PlanRef
from apps.plans.pricing.types import Document, Rate
from apps.plans.resolution import Grant, Grantable, Terms
from apps.plans.terms import Kind

# Stripe's bounds of metadata.
MOST_ENTRIES, MAX_VALUE, MAX_NAME = 50, 500, 40
# What a price of The Things Stack costs is the price of no feature in particular.
FEE = FeatureName("base")


@dataclass(frozen=True)
class PricedPlan:
    """A plan as one price of The Things Stack's kind. `amount` None: the plan costs nothing."""

    ref: PlanRef
    name: str
    metadata: Mapping[str, str]
    amount: Decimal | None = None
    currency: str = ""
    unit: str = ""
    lost: tuple[str, ...] = ()


@dataclass(frozen=True)
class PriceFacts:
    """What a Stripe price costs. `amount` None: no single amount says it."""

    id: str
    amount: Decimal | None
    currency: str
    interval: str
    count: int = 1
    unlimited_when_absent: frozenset[str] = field(default_factory=frozenset)


def to_prices(document: Document) -> tuple[PricedPlan, ...]:
    """Each plan of a document as one price with metadata, and what such a price cannot say.

    Raises:
        UnconvertiblePricing: when features cannot have keys of the catalogue.
    """
    catalogue = to_catalogue(document)
    return tuple(_price(ref, catalogue, document) for ref in document.refs())


def _price(ref: PlanRef, catalogue: Catalogue, document: Document) -> PricedPlan:
    plan = catalogue.plans[ref]
    entries = dict(entry for key in sorted(plan.grants) for entry in _entries(catalogue, key, plan.grants[key]))
    said = {key: value for key, value in entries.items() if len(key) <= MAX_NAME and len(value) <= MAX_VALUE}
    add_on = {ADD_ON_KEY: "true"} if plan.add_on else {}
    metadata = dict(list((add_on | said).items())[:MOST_ENTRIES])
    dropped = [
        f"{key}: {value}, which is too much for metadata" for key, value in entries.items() if key not in metadata
    ]
    fee = _fee(plan)
    lost = (*dropped, *_lost_names(catalogue, plan), *_lost_costs(plan, catalogue, fee), *_lost_terms(plan, document))
    first = plan.prices[0] if plan.prices else None
    return PricedPlan(
        ref=ref,
        name=plan.title,
        metadata=metadata,
        amount=fee,
        currency=first.currency if first else "",
        unit=first.unit.value if first else "",
        lost=tuple(f"{ref}: {each}" for each in lost),
    )


def _entries(catalogue: Catalogue, key: str, grant: Grant) -> Iterator[tuple[str, str]]:
    feature = catalogue.features[key]
    counted = feature.kind == Kind.COUNT and grant.terms == Terms()
    if counted and grant.limit is not None:
        yield f"{LIMIT_PREFIX}{key}", str(grant.limit)
    elif not (counted and key in STANDARD_ENTITIES):
        known = Grantable(key, key, feature.kind.value, aggregate=feature.aggregate.value)
        yield f"{GRANT_PREFIX}{key}", write_grant(known, grant)


def _fee(plan: CataloguedPlan) -> Decimal | None:
    """What is paid in advance each period, for all features together."""
    return sum((each.rate.base for each in plan.prices[0].charges.values()), Decimal(0)) if plan.prices else None


def _lost_names(catalogue: Catalogue, plan: CataloguedPlan) -> Iterator[str]:
    for key in sorted(plan.grants):
        feature = catalogue.features[key]
        if feature.name != usual_name(key):
            yield f"{feature.name}, as the feature is {key} in metadata"
        if feature.kind != Kind.COUNT:
            yield f"{feature.name} is of the kind {feature.kind.value}, which metadata cannot say: define it first"


def _lost_costs(plan: CataloguedPlan, catalogue: Catalogue, fee: Decimal | None) -> Iterator[str]:
    if not plan.prices:
        return
    charges = plan.prices[0].charges
    flat = [key for key, each in charges.items() if each.rate.base]
    if len(flat) > 1:
        names = ", ".join(str(catalogue.features[key].name) for key in sorted(flat))
        yield f"what each of {names} costs, as a price has one amount: {fee:f}"
    for key in sorted(charges):
        if charges[key].rate.metered:
            yield f"what the use of {catalogue.features[key].name} costs"
    for each in plan.prices[1:]:
        yield f"its price in {each.currency} each {each.count} {each.unit.value}"


def _lost_terms(plan: CataloguedPlan, document: Document) -> Iterator[str]:
    if plan.trial_days:
        yield f"trial_days: {plan.trial_days}"
    if document.extension.credit_types:
        yield f"the credit types {', '.join(sorted(document.extension.credit_types))}"


def to_pricing(ref: PlanRef, catalogue: Catalogue, facts: PriceFacts) -> tuple[Document, tuple[str, ...]]:
    """A price of The Things Stack's kind as a document with one plan, and what a pricing.json cannot say of it.

    `catalogue`: the plan that was read from its metadata, and the features.
    """
    plan = catalogue.plans[ref]
    used = {key: feature for key, feature in catalogue.features.items() if key in plan.grants}
    lost = [*_lost_rules(plan, facts), *_lost_amount(facts)]
    key = _fee_key(catalogue)
    if _is_sayable(facts):
        rate = Rate(base=facts.amount or Decimal(0))
        charges = {key: Charged(rate, title=str(FEE.of(ref)))}
        plan = replace(
            plan,
            prices=(Paid(facts.currency, Unit(facts.interval), charges),),
            grants={**plan.grants, key: Grant(value=True)},
        )
        name = FEE if dashed(FEE) == key else usual_name(key)
        used[key] = CataloguedFeature(key, name, Kind.SWITCH)
    return to_document(Catalogue(used, {ref: plan})), tuple(f"{ref}: {each}" for each in lost)


def _fee_key(catalogue: Catalogue) -> str:
    """The key of the feature that stands for the fee, where no other feature has it."""
    taken = catalogue.features.get(FEE.name)
    return FEE.name if taken is None or taken.kind == Kind.SWITCH else f"{FEE.name}-fee"


def _is_sayable(facts: PriceFacts) -> bool:
    return facts.amount is not None and facts.count == 1


def _lost_amount(facts: PriceFacts) -> Iterator[str]:
    yield f"that it is {facts.id}: whoever subscribed to that stays with it"
    if facts.amount is None:
        yield f"what {facts.id} costs, as that is no single amount"
    elif facts.count != 1:
        yield f"what {facts.id} costs, {facts.amount:f} {facts.currency} each {facts.count} {facts.interval}s"


def _lost_rules(plan: CataloguedPlan, facts: PriceFacts) -> Iterator[str]:
    for key in sorted(facts.unlimited_when_absent - set(STANDARD_ENTITIES)):
        if key not in plan.grants:
            yield f"that {key} is unlimited, as a plan that does not name it does not limit it"
        else:
            yield f"that {key} is unlimited in plans that do not name it"
