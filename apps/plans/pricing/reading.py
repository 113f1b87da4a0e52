"""From the text of a pricing.json to what it says. Pure.

Tier's grammar, defaults and messages; all problems are told at once, in the order of the
text, where Tier stops at the first that it cannot decode. Beyond Tier, which leaves it to
Stripe, refused are unknown modes, tiers that do not ascend, and more than 12 decimals of `base`.
"""

from apps.plans.pricing.extension import read_extension
from apps.plans.pricing.fields import Fields, Place, Report
from apps.plans.pricing.hujson import Node, decode, parse
from apps.plans.pricing.rates import RATE_FIELDS, read_rate
from apps.plans.pricing.refs import PlanRef, parse_feature, parse_plan
from apps.plans.pricing.types import DEFAULT_CURRENCY, EXTENSION, Aggregate, Document, Feature, Interval, Mode, Plan

PLAN_FIELDS = ("title", "interval", "currency", "features")
FEATURE_FIELDS = ("title", "mode", "aggregate", *RATE_FIELDS)


def read(source: str | bytes) -> Document:
    """What a pricing.json says, in Tier's format with or without Tenantry's block.

    Raises:
        UnreadablePricing: with everything that is wrong and where; of a text that is no HuJSON, the first.
    """
    text = decode(source)
    report = Report(text)
    fields = Fields(parse(text), Place(report, "", 0), ("plans", EXTENSION))
    plans = _plans(fields)
    document = Document(plans=plans, extension=read_extension(fields, plans))
    report.refuse_if_any()
    return document


def _plans(fields: Fields) -> dict[PlanRef, Plan]:
    return {ref: _plan(ref, node, place) for ref, node, place in fields.refs("plans", parse_plan)}


def _plan(ref: PlanRef, node: Node, place: Place) -> Plan:
    fields = Fields(node, place, PLAN_FIELDS)
    if fields.is_empty("features"):
        place.refuse("plans must have at least one feature")
    features = fields.refs("features", parse_feature)
    return Plan(
        title=fields.text("title", str(ref)),
        # Stripe knows them in lower case only, whichever way they come in.
        currency=fields.text("currency", DEFAULT_CURRENCY).lower(),
        interval=fields.word("interval", Interval, Interval.MONTHLY),
        features={name: _feature(str(name.of(ref)), each, within) for name, each, within in features},
    )


def _feature(usual_title: str, node: Node, place: Place) -> Feature:
    fields = Fields(node, place, FEATURE_FIELDS)
    rate = read_rate(fields)
    return Feature(
        base=rate.base,
        tiers=rate.tiers,
        divide=rate.divide,
        title=fields.text("title", usual_title),
        mode=fields.word("mode", Mode, Mode.GRADUATED),
        aggregate=fields.word("aggregate", Aggregate, Aggregate.SUM),
    )
