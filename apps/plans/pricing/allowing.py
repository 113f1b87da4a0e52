"""What a plan grants of its features, as Tenantry's block of a pricing.json says it. Pure."""

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

from apps.plans.pricing.fields import Fields, integers
from apps.plans.pricing.refs import FeatureName, PlanRef, parse_feature
from apps.plans.pricing.types import UNLIMITED, Allowance, Document
from apps.plans.terms import NUMBERED, Anchor, Enforcement, Kind, OnDowngrade, OnError, ResetPeriod

ALWAYS = frozenset({"on_error", "on_downgrade"})
VALUED = ALWAYS | {"value"}
COUNTED = ALWAYS | {"limit", "enforcement", "warning_thresholds"}
RETURNING = COUNTED | {"reset_period", "anchor"}
FIELDS_OF: Mapping[Kind, frozenset[str]] = {
    Kind.SWITCH: VALUED,
    Kind.CONFIG: VALUED,
    Kind.COUNT: COUNTED,
    Kind.METERED: RETURNING,
    Kind.CREDITS: RETURNING | {"min_rollover", "max_rollover"},
}
ALLOWANCE_FIELDS = frozenset().union(*FIELDS_OF.values())
MAX_THRESHOLD = 1000


def read_allowances(ref: PlanRef, plan: Fields, known: Document) -> dict[FeatureName, Allowance]:
    """What a plan grants; what Tier's part says already, and no more, is left out."""
    found = {}
    for name, node, place in plan.refs("features", parse_feature):
        fields = Fields(node, place, ALLOWANCE_FIELDS)
        priced = ref in known.plans and name in known.plans[ref].features
        if not priced and name not in known.extension.features:
            place.refuse(f"{name} is not defined: say what kind it is in x-tenantry.features")
            continue
        allowance = _allowance(name, ref, fields, known)
        _refuse_missing(known.kind_of(name), fields, priced=priced)
        if not priced or allowance != known.usual(name, ref):
            found[name] = allowance
    return found


def _allowance(name: FeatureName, ref: PlanRef, fields: Fields, known: Document) -> Allowance:
    kind, usual = known.kind_of(name), known.usual(name, ref)
    for foreign in sorted(fields.names() & (ALLOWANCE_FIELDS - FIELDS_OF[kind])):
        fields.place.refuse(f'a feature of the kind {kind.value} has no "{foreign}"')
    return Allowance(
        limit=_limit(fields, metered=known.is_metered(name, ref)),
        value=_value(kind, fields),
        reset_period=fields.word("reset_period", ResetPeriod, usual.reset_period),
        anchor=fields.word("anchor", Anchor, usual.anchor),
        enforcement=fields.word("enforcement", Enforcement, usual.enforcement),
        warning_thresholds=_thresholds(fields) if "warning_thresholds" in fields else usual.warning_thresholds,
        on_error=fields.word("on_error", OnError, usual.on_error),
        on_downgrade=fields.word("on_downgrade", OnDowngrade, usual.on_downgrade),
        **_rollover(fields),
    )


def _limit(fields: Fields, *, metered: bool) -> int | None:
    if metered and "limit" in fields:
        fields.place.refuse("the limit is that of the last tier")
    return fields.limit("limit") if "limit" in fields and not metered else None


def _value(kind: Kind, fields: Fields) -> Any:
    if kind == Kind.CONFIG:
        return fields.plain("value")
    if kind != Kind.SWITCH:
        return None
    if "value" in fields and fields.plain("value") is not True:
        fields.place.refuse("a switch is on where it is granted: its value is true, or it is left out")
    return True


def _refuse_missing(kind: Kind, fields: Fields, *, priced: bool) -> None:
    if kind == Kind.CONFIG and "value" not in fields:
        fields.place.refuse("value is missing")
    if kind == Kind.CREDITS and fields.plain("limit") in (None, UNLIMITED):
        fields.place.refuse("credits need a number as their limit")
    elif kind in NUMBERED and not priced and "limit" not in fields:
        fields.place.refuse('limit is missing: it is a whole number, or "unlimited"')


def _thresholds(fields: Fields) -> tuple[int, ...]:
    thresholds = integers(fields, "warning_thresholds")
    ascending = all(lower < higher for lower, higher in pairwise(thresholds))
    if not ascending or not all(1 <= each <= MAX_THRESHOLD for each in thresholds):
        fields.place_of("warning_thresholds").refuse(f"must be ascending per cents from 1 to {MAX_THRESHOLD}")
    return thresholds


def _rollover(fields: Fields) -> dict[str, int]:
    least, most = fields.integer("min_rollover") or 0, fields.integer("max_rollover") or 0
    if least < 0:
        fields.place.refuse("min_rollover must be positive")
    if most < least:
        fields.place.refuse("max_rollover must be at least min_rollover")
    return {"min_rollover": least, "max_rollover": most}
