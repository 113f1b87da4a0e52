"""Reads about plans: what a tenant holds, and what that limits."""

from collections.abc import Iterable, Mapping
from uuid import UUID

from django.conf import settings

from apps.plans.metadata import STANDARD_ENTITIES
from apps.plans.models import Allowance, ManagedPrice, PlanAssignment, PlanVersion
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
    return {version.plan.price_id: version for version in versions}


def held_plans(tenant: Tenant) -> tuple[HeldPlan, ...]:
    """The plan versions that the tenant is entitled to."""
    return holdings([tenant])[tenant.pk].plans


def limits(tenant: Tenant) -> tuple[EntityLimit, ...]:
    """The tenant's limits: The Things Stack's six entities, then any further one that a plan limits.

    Of several plans the most generous counts; a plan that says nothing about an
    entity leaves it unlimited.
    """
    return holdings([tenant])[tenant.pk].limits


def holdings(tenants: Iterable[Tenant]) -> dict[UUID, Holding]:
    """What each of these tenants holds, by the tenant's key; two queries, however many there are."""
    held: dict[UUID, list[PlanAssignment]] = {tenant.pk: [] for tenant in tenants}
    for assignment in PlanAssignment.objects.filter(tenant__in=held).select_related("version__plan"):
        held[assignment.tenant_id].append(assignment)
    allowed = _allowances({each.version_id for assignments in held.values() for each in assignments})
    return {
        key: Holding(
            plans=tuple(_held_plan(each) for each in assignments),
            limits=_limits([allowed[version] for version in {each.version_id for each in assignments}]),
        )
        for key, assignments in held.items()
    }


def _held_plan(assignment: PlanAssignment) -> HeldPlan:
    return HeldPlan(
        ref=assignment.version.ref,
        name=assignment.version.plan.name,
        price_id=assignment.version.plan.price_id,
        subscription_id=assignment.subscription_id,
        quantity=assignment.quantity,
    )


def _allowances(versions: set[UUID]) -> dict[UUID, dict[str, int]]:
    """What each version limits, by entity."""
    found: dict[UUID, dict[str, int]] = {version: {} for version in versions}
    for allowance in Allowance.objects.filter(version__in=versions):
        found[allowance.version_id][allowance.feature_id] = allowance.limit
    return found


def _limits(versions: list[dict[str, int]]) -> tuple[EntityLimit, ...]:
    further = sorted({entity for version in versions for entity in version} - set(STANDARD_ENTITIES))
    return tuple(
        EntityLimit(entity=entity, name=entity_name(entity), limit=_most_generous(entity, versions))
        for entity in (*STANDARD_ENTITIES, *further)
    )


def _most_generous(entity: str, versions: list[dict[str, int]]) -> int | None:
    if any(entity not in version for version in versions):
        return None
    return max((version[entity] for version in versions), default=None)


def entity_name(entity: str) -> str:
    """How a person reads an entity: `end-devices` is End devices."""
    return entity.replace("-", " ").capitalize()
