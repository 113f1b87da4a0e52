"""What a tenant is entitled to, from everything that has a say: pure rules, no database, no clock.

For each feature, in this order:

1. an **override** that is not over: it wins, whatever the plans say;
2. the tenant's **plans**: of several the most generous, per feature, plus its **add-ons**, each
   times its quantity, to what counts in the same period, as a month and a monthly billing
   period are;
3. the **default plan**, in the place of a plan, for a tenant that holds none;
4. **absent**: nothing, but for an entity of The Things Stack, which no plan then limits.

Most generous: unlimited before any number, and the larger number (per year, where it starts
anew every hour or month) before the smaller, and soft before hard. Of configurations, which
cannot be compared, that of the plan whose subscription was made first counts.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from apps.plans.metadata import MAX_LIMIT
from apps.plans.terms import (
    DEFAULT_WARNING_THRESHOLDS,
    NUMBERED,
    Aggregate,
    Anchor,
    Cycle,
    Enforcement,
    Kind,
    OnDowngrade,
    OnError,
    ResetPeriod,
    amount_in_words,
)

# What comes back never comes back only once; a billing period of which nothing is known is taken for a month.
TIMES_A_YEAR = {
    ResetPeriod.HOUR: 8760,
    ResetPeriod.DAY: 365,
    ResetPeriod.WEEK: 52,
    ResetPeriod.MONTH: 12,
    ResetPeriod.BILLING_PERIOD: 12,
    ResetPeriod.YEAR: 1,
    ResetPeriod.NEVER: 1,
}


class Origin(StrEnum):
    """What kind of source an entitlement comes from."""

    OVERRIDE = "override"
    PLAN = "plan"
    ADD_ON = "add_on"
    DEFAULT_PLAN = "default_plan"
    ABSENT = "absent"


@dataclass(frozen=True)
class Grantable:
    """A feature, as far as the rules have to know it. `unit` and `units`: one and several of it in words, or empty."""

    key: str
    name: str
    kind: str
    unlimited_when_absent: bool = False
    aggregate: str = Aggregate.SUM.value
    unit: str = ""
    units: str = ""


@dataclass(frozen=True)
class Terms:
    """How a limit is meant: when it starts anew, what happens at it, and of credits what is left for the next period.

    Of the balance that is left at the end of a period `max_rollover` are kept at most;
    where it is less than `min_rollover`, that many.
    """

    reset_period: str = ResetPeriod.NEVER.value
    anchor: str = Anchor.SUBSCRIPTION.value
    enforcement: str = Enforcement.HARD.value
    warning_thresholds: tuple[int, ...] = DEFAULT_WARNING_THRESHOLDS
    on_error: str = OnError.CLOSED.value
    on_downgrade: str = OnDowngrade.BLOCK.value
    min_rollover: int = 0
    max_rollover: int = 0


@dataclass(frozen=True)
class Grant:
    """What one source grants of one feature. `limit` None: unlimited, or the kind has no number."""

    limit: int | None = None
    value: Any = None
    terms: Terms = field(default_factory=Terms)


@dataclass(frozen=True)
class Source:
    """One thing that has a say. `order` decides between equals, lowest first; `until` is the first moment too late.

    `cycle`: of the subscription that it is held through; None: it is held through none.
    `since`: from when on it has been held as it is; `granted_since`: of single features, where
    they came later.
    """

    origin: Origin
    ref: str
    grants: Mapping[str, Grant]
    order: tuple[Any, ...] = ()
    quantity: int = 1
    until: datetime | None = None
    reason: str = ""
    cycle: Cycle | None = None
    since: datetime | None = None
    granted_since: Mapping[str, datetime] = field(default_factory=dict)

    def since_of(self, feature: str) -> datetime | None:
        """From when on it has granted a feature."""
        return self.granted_since.get(feature, self.since)


@dataclass(frozen=True)
class Considered:
    """One source in the trace of an entitlement: what it said, whether that counted, and why."""

    origin: Origin
    ref: str
    says: str
    counts: bool
    why: str
    until: datetime | None = None


@dataclass(frozen=True)
class Entitlement:
    """What a tenant may have of one feature, and where that comes from.

    `limit` None: unlimited, where the kind has numbers and `granted` is true. `until`: when
    an override that counts ends by itself. `cycle`: the billing cycle of the plan that
    counts, also beneath an override; None: it is held through no subscription. `since`: from
    when on that plan has been held as it is.
    """

    feature: str
    name: str
    kind: str
    granted: bool
    limit: int | None
    value: Any
    terms: Terms
    origin: Origin
    source: str
    until: datetime | None
    trace: tuple[Considered, ...]
    cycle: Cycle | None = None
    since: datetime | None = None
    aggregate: str = Aggregate.SUM.value
    unit: str = ""
    units: str = ""
    unlimited_when_absent: bool = False

    @property
    def soft(self) -> bool:
        """Whether more than the limit is let pass, and told."""
        return self.terms.enforcement == Enforcement.SOFT

    @property
    def most(self) -> int | None:
        """How many there may be at most; None: unlimited. What is not granted is none at all."""
        return self.limit if self.granted else 0

    @property
    def says(self) -> str:
        """The outcome for people: a number, `unlimited`, `on`, `off`, JSON, or `not granted`."""
        return amount_in_words(self.kind, self.limit, self.value) if self.granted else "not granted"


@dataclass(frozen=True)
class _Outcome:
    """What everything comes to, which sources counted for that, and why these."""

    grant: Grant | None
    origin: Origin
    counted: tuple[Source, ...] = ()
    why: str = ""
    cycle: Cycle | None = None
    since: datetime | None = None


def resolve(features: Iterable[Grantable], sources: Sequence[Source], *, at: datetime) -> dict[str, Entitlement]:
    """The entitlement to each of these features at a moment, by key. The order of the sources is of no account."""
    ranks = list(Origin)
    ordered = sorted(sources, key=lambda each: (ranks.index(each.origin), each.order, each.ref))
    return {feature.key: _entitlement(feature, ordered, at) for feature in features}


def _entitlement(feature: Grantable, sources: Sequence[Source], at: datetime) -> Entitlement:
    outcome = _overridden(feature, sources, at) or _planned(feature, sources)
    grant = outcome.grant or Grant()
    return Entitlement(
        feature=feature.key,
        name=feature.name,
        kind=feature.kind,
        granted=_is_something(feature, outcome.grant),
        limit=grant.limit,
        value=grant.value,
        terms=grant.terms,
        origin=outcome.origin,
        source=" + ".join(dict.fromkeys(each.ref for each in outcome.counted)),
        until=outcome.counted[0].until if outcome.origin == Origin.OVERRIDE else None,
        trace=_trace(feature, sources, outcome, at),
        cycle=outcome.cycle,
        since=outcome.since,
        aggregate=Aggregate.PERPETUAL.value if feature.kind == Kind.COUNT else feature.aggregate,
        unit=feature.unit,
        units=feature.units,
        unlimited_when_absent=feature.unlimited_when_absent,
    )


def _is_something(feature: Grantable, grant: Grant | None) -> bool:
    if grant is None:
        return False
    return feature.kind != Kind.SWITCH or grant.value is True


def is_over(source: Source, *, at: datetime) -> bool:
    """Whether a source has ended by itself; it has at the very moment of its end."""
    return source.until is not None and source.until <= at


def _overridden(feature: Grantable, sources: Sequence[Source], at: datetime) -> _Outcome | None:
    for source in _of(Origin.OVERRIDE, sources):
        if feature.key in source.grants and not is_over(source, at=at):
            said = source.grants[feature.key]
            return _instead(_planned(feature, sources), said, source)
    return None


def _instead(planned: _Outcome, said: Grant, source: Source) -> _Outcome:
    """An override says how much; when it starts anew, and what happens at the limit, stays as the plans have it."""
    terms = planned.grant.terms if planned.grant else Terms()
    why = f"it wins over every plan: {source.reason}"
    return _Outcome(Grant(said.limit, said.value, terms), Origin.OVERRIDE, (source,), why, planned.cycle, planned.since)


def _planned(feature: Grantable, sources: Sequence[Source]) -> _Outcome:
    base = _of(Origin.PLAN, sources) or _of(Origin.DEFAULT_PLAN, sources)
    granting = [each for each in base if _says(feature, each) is not None]
    add_ons = [each for each in _of(Origin.ADD_ON, sources) if feature.key in each.grants]
    if not granting and not add_ons:
        return _Outcome(_absent(feature, sources), Origin.ABSENT)
    if feature.kind in NUMBERED:
        return _numbered(feature, granting, add_ons)
    return _alone(feature, granting or add_ons)


def _absent(feature: Grantable, sources: Sequence[Source]) -> Grant | None:
    """Whoever pays for add-ons alone gets what these grant, and no free pass for the rest."""
    holds_anything = any(each.origin != Origin.OVERRIDE for each in sources)
    return Grant() if feature.unlimited_when_absent and not holds_anything else None


def _alone(feature: Grantable, granting: Sequence[Source]) -> _Outcome:
    """The source that counts where nothing can be added."""
    best = _best(feature, granting)
    why, since = _why(feature, best, granting), best.since_of(feature.key)
    return _Outcome(_says(feature, best), best.origin, (best,), why, best.cycle, since)


def _numbered(feature: Grantable, base: Sequence[Source], add_ons: Sequence[Source]) -> _Outcome:
    """Add-ons are added to what counts in the same period; of several periods the most generous counts."""
    periods = sorted({_period(feature, each) for each in (*base, *add_ons)})
    outcomes = [
        _added(
            feature,
            [each for each in base if _period(feature, each) == period],
            [each for each in add_ons if _period(feature, each) == period],
        )
        for period in periods
    ]
    return max(outcomes, key=lambda each: generosity(feature, _by_the_cycle(each.grant, each.cycle)))


def _added(feature: Grantable, base: Sequence[Source], add_ons: Sequence[Source]) -> _Outcome:
    best = _best(feature, base or add_ons)
    others = [each for each in add_ons if each is not best]
    total = _sum([_times(feature, each) for each in (best, *others)])
    why = "add-ons are added up" if others else _why(feature, best, base)
    return _Outcome(total, best.origin, (best, *others), why, best.cycle, best.since_of(feature.key))


def _period(feature: Grantable, source: Source) -> str:
    grant = _by_the_cycle(_says(feature, source), source.cycle)
    return grant.terms.reset_period if grant else ResetPeriod.NEVER.value


def _by_the_cycle(grant: Grant | None, cycle: Cycle | None) -> Grant | None:
    """The same, with a billing period that is as long as a month, or another period, called that."""
    if grant is None or cycle is None or cycle.count != 1 or grant.terms.reset_period != ResetPeriod.BILLING_PERIOD:
        return grant
    return replace(grant, terms=replace(grant.terms, reset_period=cycle.unit.value))


def _of(origin: Origin, sources: Sequence[Source]) -> list[Source]:
    return [each for each in sources if each.origin == origin]


def _why(feature: Grantable, best: Source, granting: Sequence[Source]) -> str:
    if best.origin == Origin.ADD_ON:
        return "no plan grants it"
    if len(granting) == 1:
        return "nothing else grants it" if best.origin == Origin.PLAN else "the tenant holds no plan of its own"
    return "it was subscribed first" if feature.kind == Kind.CONFIG else "the most generous"


def _best(feature: Grantable, granting: Sequence[Source]) -> Source:
    """The most generous; among equals the first in order."""
    ordered = sorted(granting, key=lambda each: (each.order, each.ref))
    return max(ordered, key=lambda each: generosity(feature, _by_the_cycle(_says(feature, each), each.cycle)))


def _says(feature: Grantable, source: Source) -> Grant | None:
    """What a source grants; a plan that is silent about an entity of The Things Stack does not limit it."""
    silent = Grant() if feature.unlimited_when_absent and source.origin != Origin.ADD_ON else None
    return source.grants.get(feature.key, silent)


def generosity(feature: Grantable, grant: Grant | None) -> tuple[int, int, int, bool]:
    """More is more generous. Configurations are all the same: what they mean only their reader knows."""
    if grant is None:
        return (0, 0, 0, False)
    if feature.kind not in NUMBERED:
        return (1, 0, 0, False)
    soft = grant.terms.enforcement == Enforcement.SOFT
    if grant.limit is None:
        return (2, 0, 0, soft)
    # A highest or last value is as large at the end of a year as of an hour.
    adds_up = feature.aggregate not in {Aggregate.MAX, Aggregate.LAST}
    times = TIMES_A_YEAR[ResetPeriod(grant.terms.reset_period)] if adds_up else 1
    return (1, grant.limit * times, grant.limit, soft)


def _times(feature: Grantable, source: Source) -> Grant:
    """What it grants, times its quantity where it is an add-on."""
    grant = _says(feature, source) or Grant(limit=0)
    if source.origin != Origin.ADD_ON or grant.limit is None:
        return grant
    return replace(grant, limit=min(grant.limit * source.quantity, MAX_LIMIT))


def _sum(grants: Sequence[Grant]) -> Grant:
    """Unlimited and anything is unlimited, and soft where any is; all else is as the first has it.

    No more than the database can count.
    """
    limits = [each.limit for each in grants if each.limit is not None]
    soft = any(each.terms.enforcement == Enforcement.SOFT for each in grants)
    terms = replace(grants[0].terms, enforcement=Enforcement.SOFT.value) if soft else grants[0].terms
    return Grant(limit=min(sum(limits), MAX_LIMIT) if len(limits) == len(grants) else None, terms=terms)


def _trace(feature: Grantable, sources: Sequence[Source], outcome: _Outcome, at: datetime) -> tuple[Considered, ...]:
    considered = [each for each in sources if each.origin != Origin.OVERRIDE or feature.key in each.grants]
    holds_plan = any(each.origin == Origin.PLAN for each in considered)
    return tuple(
        Considered(
            origin=each.origin,
            ref=each.ref,
            says=_said(feature, each),
            counts=each in outcome.counted,
            why=outcome.why if each in outcome.counted else _why_not(feature, each, outcome, at, holds_plan=holds_plan),
            until=each.until,
        )
        for each in considered
    )


def _said(feature: Grantable, source: Source) -> str:
    grant = source.grants.get(feature.key)
    if grant is None:
        return "not limited" if _says(feature, source) else "nothing"
    said = amount_in_words(feature.kind, grant.limit, grant.value)
    return f"{said} × {source.quantity}" if source.origin == Origin.ADD_ON and source.quantity != 1 else said


def _why_not(feature: Grantable, source: Source, outcome: _Outcome, at: datetime, *, holds_plan: bool) -> str:
    if is_over(source, at=at):
        return "it is over"
    if outcome.origin == Origin.OVERRIDE:
        return "an override wins over it"
    if source.origin == Origin.DEFAULT_PLAN and holds_plan:
        return "the tenant holds a plan of its own"
    if _says(feature, source) is None:
        return "it does not grant it"
    if source.origin == Origin.ADD_ON:
        return "it counts in another period" if feature.kind in NUMBERED else "it is granted without it"
    return (
        "the plan that was subscribed first counts" if feature.kind == Kind.CONFIG else "another grants as much or more"
    )
