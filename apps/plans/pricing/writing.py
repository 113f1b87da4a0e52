"""From what a pricing.json says to its text, byte for byte as `tier pull` writes it. Pure.

Defaults are left out, but a plan always shows its title. Maps are sorted by name, other
members stand in Tier's order, two spaces indent, and there is no line break at the end.
"""

from typing import Any

from apps.plans.pricing.extension_writing import extension_tree
from apps.plans.pricing.refs import FeatureName, PlanRef
from apps.plans.pricing.trees import rate_tree, text_of, without_empty
from apps.plans.pricing.types import (
    DEFAULT_CURRENCY,
    EXTENSION,
    Aggregate,
    Document,
    Feature,
    Interval,
    Mode,
    Plan,
)


def write(document: Document, *, extension: bool = True) -> str:
    """The text of a pricing.json. Without `extension` it is Tier's format, and lacks what Tier cannot say."""
    tree: dict[str, Any] = {"plans": {str(ref): _plan(ref, document.plans[ref]) for ref in sorted(document.plans)}}
    more = extension_tree(document) if extension else {}
    return text_of(tree | ({EXTENSION: more} if more else {}))


def _plan(ref: PlanRef, plan: Plan) -> dict[str, Any]:
    features = {str(name): _feature(name, ref, plan.features[name]) for name in sorted(plan.features)}
    return without_empty(
        title=plan.title,
        interval=plan.interval.value if plan.interval != Interval.MONTHLY else None,
        currency=plan.currency if plan.currency != DEFAULT_CURRENCY else None,
        features=features,
    )


def _feature(name: FeatureName, ref: PlanRef, feature: Feature) -> dict[str, Any]:
    rate = rate_tree(feature)
    return without_empty(
        title=feature.title if feature.title != str(name.of(ref)) else None,
        base=rate.pop("base", None),
        mode=feature.mode.value if feature.mode != Mode.GRADUATED else None,
        aggregate=feature.aggregate.value if feature.aggregate != Aggregate.SUM else None,
        **rate,
    )
