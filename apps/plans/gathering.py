"""Reading everything that has a say in what tenants are entitled to, now or at a past moment."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.contrib.postgres.aggregates import ArrayAgg
from django.db.models import OuterRef, QuerySet, Subquery

from apps.plans.metadata import STANDARD_ENTITIES, entity_name
from apps.plans.models import Allowance, DefaultPlan, Feature, Override, PlanAssignment, PlanVersion, Subscription
from apps.plans.resolution import Grant, Grantable, Origin, Source, Terms
from apps.plans.terms import Kind
from apps.plans.types import HeldPlan
from apps.tenants.models import Tenant


@dataclass(frozen=True)
class Gathered:
    """What has a say about one tenant."""

    plans: tuple[HeldPlan, ...]
    sources: tuple[Source, ...]


@dataclass(frozen=True)
class _Rows:
    """What was read, before it is sorted by tenant."""

    assignments: list[PlanAssignment]
    overrides: list[Override]
    default: PlanVersion | None
    default_since: Mapping[str, datetime]
    granted: Mapping[UUID, Mapping[str, Grant]]


def features() -> dict[str, Grantable]:
    """Every feature that there is, by key; The Things Stack's entities are, whether or not a plan names them."""
    standard = {
        key: Grantable(key, entity_name(key), Kind.COUNT.value, unlimited_when_absent=True) for key in STANDARD_ENTITIES
    }
    return standard | {each.key: grantable_of(each) for each in Feature.objects.all()}


def grantable_of(feature: Feature) -> Grantable:
    """A feature as the rules read it."""
    return Grantable(
        key=feature.key,
        name=feature.name,
        kind=feature.kind,
        unlimited_when_absent=feature.unlimited_when_absent,
        aggregate=feature.aggregate,
        unit=feature.unit,
        units=feature.units,
    )


def gather(tenants: Iterable[Tenant], *, at: datetime | None = None) -> dict[UUID, Gathered]:
    """What has a say about each of these tenants, by its key; the same number of queries for any number of them.

    `at` None: what is true until further notice, whatever clock it was written by.
    """
    keys = [tenant.pk for tenant in tenants]
    rows = _read(keys, at)
    return {key: _gathered(key, rows) for key in keys}


def _read(keys: list[UUID], at: datetime | None) -> _Rows:
    began = Subscription.objects.filter(stripe_id=OuterRef("subscription_id")).values("created_at")[:1]
    held = PlanAssignment.objects.filter(tenant__in=keys).select_related("version__plan")
    assignments = list(_true(held, at).annotate(began_at=Subquery(began)))
    chosen = _true(DefaultPlan.objects.all(), at).first()
    published = _published(chosen, at) if chosen else []
    default = published[0] if published else None
    versions = {each.version_id for each in assignments} | ({default.pk} if default else set())
    return _Rows(
        assignments=assignments,
        overrides=list(_true(Override.objects.filter(tenant__in=keys), at)),
        default=default,
        default_since=_granted_since(published, chosen.valid_from) if chosen else {},
        granted=_granted(versions),
    )


def _true(rows: QuerySet[Any], at: datetime | None) -> Any:
    timed: Any = rows
    return timed.present() if at is None else timed.at(at)


def _published(chosen: DefaultPlan, at: datetime | None) -> list[Any]:
    """Every version of the default plan, newest first, with the features that it grants."""
    versions = PlanVersion.objects.filter(plan=chosen.plan_id).select_related("plan").order_by("-number")
    known = versions if at is None else versions.filter(published_at__lte=at)
    return list(known.annotate(features=ArrayAgg("allowances__feature_id", default=[])))


def _granted_since(newest_first: list[Any], chosen_at: datetime) -> dict[str, datetime]:
    """From when on the default plan grants each feature, without a version between that did not."""
    since: dict[str, datetime] = {}
    unbroken = set(newest_first[0].features) if newest_first else set()
    for version in newest_first:
        unbroken &= set(version.features)
        since |= dict.fromkeys(unbroken, max(chosen_at, version.published_at))
    return since


def _granted(versions: set[UUID]) -> dict[UUID, dict[str, Grant]]:
    found: dict[UUID, dict[str, Grant]] = {version: {} for version in versions}
    for allowance in Allowance.objects.filter(version__in=versions):
        found[allowance.version_id][allowance.feature_id] = grant_of(allowance)
    return found


def grant_of(allowance: Allowance) -> Grant:
    """An allowance as the rules read it."""
    terms = Terms(
        reset_period=allowance.reset_period,
        anchor=allowance.anchor,
        enforcement=allowance.enforcement,
        warning_thresholds=tuple(allowance.warning_thresholds),
        on_error=allowance.on_error,
        on_downgrade=allowance.on_downgrade,
        min_rollover=allowance.min_rollover,
        max_rollover=allowance.max_rollover,
    )
    return Grant(limit=allowance.limit, value=allowance.value, terms=terms)


def _gathered(key: UUID, rows: _Rows) -> Gathered:
    assignments = [each for each in rows.assignments if each.tenant_id == key]
    holds_plan = any(not each.version.add_on for each in assignments)
    plans = [_held(each.version, each.subscription_id, each.quantity) for each in assignments]
    sources = [_assigned_source(each, rows.granted) for each in assignments]
    if rows.default:
        plans = plans if holds_plan else [_held(rows.default, "", 1), *plans]
        grants = rows.granted[rows.default.pk]
        sources.append(Source(Origin.DEFAULT_PLAN, rows.default.ref, grants, granted_since=rows.default_since))
    overrides = [_override_source(each) for each in rows.overrides if each.tenant_id == key]
    return Gathered(tuple(plans), (*overrides, *sources))


def _held(version: PlanVersion, subscription_id: str, quantity: int) -> HeldPlan:
    return HeldPlan(
        ref=version.ref,
        name=version.plan.name,
        price_id=version.plan.price_id or "",
        subscription_id=subscription_id,
        quantity=quantity,
        add_on=version.add_on,
    )


def _assigned_source(assignment: Any, granted: Mapping[UUID, Mapping[str, Grant]]) -> Source:
    began_at: datetime = assignment.began_at or assignment.valid_from
    return Source(
        origin=Origin.ADD_ON if assignment.version.add_on else Origin.PLAN,
        ref=assignment.version.ref,
        grants=granted[assignment.version_id],
        order=(began_at, assignment.subscription_id, assignment.item_id),
        quantity=assignment.quantity,
        cycle=assignment.cycle,
        since=assignment.valid_from,
    )


def _override_source(override: Override) -> Source:
    return Source(
        origin=Origin.OVERRIDE,
        ref=f"override by {override.author}",
        grants={override.feature_id: Grant(limit=override.limit, value=override.value)},
        order=(override.valid_from,),
        until=override.until,
        reason=override.reason,
    )
