"""Tenantry's block of a pricing.json as JSON values, defaults left out. Pure."""

import re
from collections.abc import Iterator
from dataclasses import fields
from typing import Any

from apps.plans.pricing.refs import FeatureName, PlanRef
from apps.plans.pricing.trees import quoted, rate_tree, text_of, without_empty
from apps.plans.pricing.types import (
    CREDITS,
    DEFAULT_CURRENCY,
    EXTENSION,
    UNLIMITED,
    Allowance,
    CreditType,
    Definition,
    Document,
    FurtherPrice,
    Interval,
    PlanTerms,
)
from apps.plans.terms import NUMBERED, Kind

NO_WORD = re.compile("[^a-z_]")


def extension_tree(document: Document) -> dict[str, Any]:
    """The block; empty where Tier can say all of it."""
    extension = document.extension
    return without_empty(
        features={str(name): _definition(extension.features[name]) for name in sorted(extension.features)},
        credit_types={key: _credit_type(extension.credit_types[key]) for key in sorted(extension.credit_types)},
        plans={str(ref): _plan(ref, extension.plans[ref], document) for ref in sorted(extension.plans)},
    )


def beyond_tier(document: Document) -> tuple[str, ...]:
    """What gets lost in Tier's format, such as `x-tenantry.plans["plan:pro@3"].trial_days: 14`."""
    tree = extension_tree(document)
    return tuple(_leaves(tree, EXTENSION)) if tree else ()


def _leaves(tree: Any, path: str) -> Iterator[str]:
    if isinstance(tree, dict) and tree:
        for name, each in tree.items():
            yield from _leaves(each, f"{path}[{quoted(name)}]" if NO_WORD.search(name) else f"{path}.{name}")
    elif isinstance(tree, list) and tree:
        for number, each in enumerate(tree):
            yield from _leaves(each, f"{path}[{number}]")
    else:
        yield f"{path}: {text_of(tree)}"


def _definition(definition: Definition) -> dict[str, Any]:
    return without_empty(
        kind=definition.kind.value,
        title=definition.title,
        key=definition.key,
        aggregate=definition.aggregate and definition.aggregate.value,
        unit=definition.unit,
        units=definition.units,
    )


def _credit_type(credit_type: CreditType) -> dict[str, Any]:
    return {"name": credit_type.name, "amount": credit_type.amount} | without_empty(
        description=credit_type.description,
        feature=str(credit_type.feature) if credit_type.feature != CREDITS else None,
        usage_feature=credit_type.usage_feature and str(credit_type.usage_feature),
    )


def _plan(ref: PlanRef, terms: PlanTerms, document: Document) -> dict[str, Any]:
    return without_empty(
        title=terms.title,
        add_on=terms.add_on,
        trial_days=terms.trial_days,
        prices=[_price(price) for price in terms.prices],
        features={str(name): _allowance(name, ref, terms.features[name], document) for name in sorted(terms.features)},
    )


def _price(price: FurtherPrice) -> dict[str, Any]:
    return without_empty(
        currency=price.currency if price.currency != DEFAULT_CURRENCY else None,
        interval=price.interval.value if price.interval != Interval.MONTHLY else None,
        interval_count=price.count if price.count != 1 else None,
        features={str(name): rate_tree(price.features[name]) for name in sorted(price.features)},
    )


def _allowance(name: FeatureName, ref: PlanRef, allowance: Allowance, document: Document) -> dict[str, Any]:
    usual, kind = document.usual(name, ref), document.kind_of(name)
    told = [each.name for each in fields(Allowance) if each.name != "limit"]
    tree = {each: getattr(allowance, each) for each in told if getattr(allowance, each) != getattr(usual, each)}
    if kind == Kind.CONFIG:
        tree["value"] = allowance.value
    if kind in NUMBERED and not document.is_metered(name, ref):
        tree = {"limit": UNLIMITED if allowance.limit is None else allowance.limit} | tree
    return {each: list(value) if isinstance(value, tuple) else value for each, value in tree.items()}
