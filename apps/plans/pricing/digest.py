"""A digest of what a pricing.json says of one plan version, by which two are told apart. Pure.

However it is written: what is left out because it is usual, and the words about features, do not count.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, replace
from decimal import Decimal
from typing import Any

from apps.plans.pricing.catalogued import effective
from apps.plans.pricing.converting import to_catalogue
from apps.plans.pricing.refs import PlanRef
from apps.plans.pricing.trees import text_of
from apps.plans.pricing.types import Document


def digest(document: Document, ref: PlanRef) -> str:
    """Sixty-four hexadecimal digits."""
    catalogue = to_catalogue(_effective(document))
    plan = catalogue.plans[ref]
    kinds = {each.key: (each.kind, each.aggregate) for each in catalogue.features.values()}
    used = {key: kinds[key] for key in plan.grants}
    said = text_of(_plain({"plan": asdict(plan), "kinds": used}))
    return hashlib.sha256(said.encode()).hexdigest()


def _effective(document: Document) -> Document:
    plans = {
        ref: replace(plan, features={name: effective(each) for name, each in plan.features.items()})
        for ref, plan in document.plans.items()
    }
    return replace(document, plans=plans)


def _plain(value: Any) -> Any:
    """The same with its maps sorted and its numbers alike.

    Neither the order in which things were said counts, nor how a number is written:
    PostgreSQL gives `1e3` back as `1000`.
    """
    if isinstance(value, Mapping):
        return {str(key): _plain(value[key]) for key in sorted(value)}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    if isinstance(value, str):
        return str(value)
    return _number(value) if isinstance(value, int | float | Decimal) and not isinstance(value, bool) else value


def _number(value: int | float | Decimal) -> Decimal:
    exact = Decimal(repr(value)) if isinstance(value, float) else Decimal(value)
    return Decimal(int(exact)) if exact == exact.to_integral_value() else exact.normalize()
