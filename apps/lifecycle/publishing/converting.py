"""Prices of The Things Stack's kind as a pricing.json, and the other way round. Nothing is written anywhere."""

from apps.billing import selectors as billing
from apps.billing.types import Price
from apps.plans import published
from apps.plans.gathering import features
from apps.plans.pricing.things_stack import PriceFacts, to_pricing
from apps.plans.pricing.types import Document, Extension


def things_stack_document() -> tuple[Document, tuple[str, ...]]:
    """Every price of The Things Stack's kind in one document, and what that cannot say."""
    unlimited = frozenset(each.key for each in features().values() if each.unlimited_when_absent)
    plans = published.things_stack()
    prices = billing.prices(list(plans))
    whole, lost = Document(), tuple[str, ...]()
    for price_id, (ref, catalogue) in sorted(plans.items(), key=lambda each: each[1][0]):
        document, more = to_pricing(ref, catalogue, _facts(price_id, prices.get(price_id), unlimited))
        whole, lost = _joined(whole, document), (*lost, *more)
    return whole, lost


def _facts(price_id: str, price: Price | None, unlimited: frozenset[str]) -> PriceFacts:
    if price is None:
        return PriceFacts(price_id, None, "", "", unlimited_when_absent=unlimited)
    amount = None if price.usage_type == "metered" else price.amount
    return PriceFacts(price_id, amount, price.currency, price.interval, price.interval_count, unlimited)


def _joined(one: Document, other: Document) -> Document:
    extension = Extension(
        features={**one.extension.features, **other.extension.features},
        plans={**one.extension.plans, **other.extension.plans},
    )
    return Document({**one.plans, **other.plans}, extension)
