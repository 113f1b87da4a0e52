"""Any valid pricing.json, and the many ways to write it down."""

import random
import re
from decimal import Decimal
from typing import Any

from hypothesis import strategies as st

from apps.plans.pricing.extension import METERABLE, TOLD
from apps.plans.pricing.further_prices import MOST_INTERVALS
from apps.plans.pricing.refs import FeatureName, FeaturePlan, PlanRef
from apps.plans.pricing.types import (
    INFINITE,
    Aggregate,
    Allowance,
    CreditType,
    Definition,
    Divide,
    Document,
    Extension,
    Feature,
    FurtherPrice,
    Interval,
    Mode,
    Plan,
    PlanTerms,
    Rate,
    Tier,
)
from apps.plans.terms import NUMBERED, PERIODIC, Anchor, Enforcement, Kind, OnDowngrade, OnError, ResetPeriod

LETTERS = "abyzABYZ019"
# What JSON, UTF-8 and PostgreSQL can all hold.
texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=8)
titles = texts.filter(bool)
names = st.text(f"{LETTERS}:", min_size=1, max_size=6)
plan_refs = st.builds(PlanRef, name=names, version=st.text(LETTERS, min_size=1, max_size=3))
feature_names = st.builds(FeatureName, name=names)
feature_plans = st.builds(FeaturePlan, name=names, version=plan_refs | st.text(LETTERS, min_size=1, max_size=3))
currencies = st.sampled_from(["usd", "eur", "jpy", "kwd"])
amounts = st.builds(lambda units, places: Decimal(units).scaleb(-places), st.integers(0, 10**14), st.integers(0, 12))
json_values = st.recursive(
    st.booleans() | st.integers(-(10**30), 10**30) | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda inner: st.lists(inner | st.none(), max_size=3) | st.dictionaries(texts, inner | st.none(), max_size=3),
    max_leaves=5,
)
divides = st.none() | st.builds(Divide, by=st.integers(1, 10**6), round_up=st.booleans())
plans = st.builds(
    Plan,
    title=titles,
    features=st.dictionaries(feature_names, st.deferred(lambda: FEATURES), min_size=1, max_size=3),
    currency=currencies,
    interval=st.sampled_from(Interval),
)


@st.composite
def tiers(draw: st.DrawFn, *, limit: Any = ...) -> tuple[Tier, ...]:
    """At least one tier; with `limit`, the last one ends there (None: it does not end)."""
    most = (limit or INFINITE) - 1 if limit is not ... else INFINITE - 1
    ends: list[int | None] = sorted(draw(st.sets(st.integers(1, most), max_size=2))) if most else []
    ends.append(limit if limit is not ... else None)
    if limit is ... and len(ends) > 1 and draw(st.booleans()):
        ends.pop()
    prices = st.builds(Tier, price=amounts, base=st.integers(0, 10**12))
    return tuple(Tier(end, each.price, each.base) for end in ends for each in [draw(prices)])


@st.composite
def features(draw: st.DrawFn) -> Feature:
    """A feature with tiers or without."""
    metered = draw(st.booleans())
    return Feature(
        base=Decimal(0) if metered else draw(amounts),
        tiers=draw(tiers()) if metered else (),
        divide=draw(divides),
        title=draw(titles),
        mode=draw(st.sampled_from(Mode)),
        aggregate=draw(st.sampled_from(Aggregate)),
    )


FEATURES = features()


@st.composite
def documents(draw: st.DrawFn, *, extended: bool = True) -> Document:
    """Any valid document, as reading gives it; Tier's format only when not `extended`."""
    document = Document(plans=draw(st.dictionaries(plan_refs, plans, max_size=3)))
    return draw(_extended(document)) if extended and draw(st.booleans()) else document


@st.composite
def _extended(draw: st.DrawFn, tiers_part: Document) -> Document:
    definitions = draw(_definitions(tiers_part))
    known = Document(tiers_part.plans, Extension(features=definitions))
    free = draw(st.sets(plan_refs, max_size=2)) - set(known.plans) if definitions else set()
    terms = {ref: draw(_terms(ref, known)) for ref in [*known.plans, *sorted(free)]}
    extension = Extension(
        features=definitions,
        credit_types=draw(_credit_types(known)),
        plans={ref: each for ref, each in terms.items() if each != PlanTerms()},
    )
    return Document(tiers_part.plans, extension)


@st.composite
def _definitions(draw: st.DrawFn, document: Document) -> dict[FeatureName, Definition]:
    priced = {name for plan in document.plans.values() for name in plan.features}
    chosen = {name for name in sorted(priced) if draw(st.booleans())} | draw(st.sets(feature_names, max_size=3))
    return {name: draw(_definition(name, number, document)) for number, name in enumerate(sorted(chosen))}


@st.composite
def _definition(draw: st.DrawFn, name: FeatureName, number: int, document: Document) -> Definition:
    metered = any(document.is_metered(name, ref) for ref in document.plans)
    kind = draw(st.sampled_from(sorted(METERABLE) if metered else list(Kind)))
    return Definition(
        kind=kind,
        title=draw(texts),
        key=draw(st.sampled_from(["", f"some-key-{number}"])),
        aggregate=draw(st.none() | st.sampled_from(Aggregate)) if kind == Kind.METERED and not metered else None,
        unit=draw(texts) if kind in NUMBERED else "",
        units=draw(texts) if kind in NUMBERED else "",
    )


@st.composite
def _terms(draw: st.DrawFn, ref: PlanRef, known: Document) -> PlanTerms:
    plan = known.plans.get(ref)
    defined, priced = sorted(known.extension.features), sorted(plan.features) if plan else []
    needed = {name for name in priced if known.kind_of(name) in TOLD} if plan else {draw(st.sampled_from(defined))}
    chosen = needed | {name for name in {*defined, *priced} if draw(st.booleans())}
    allowances = {name: draw(allowance_of(name, ref, known)) for name in sorted(chosen)}
    return PlanTerms(
        title="" if plan else draw(titles),
        add_on=draw(st.booleans()),
        trial_days=draw(st.integers(0, 730)),
        prices=draw(_further_prices(plan)) if plan else (),
        features={
            name: each for name, each in allowances.items() if name not in priced or each != known.usual(name, ref)
        },
    )


@st.composite
def allowance_of(draw: st.DrawFn, name: FeatureName, ref: PlanRef, known: Document) -> Allowance:
    """Any allowance that fits the kind of the feature."""
    kind, usual = known.kind_of(name), known.usual(name, ref)
    limits = st.integers(0, INFINITE) if kind == Kind.CREDITS else st.none() | st.integers(0, INFINITE)
    thresholds = st.sets(st.integers(1, 1000), max_size=3).map(lambda found: tuple(sorted(found)))
    rollover = sorted(draw(st.tuples(st.integers(0, 9), st.integers(0, 99)))) if kind == Kind.CREDITS else (0, 0)
    numbered, periodic = kind in NUMBERED, kind in PERIODIC
    return Allowance(
        limit=draw(limits) if numbered and not known.is_metered(name, ref) else None,
        value=draw(json_values) if kind == Kind.CONFIG else usual.value,
        reset_period=draw(st.sampled_from(ResetPeriod)) if periodic else usual.reset_period,
        anchor=draw(st.sampled_from(Anchor)) if periodic else usual.anchor,
        enforcement=draw(st.sampled_from(Enforcement)) if numbered else usual.enforcement,
        warning_thresholds=draw(thresholds) if numbered else usual.warning_thresholds,
        on_error=draw(st.sampled_from(OnError)),
        on_downgrade=draw(st.sampled_from(OnDowngrade)),
        min_rollover=rollover[0],
        max_rollover=rollover[1],
    )


@st.composite
def _further_prices(draw: st.DrawFn, plan: Plan) -> tuple[FurtherPrice, ...]:
    periods = draw(st.sets(st.tuples(currencies, st.sampled_from(Interval), st.integers(1, 3)), max_size=2))
    prices = []
    for currency, interval, count in sorted(periods - {(plan.currency, plan.interval, 1)}):
        assert count <= MOST_INTERVALS[interval]
        rates = {name: draw(_rate_like(feature)) for name, feature in plan.features.items()}
        prices.append(FurtherPrice(currency=currency, interval=interval, count=count, features=rates))
    return tuple(prices)


@st.composite
def _rate_like(draw: st.DrawFn, feature: Feature) -> Rate:
    if feature.metered:
        return Rate(tiers=draw(tiers(limit=feature.limit)), divide=draw(divides))
    return Rate(base=draw(amounts), divide=draw(divides))


@st.composite
def _credit_types(draw: st.DrawFn, known: Document) -> dict[str, CreditType]:
    defined = known.extension.features
    wallets = [name for name in sorted(defined) if known.kind_of(name) == Kind.CREDITS]
    meters = [name for name in sorted(defined) if known.kind_of(name) == Kind.METERED]
    if not wallets:
        return {}
    types = st.builds(
        CreditType,
        name=titles,
        amount=st.integers(0, INFINITE),
        description=texts,
        feature=st.sampled_from(wallets),
        usage_feature=st.sampled_from([None, *meters]),
    )
    return draw(st.dictionaries(st.sampled_from(["credit-project", "task"]), types, max_size=2))


TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[-+.\w]+|[{}\[\]:,]')
BETWEEN = ["", "", " ", "\t", "\r\n", "\n\n", "/**/", "/* , } // */", '// " ] \\ é\n', "/***/ // /*\n"]


@st.composite
def dressed(draw: st.DrawFn, text: str) -> str:
    """The same JSON with comments, space and trailing commas wherever HuJSON takes them."""
    chance = random.Random(draw(st.integers(0, 10**6)))
    written = [chance.choice(BETWEEN)]
    before = ""
    for token in TOKEN.findall(text):
        if token in "}]" and before not in ("{", "[") and chance.random() < 0.5:
            written += [",", chance.choice(BETWEEN)]
        written += [token, chance.choice(BETWEEN)]
        before = token
    return "".join(written)
