"""Reads about plans: what a tenant holds, and what that limits."""

from collections.abc import Mapping
from uuid import UUID

from django.conf import settings
from django.db.models import Count, Max

from apps.plans.metadata import STANDARD_ENTITIES
from apps.plans.models import Allowance, ManagedPrice, PlanAssignment, PlanVersion
from apps.plans.types import EntityLimit, HeldPlan
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
    assignments = PlanAssignment.objects.filter(tenant=tenant).select_related("version__plan")
    return tuple(
        HeldPlan(
            ref=assignment.version.ref,
            name=assignment.version.plan.name,
            price_id=assignment.version.plan.price_id,
            subscription_id=assignment.subscription_id,
            quantity=assignment.quantity,
        )
        for assignment in assignments
    )


def limits(tenant: Tenant) -> tuple[EntityLimit, ...]:
    """The tenant's limits: The Things Stack's six entities, then any further one that a plan limits.

    Of several plans the most generous counts; a plan that says nothing about an
    entity leaves it unlimited.
    """
    held = set(PlanAssignment.objects.filter(tenant=tenant).values_list("version", flat=True))
    effective = _most_generous(held)
    further = sorted(effective.keys() - set(STANDARD_ENTITIES))
    return tuple(
        EntityLimit(entity=entity, name=entity_name(entity), limit=effective.get(entity))
        for entity in (*STANDARD_ENTITIES, *further)
    )


def _most_generous(versions: set[UUID]) -> dict[str, int | None]:
    rows = (
        Allowance.objects.filter(version__in=versions)
        .values("feature")
        .annotate(plans=Count("version", distinct=True), highest=Max("limit"))
    )
    return {row["feature"]: row["highest"] if row["plans"] == len(versions) else None for row in rows}


def entity_name(entity: str) -> str:
    """How a person reads an entity: `end-devices` is End devices."""
    return entity.replace("-", " ").capitalize()
