"""Tenantry's block of a pricing.json: what Tier cannot say. Pure.

```
"x-tenantry": {
  "features": {
    "feature:sso": {"kind": "switch"},
    "feature:devices": {"kind": "count", "key": "end-devices"},
    "feature:credits": {"kind": "credits", "unit": "credit", "units": "credits"}
  },
  "credit_types": {"credit-project-creation": {"name": "Create a project", "amount": 2}},
  "plans": {
    "plan:pro@3": {
      "trial_days": 14,
      "prices": [{"currency": "eur", "interval": "@yearly", "features": {"feature:base": {"base": 9900}}}],
      "features": {
        "feature:sso": {},
        "feature:devices": {"limit": 50, "on_downgrade": "freeze"},
        "feature:credits": {"limit": 100, "reset_period": "month", "max_rollover": 50}
      }
    }
  }
}
```
A plan that stands here alone has no price: it needs nothing in Stripe.
"""

from collections.abc import Mapping

from apps.plans.metadata import ENTITY_GRAMMAR
from apps.plans.pricing.allowing import read_allowances
from apps.plans.pricing.fields import Fields, Place
from apps.plans.pricing.further_prices import read_further_prices
from apps.plans.pricing.hujson import Node
from apps.plans.pricing.refs import FeatureName, PlanRef, parse_feature, parse_plan
from apps.plans.pricing.types import (
    CREDITS,
    EXTENSION,
    Aggregate,
    CreditType,
    Definition,
    Document,
    Extension,
    Plan,
    PlanTerms,
)
from apps.plans.terms import Kind

BLOCK_FIELDS = ("features", "credit_types", "plans")
DEFINITION_FIELDS = ("kind", "title", "key", "aggregate", "unit", "units")
CREDIT_TYPE_FIELDS = ("name", "amount", "description", "feature", "usage_feature")
PLAN_FIELDS = ("title", "add_on", "trial_days", "prices", "features")
OPTIONAL_DEFINITION_FIELDS = {"aggregate", "unit", "units"}
DEFINITION_FIELDS_OF = {
    Kind.COUNT: {"unit", "units"},
    Kind.METERED: {"aggregate", "unit", "units"},
    Kind.CREDITS: {"unit", "units"},
}
METERABLE = frozenset({Kind.METERED, Kind.COUNT})
# Of these a plan has to say more than that it has them.
TOLD = frozenset({Kind.CONFIG, Kind.CREDITS})
MAX_KEY = 80
# Stripe has no longer trials.
MAX_TRIAL_DAYS = 730


def read_extension(document: Fields, plans: Mapping[PlanRef, Plan]) -> Extension:
    """Tenantry's block, if there is one. What is wrong with it, or with what it adds to, is noted with the report."""
    fields = document.nested(EXTENSION, BLOCK_FIELDS)
    placed = {name: (_definition(node, place), place) for name, node, place in fields.refs("features", parse_feature)}
    definitions = {name: definition for name, (definition, _) in placed.items()}
    known = Document(plans, Extension(features=definitions))
    extension = Extension(features=definitions, credit_types=_credit_types(fields, known), plans=_plans(fields, known))
    _refuse_keys_used_twice(placed)
    for name, (definition, place) in placed.items():
        for ref in plans:
            _refuse_unless_plan_fits(ref, name, definition, Document(plans, extension), place)
    return extension


def _definition(node: Node, place: Place) -> Definition:
    fields = Fields(node, place, DEFINITION_FIELDS)
    definition = Definition(
        kind=_kind(fields),
        title=fields.text("title"),
        key=_key(fields),
        aggregate=fields.word("aggregate", Aggregate, Aggregate.SUM) if "aggregate" in fields else None,
        unit=fields.text("unit"),
        units=fields.text("units"),
    )
    wanted = DEFINITION_FIELDS_OF.get(definition.kind, set())
    for name in sorted(OPTIONAL_DEFINITION_FIELDS - wanted):
        if name in fields:
            place.refuse(f'a feature of the kind {definition.kind.value} has no "{name}"')
    return definition


def _kind(fields: Fields) -> Kind:
    if "kind" not in fields:
        fields.place.refuse(f"kind is missing: it is one of {', '.join(Kind.values)}")
    return fields.word("kind", Kind, Kind.SWITCH)


def _key(fields: Fields) -> str:
    key = fields.text("key")
    if key and (len(key) > MAX_KEY or not ENTITY_GRAMMAR.fullmatch(key)):
        fields.place_of("key").refuse(f"must be at most {MAX_KEY} lower-case letters and digits, with dashes")
    return key


def _refuse_keys_used_twice(placed: Mapping[FeatureName, tuple[Definition, Place]]) -> None:
    first: dict[str, FeatureName] = {}
    for name, (definition, place) in placed.items():
        if definition.key and first.setdefault(definition.key, name) != name:
            place.refuse(f'the key "{definition.key}" is that of {first[definition.key]} already')


def _refuse_unless_plan_fits(
    ref: PlanRef, name: FeatureName, definition: Definition, known: Document, place: Place
) -> None:
    kind, terms = definition.kind, known.extension.plans.get(ref, PlanTerms())
    if known.is_metered(name, ref) and kind not in METERABLE:
        place.refuse(f"a feature of the kind {kind.value} has no tiers, but has some in {ref}")
    elif known.is_metered(name, ref) and definition.aggregate not in {None, known.aggregate_of(name, ref)}:
        place.refuse(f"the aggregate is another in {ref}: {known.aggregate_of(name, ref).value}")
    elif name in known.plans[ref].features and kind in TOLD and name not in terms.features:
        place.refuse(f'{ref} has to say how much of it there is, in {EXTENSION}.plans["{ref}"].features["{name}"]')


def _credit_types(fields: Fields, known: Document) -> dict[str, CreditType]:
    types = {}
    for key, node, place in fields.entries("credit_types"):
        if len(key) > MAX_KEY or not ENTITY_GRAMMAR.fullmatch(key):
            place.refuse(f"must be at most {MAX_KEY} lower-case letters and digits, with dashes")
        types[key] = _credit_type(Fields(node, place, CREDIT_TYPE_FIELDS), known)
    return types


def _credit_type(fields: Fields, known: Document) -> CreditType:
    for name in ("name", "amount"):
        if fields.plain(name) in (None, ""):
            fields.place.refuse(f"{name} is missing")
    amount = fields.integer("amount") or 0
    if amount < 0:
        fields.place.refuse("amount must be positive")
    return CreditType(
        name=fields.text("name"),
        amount=amount,
        description=fields.text("description"),
        feature=_of_kind(Kind.CREDITS, fields, "feature", known, CREDITS) or CREDITS,
        usage_feature=_of_kind(Kind.METERED, fields, "usage_feature", known),
    )


def _of_kind(
    kind: Kind, fields: Fields, name: str, known: Document, default: FeatureName | None = None
) -> FeatureName | None:
    feature = fields.ref(name, parse_feature) or default
    if feature and known.kind_of(feature) != kind:
        fields.place_of(name).refuse(f"{feature} is not of the kind {kind.value}")
    return feature


def _plans(fields: Fields, known: Document) -> dict[PlanRef, PlanTerms]:
    placed = fields.refs("plans", parse_plan)
    told = {ref: _plan(ref, Fields(node, place, PLAN_FIELDS), known) for ref, node, place in placed}
    return {ref: terms for ref, terms in told.items() if terms != PlanTerms()}


def _plan(ref: PlanRef, fields: Fields, known: Document) -> PlanTerms:
    priced = ref in known.plans
    if priced and "title" in fields:
        fields.place.refuse(f'the title of {ref} stands in plans["{ref}"]')
    if not priced and fields.is_empty("features"):
        fields.place.refuse("plans must have at least one feature")
    return PlanTerms(
        title=fields.text("title", "" if priced else str(ref)),
        add_on=fields.flag("add_on"),
        trial_days=_trial_days(fields),
        prices=read_further_prices(ref, fields, known),
        features=read_allowances(ref, fields, known),
    )


def _trial_days(fields: Fields) -> int:
    days = fields.integer("trial_days") or 0
    if not 0 <= days <= MAX_TRIAL_DAYS:
        fields.place.refuse(f"trial_days must be from 0 to {MAX_TRIAL_DAYS}")
    return days
