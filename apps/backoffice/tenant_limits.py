"""What the operator sees of a tenant's entitlements: each beside how much of it is in use, and why it is that."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from apps.credits import selectors as credits
from apps.entitlements import selectors as entitlements
from apps.entitlements.metering import Meter, meters
from apps.entitlements.types import EntityTotal, LimitWithTotal
from apps.plans.grants import terms_in_words
from apps.plans.resolution import Entitlement, Grantable
from apps.plans.terms import Kind
from apps.plans.types import Holding
from apps.tenants.models import Tenant
from apps.usage import selectors as usage
from apps.usage.models import Crossing

# What is needed most stands first: what is used up, then what is only there or not.
ORDER = (Kind.CREDITS, Kind.METERED, Kind.SWITCH, Kind.CONFIG)


@dataclass(frozen=True)
class Crossed:
    """A threshold that was crossed in the present period: per cent, or `over`."""

    threshold: str
    at: datetime

    @property
    def is_over(self) -> bool:
        """Whether it was the limit itself."""
        return self.threshold == Crossing.OVER


@dataclass(frozen=True)
class ExplainedLimit:
    """How many there can be beside how many there are, and why it is that.

    `entitlement` None: nothing can limit it; `meter` None: nothing does.
    """

    limit: LimitWithTotal
    entitlement: Entitlement | None
    meter: Meter | None = None
    crossed: tuple[Crossed, ...] = ()


@dataclass(frozen=True)
class Use:
    """What is used up, or only there or not, with the thresholds crossed in its period."""

    meter: Meter
    crossed: tuple[Crossed, ...] = ()

    @property
    def entitlement(self) -> Entitlement:
        """What it comes from."""
        return self.meter.entitlement

    @property
    def terms(self) -> str:
        """When it starts anew, and what is unusual about it; empty: it is granted with no terms at all."""
        entitlement = self.entitlement
        if not (entitlement.granted and self.meter.is_numbered):
            return ""
        known = Grantable(entitlement.feature, entitlement.name, entitlement.kind, aggregate=entitlement.aggregate)
        return terms_in_words(known, entitlement.terms)

    @property
    def has_events(self) -> bool:
        """Whether the page of usage tells more of it."""
        return self.entitlement.kind == Kind.METERED


def limits_and_uses(
    *, tenant: Tenant, held: Holding, now: datetime
) -> tuple[tuple[ExplainedLimit, ...], tuple[Use, ...]]:
    """Everything that has a say for a tenant: what is counted, and what is used up or only there or not.

    The number of queries does not depend on how many features there are.
    """
    found = {each.feature: each for each in meters(tenant=tenant, now=now)}
    crossed = _crossed(tenant, found)
    limits = [_explained(each, held, found.get(each.entity), crossed) for each in _limits(tenant, found, now)]
    uses = [Use(each, crossed.get(each.feature, ())) for each in found.values() if each.entitlement.kind != Kind.COUNT]
    return tuple(limits), tuple(sorted(uses, key=_by_kind))


def _by_kind(use: Use) -> tuple[int, str]:
    return ORDER.index(Kind(use.entitlement.kind)), use.meter.name.lower()


def _limits(tenant: Tenant, found: Mapping[str, Meter], now: datetime) -> list[LimitWithTotal]:
    """What is granted, counted or reported, and then what is counted in the books without either."""
    limits = list(entitlements.limits_with_totals(tenant=tenant, now=now))
    known = {each.entity for each in limits}
    further = [each for each in found.values() if each.entitlement.kind == Kind.COUNT and each.feature not in known]
    return [*limits, *(LimitWithTotal(each.limit, EntityTotal(each.feature, each.name)) for each in further)]


def _explained(
    limit: LimitWithTotal, held: Holding, meter: Meter | None, crossed: Mapping[str, tuple[Crossed, ...]]
) -> ExplainedLimit:
    return ExplainedLimit(limit, held.entitlements.get(limit.entity), meter, crossed.get(limit.entity, ()))


def _crossed(tenant: Tenant, found: Mapping[str, Meter]) -> dict[str, tuple[Crossed, ...]]:
    """What was crossed within the present periods, by feature, the first first."""
    periods = {each.feature: each.period for each in found.values()}
    named: defaultdict[str, list[Crossed]] = defaultdict(list)
    for row in usage.crossings(tenant_key=tenant.pk).filter(feature__in=periods, period_end__in=_ends(found)):
        period = periods[row.feature]
        if (row.period_start, row.period_end) == (period.start, period.end):
            named[row.feature].append(Crossed(row.threshold, row.at))
    for low in credits.low_balances(tenant=tenant):
        if low.feature in periods and low.period_start == periods[low.feature].start:
            named[low.feature].append(Crossed(low.threshold, low.at))
    return {feature: _in_order(several) for feature, several in named.items()}


def _ends(found: Mapping[str, Meter]) -> set[datetime]:
    return {each.period.end for each in found.values()}


def _in_order(several: Sequence[Crossed]) -> tuple[Crossed, ...]:
    return tuple(sorted(several, key=lambda each: (each.is_over, each.threshold.rjust(10), each.at)))
