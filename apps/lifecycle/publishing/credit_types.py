"""The actions that cost credits, between a pricing.json and the books about credits."""

from collections.abc import Mapping
from datetime import datetime

from apps.core.actors import Actor
from apps.credits import selectors
from apps.credits.services import pricing
from apps.credits.types import CreditType as Priced
from apps.plans import published
from apps.plans.models import Feature
from apps.plans.pricing.converting import keys_of
from apps.plans.pricing.refs import FeatureName
from apps.plans.pricing.types import CreditType, Document
from apps.plans.terms import Kind


def store(document: Document, *, actor: Actor, now: datetime) -> None:
    """Let the actions of a document cost what it says; others keep their price."""
    keys = keys_of(document)
    present = {each.value: each for each in selectors.credit_types()}
    for value, told in sorted(document.extension.credit_types.items()):
        wanted = _priced(value, told, keys)
        if present.get(value) != wanted:
            pricing.set_credit_type(wanted, actor=actor, now=now)


def _priced(value: str, told: CreditType, keys: Mapping[FeatureName, str]) -> Priced:
    return Priced(
        value=value,
        name=told.name,
        description=told.description,
        amount=told.amount,
        feature=keys[told.feature],
        usage_feature=keys[told.usage_feature] if told.usage_feature else "",
    )


def told() -> dict[str, CreditType]:
    """Every action that costs credits, as a pricing.json says it.

    Left out is one whose wallet no plan could fill yet: no such feature is in the catalogue.
    """
    known = {each.key: each for each in Feature.objects.filter(kind__in=[Kind.CREDITS, Kind.METERED])}
    return {
        each.value: CreditType(
            name=each.name,
            amount=each.amount,
            description=each.description,
            feature=published.name_of(known[each.feature]),
            usage_feature=published.name_of(known[each.usage_feature]) if each.usage_feature else None,
        )
        for each in selectors.credit_types()
        if {each.feature, *filter(None, [each.usage_feature])} <= known.keys()
    }
