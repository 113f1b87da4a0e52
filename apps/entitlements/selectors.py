"""Reads of the entitlements floor."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from apps.core.periods import ALWAYS
from apps.entitlements.counting import counted_totals
from apps.entitlements.entities import TOTALLED_ENTITIES
from apps.entitlements.errors import UnknownEntity
from apps.entitlements.registry import counted_entities
from apps.entitlements.types import EntityTotal, LimitWithTotal, Source
from apps.plans import gathering
from apps.plans import selectors as plans
from apps.plans.metadata import entity_name
from apps.plans.models import Feature
from apps.plans.resolution import Entitlement
from apps.plans.terms import Aggregate, Kind
from apps.plans.types import Holding
from apps.tenants.models import Tenant
from apps.usage import selectors as usage
from apps.usage.models import ReportedTotal
from apps.usage.types import Slot

Totals = tuple[EntityTotal, ...]


def registry_totals(*, tenant: Tenant, now: datetime) -> Totals:
    """How many of each entity a tenant has.

    The Things Stack's entities first, then every further one that is counted, booked or was
    reported. An entity that is registered is counted, and one that the facade has booked is
    what was booked, whatever was reported of it; a tenant that is not ready has no counted ones.
    """
    return registry_totals_of(tenants=[tenant], now=now)[tenant.pk]


def registry_totals_of(*, tenants: Sequence[Tenant], now: datetime) -> Mapping[UUID, Totals]:
    """As `registry_totals`, of several tenants, by their UUID; what is not counted comes in the same few queries."""
    keys = [tenant.pk for tenant in tenants]
    reported, booked = usage.reported_totals(keys), _booked_totals(keys, now)
    return {
        tenant.pk: _totals(_Known(counted_totals(tenant), booked[tenant.pk], reported[tenant.pk]), now)
        for tenant in tenants
    }


def _booked_totals(keys: Sequence[UUID], now: datetime) -> Mapping[UUID, Mapping[str, int]]:
    features = [each.key for each in gathering.features().values() if each.kind == Kind.COUNT]
    slots = [Slot(each, Aggregate.PERPETUAL, ALWAYS) for each in features if each not in counted_entities()]
    return usage.used_of(tenant_keys=keys, slots=slots, now=now)


@dataclass(frozen=True)
class _Known:
    """What is known of one tenant, by whom."""

    counted: Mapping[str, int]
    booked: Mapping[str, int]
    reported: Mapping[str, ReportedTotal]


def _totals(known: _Known, now: datetime) -> Totals:
    further = sorted((counted_entities().keys() | known.booked.keys() | known.reported.keys()) - set(TOTALLED_ENTITIES))
    return tuple(_total(entity, known, now) for entity in (*TOTALLED_ENTITIES, *further))


def _total(entity: str, known: _Known, now: datetime) -> EntityTotal:
    name = entity_name(entity)
    if entity in known.counted:
        return EntityTotal(entity, name, known.counted[entity], Source.COUNTED, as_of=now)
    if entity in known.booked:
        return EntityTotal(entity, name, known.booked[entity], Source.BOOKED, as_of=now)
    told = known.reported.get(entity)
    if told is None or entity in counted_entities():
        return EntityTotal(entity, name)
    return EntityTotal(entity, name, told.total, Source.REPORTED, as_of=told.reported_at, told_by=told.reported_by)


def limits_with_totals(*, tenant: Tenant, now: datetime) -> tuple[LimitWithTotal, ...]:
    """The tenant's limits, each beside how many there are; then what is not limited but counted or reported."""
    totals = {each.entity: each for each in registry_totals(tenant=tenant, now=now)}
    holding = plans.holdings([tenant], now=now)[tenant.pk]
    limits = {each.entity: each for each in holding.limits}
    limited = [
        LimitWithTotal(each.limit, totals.get(each.entity) or EntityTotal(each.entity, each.name))
        for each in limits.values()
    ]
    further = [each for each in totals.values() if each.entity not in limits and each.total is not None]
    return (*limited, *(LimitWithTotal(_limit_of(each.entity, holding), each) for each in further))


def _limit_of(entity: str, holding: Holding) -> int | None:
    """What is counted without being a feature, nothing limits."""
    entitlement = holding.entitlements.get(entity)
    return entitlement.most if entitlement and entitlement.kind == Kind.COUNT else None


def explain(
    *, tenant: Tenant, feature: str | None = None, at: datetime | None = None, now: datetime
) -> tuple[Entitlement, ...]:
    """What a tenant is entitled to, each with the trace of every source that had a say; of all features, or of one.

    `at`: as it was at that moment, by what was held, published and overridden then; or as it
    will be, should nothing change but what ends by itself.

    Raises:
        UnknownFeature: when there is no such feature.
    """
    found = plans.entitlements(tenant, now=now) if at is None else plans.entitlements_at(tenant, moment=at)
    return (found[plans.feature(feature).key],) if feature is not None else tuple(found.values())


def refuse_unknown(*, tenant: Tenant, entities: Sequence[str]) -> None:
    """Refuse an entity that is neither standard, nor counted, nor limited by any plan, nor reported for the tenant.

    For doors where names come as text: a misspelled one would otherwise become an entity.

    Raises:
        UnknownEntity: naming the entity and those there are.
    """
    known = {
        *TOTALLED_ENTITIES,
        *counted_entities(),
        *Feature.objects.values_list("key", flat=True),
        *usage.reported_totals([tenant.pk])[tenant.pk],
    }
    for entity in entities:
        if entity not in known:
            raise UnknownEntity(
                f"There is no entity {entity!r}, but {', '.join(sorted(known))}. "
                "A further one becomes known when a price's metadata limits it (max-<entity>) or a model is registered."
            )
