"""The JSON Schema of pricing.json, with Tenantry's block. Pure.

It accepts whatever `reading.read` accepts. What a schema cannot say (that a name comes once,
that tiers ascend, what a kind of feature has, how many decimals there are) only reading refuses.
"""

from collections.abc import Mapping
from enum import Enum
from typing import Any

from apps.plans.metadata import ENTITY_GRAMMAR
from apps.plans.pricing.allowing import MAX_THRESHOLD
from apps.plans.pricing.extension import MAX_KEY, MAX_TRIAL_DAYS
from apps.plans.pricing.fields import MAX_INTEGER, TOO_MUCH
from apps.plans.pricing.refs import FEATURE_PATTERN, PLAN_PATTERN
from apps.plans.pricing.types import EXTENSION, UNLIMITED, Aggregate, Interval, Mode
from apps.plans.terms import Anchor, Enforcement, Kind, OnDowngrade, OnError, ResetPeriod

SCHEMA_ID = "/schema/pricing.json"


def _text(description: str, **more: Any) -> dict[str, Any]:
    return {"type": ["string", "null"], "description": description, **more}


def _words(words: type[Enum], description: str) -> dict[str, Any]:
    return {"enum": [*(each.value for each in words), "", None], "description": description}


def _integer(description: str, least: int = 0, most: int = MAX_INTEGER) -> dict[str, Any]:
    return {"type": ["integer", "null"], "minimum": least, "maximum": most, "description": description}


def _amount(description: str) -> dict[str, Any]:
    return {"type": ["number", "null"], "minimum": 0, "exclusiveMaximum": TOO_MUCH, "description": description}


def _object(about: str, required: tuple[str, ...] = (), /, **members: Any) -> dict[str, Any]:
    return {
        "type": "object" if required else ["object", "null"],
        "description": about,
        "properties": members,
        "additionalProperties": False,
        **({"required": list(required)} if required else {}),
    }


def _map(pattern: str, of: str, description: str, **more: Any) -> dict[str, Any]:
    return {
        "type": ["object", "null"],
        "description": description,
        "propertyNames": {"pattern": f"^{pattern}$", **more},
        "additionalProperties": {"$ref": f"#/$defs/{of}"},
    }


def _list(of: Mapping[str, Any], description: str) -> dict[str, Any]:
    return {"type": ["array", "null"], "items": of, "description": description}


_RATE = {
    "base": _amount("Minor units of the currency, charged each period in advance. Only without tiers."),
    "tiers": _list({"$ref": "#/$defs/tier"}, "What use costs, in arrears. The end of the last tier is the limit."),
    "divide": {"$ref": "#/$defs/divide"},
}

_TIERS_PART = {
    "plan": _object(
        "One version of a plan. It has at least one feature.",
        title=_text("For people. By default the plan's reference."),
        interval=_words(Interval, "How often it is billed. By default every month."),
        currency=_text("ISO 4217. By default usd."),
        features=_map(FEATURE_PATTERN, "feature", "What the plan has, by feature."),
    ),
    "feature": _object(
        "A feature as this plan prices it.",
        title=_text("For people and invoices. By default the reference of feature and plan."),
        mode=_words(Mode, "How tiers add up. By default graduated."),
        aggregate=_words(Aggregate, "What of a period's usage counts. By default the sum."),
        **_RATE,
    ),
    "tier": _object(
        "A range of units.",
        upto=_integer("The last unit of the tier. Absent: without end.", least=1),
        price=_amount("Minor units for each unit, with up to 12 decimals."),
        base=_integer("Minor units once for the tier.", most=TOO_MUCH - 1),
    ),
    "divide": _object(
        "Units are sold in packages.",
        by=_integer("Units in a package. 0: no packages."),
        rounding=_text("`up`: what is left over is a whole package. Anything else: it is free."),
    ),
}

_EXTENSION_PART = {
    "extension": _object(
        "What Tier cannot say. Files in Tier's format lack it.",
        features=_map(FEATURE_PATTERN, "definition", "What features are, whichever plan has them."),
        credit_types=_map(
            ENTITY_GRAMMAR.pattern, "credit_type", "Actions that cost credits, by value.", maxLength=MAX_KEY
        ),
        plans=_map(PLAN_PATTERN, "plan_terms", "What Tier cannot say of a plan. One that stands only here is free."),
    ),
    "definition": _object(
        "What a feature is.",
        ("kind",),
        kind={"enum": Kind.values, "description": "What a grant of it is."},
        title=_text("For people."),
        key=_text("Its key in the catalogue, where Tier could not write it: end-devices.", maxLength=MAX_KEY),
        aggregate=_words(Aggregate, "Of what is metered. By default the sum."),
        unit=_text("One of it, such as call."),
        units=_text("Several of it, such as calls."),
    ),
    "credit_type": _object(
        "An action that costs credits.",
        ("name", "amount"),
        name={"type": "string", "minLength": 1, "description": "For people."},
        amount={**_integer("How many credits it costs."), "type": "integer"},
        description=_text("For people."),
        feature=_text("The credits that it burns. By default feature:credits.", pattern=f"^(?:{FEATURE_PATTERN})?$"),
        usage_feature=_text("A metered feature of which it uses one unit.", pattern=f"^(?:{FEATURE_PATTERN})?$"),
    ),
    "plan_terms": _object(
        "What Tier cannot say of a plan.",
        title=_text("For people; only of a plan that stands only here."),
        add_on={"type": ["boolean", "null"], "description": "It adds to a plan, times its quantity."},
        trial_days=_integer("How long new customers do not pay.", most=MAX_TRIAL_DAYS),
        prices=_list({"$ref": "#/$defs/further_price"}, "The same plan in other currencies and intervals."),
        features=_map(FEATURE_PATTERN, "allowance", "What the plan grants of each feature."),
    ),
    "further_price": _object(
        "The plan in another currency or interval.",
        currency=_text("ISO 4217. By default usd."),
        interval=_words(Interval, "By default every month."),
        interval_count=_integer("How many intervals make one period. By default 1.", least=1),
        features=_map(FEATURE_PATTERN, "rate", "What each feature costs here."),
    ),
    "rate": _object("What a feature costs.", **_RATE),
    "allowance": _object(
        "What a plan grants of a feature. Which members there can be depends on its kind.",
        limit={
            "anyOf": [_integer("Of what is counted. 0: none at all."), {"const": UNLIMITED}],
            "description": "Of what has no tiers.",
        },
        value={"description": "Of a configuration: any JSON."},
        reset_period=_words(ResetPeriod, "When it starts anew. By default with each billing period."),
        anchor=_words(Anchor, "Where its periods begin."),
        enforcement=_words(Enforcement, "Whether there is more beyond the limit."),
        warning_thresholds=_list(
            {"type": "integer", "minimum": 1, "maximum": MAX_THRESHOLD},
            "Per cents of the limit at which somebody is told, ascending. By default 80 and 100.",
        ),
        on_error=_words(OnError, "What is answered when the question itself fails."),
        on_downgrade=_words(OnDowngrade, "What becomes of what a smaller plan does not cover."),
        min_rollover=_integer("Credits that a new period begins with at least, besides its own."),
        max_rollover=_integer("Credits that are taken along into a new period at most."),
    ),
}

SCHEMA: Mapping[str, Any] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "$id": SCHEMA_ID,
    "title": "pricing.json",
    **_object(
        "Plans as code: Tier's format, and one block in it for what Tier cannot say.",
        plans=_map(PLAN_PATTERN, "plan", "Every version of every plan, by reference."),
        **{EXTENSION: {"$ref": "#/$defs/extension"}},
    ),
    # Editors that know HuJSON look at it.
    "allowTrailingCommas": True,
    "$defs": {**_TIERS_PART, **_EXTENSION_PART},
}
