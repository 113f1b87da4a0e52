"""Reads about plans: what a tenant holds, and what that limits."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from uuid import UUID

from django.conf import settings
from django.db.models import Q

from apps.plans.errors import UnknownFeature
from apps.plans.gathering import Gathered, features, gather
from apps.plans.metadata import STANDARD_ENTITIES
from apps.plans.models import ManagedPrice, Override, PlanVersion
from apps.plans.resolution import Entitlement, Grantable, resolve
from apps.plans.terms import Kind
from apps.plans.types import EntityLimit, HeldPlan, Holding
from apps.tenants.models import Tenant


def price_group(price_id: str) -> str | None:
    """`recurring` or `metered` for a managed price, None for any other."""
    return price_groups().get(price_id)


def price_groups() -> Mapping[str, str]:
    """The managed prices with their group: marked by an operator, or listed in the settings, which win."""
    marked = dict(ManagedPrice.objects.values_list("price_id", "group"))
    recurring = dict.fromkeys(settings.TENANTRY_RECURRING_PRICES, ManagedPrice.Group.RECURRING.value)
    metered = dict.fromkeys(settings.TENANTRY_METERED_PRICES, ManagedPrice.Group.METERED.value)
    return marked | recurring | metered


def newest_versions(price_ids: set[str]) -> dict[str, PlanVersion]:
    """The newest published version behind each of these prices; a price without one is left out."""
    versions = (
        PlanVersion.objects.filter(plan__price_id__in=price_ids)
        .order_by("plan_id", "-number")
        .distinct("plan_id")
        .select_related("plan")
    )
    return {version.plan.price_id: version for version in versions if version.plan.price_id}


def held_plans(tenant: Tenant, *, now: datetime) -> tuple[HeldPlan, ...]:
    """The plan versions that the tenant is entitled to; without one of its own, the default plan."""
    return holdings([tenant], now=now)[tenant.pk].plans


def limits(tenant: Tenant, *, now: datetime) -> tuple[EntityLimit, ...]:
    """The tenant's limits: The Things Stack's six entities, then any further one that a source limits.

    They are the numbers of its entitlements, see `resolution`.
    """
    return holdings([tenant], now=now)[tenant.pk].limits


def entitlements(tenant: Tenant, *, now: datetime) -> Mapping[str, Entitlement]:
    """What the tenant is entitled to of every feature that there is, by key."""
    return holdings([tenant], now=now)[tenant.pk].entitlements


def entitlements_at(tenant: Tenant, *, moment: datetime) -> Mapping[str, Entitlement]:
    """As `entitlements`, as it was at a past moment: by what was held, published and overridden then."""
    gathered = gather([tenant], at=moment)[tenant.pk]
    return resolve(features().values(), gathered.sources, at=moment)


def holdings(tenants: Iterable[Tenant], *, now: datetime) -> dict[UUID, Holding]:
    """What each of these tenants holds, by the tenant's key; the same number of queries, however many there are."""
    known = features()
    return {key: _holding(gathered, known, now) for key, gathered in gather(tenants).items()}


def _holding(gathered: Gathered, known: Mapping[str, Grantable], now: datetime) -> Holding:
    resolved = resolve(known.values(), gathered.sources, at=now)
    named = {key for source in gathered.sources for key in source.grants}
    further = sorted(key for key in named - set(STANDARD_ENTITIES) if known[key].kind == Kind.COUNT)
    limited = [resolved[key] for key in (*STANDARD_ENTITIES, *further)]
    return Holding(plans=gathered.plans, entitlements=resolved, limits=tuple(_limit(each) for each in limited))


def _limit(entitlement: Entitlement) -> EntityLimit:
    return EntityLimit(entity=entitlement.feature, name=entitlement.name, limit=entitlement.most)


def feature(key: str) -> Grantable:
    """The feature of this key.

    Raises:
        UnknownFeature: when there is none; the message names those there are.
    """
    known = features()
    if key in known:
        return known[key]
    raise UnknownFeature(f"There is no feature {key!r}, but {', '.join(sorted(known))}.")


def overrides_in_force(tenant: Tenant, *, now: datetime) -> dict[str, Override]:
    """The operator's exceptions for a tenant that count, by feature."""
    present = Override.objects.present().filter(Q(until=None) | Q(until__gt=now), tenant=tenant)
    return {each.feature_id: each for each in present}
