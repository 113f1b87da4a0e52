"""Everything a tenant may, with how much of it is in use."""

from dataclasses import dataclass
from datetime import datetime

from apps.entitlements.metering import Level, Meter, meters
from apps.plans.terms import Kind
from apps.tenants.models import Tenant

# In this order; of each the heading and what it says beneath.
GROUPS = (
    (Kind.CREDITS, "Credits", "What actions are paid with."),
    (Kind.METERED, "Usage", "What is used up within a period, and starts anew with the next."),
    (Kind.COUNT, "How many there can be", "What exists at the same time. Deleting one makes room."),
    (Kind.SWITCH, "Features", "What is part of your plan, and what is not."),
    (Kind.CONFIG, "Settings of the plan", "What your plan sets to a value."),
)


@dataclass(frozen=True)
class Group:
    """Entitlements of one kind."""

    kind: str
    title: str
    lead: str
    meters: tuple[Meter, ...]


@dataclass(frozen=True)
class LimitsPage:
    """Every entitlement, by kind. `trouble` are those at or beyond their limit, or near it, worst first."""

    now: datetime
    groups: tuple[Group, ...]
    trouble: tuple[Meter, ...]


def limits_page(*, tenant: Tenant, now: datetime) -> LimitsPage:
    """What a tenant may now, and how much of that is in use."""
    found = meters(tenant=tenant, now=now)
    return LimitsPage(now=now, groups=tuple(_groups(found)), trouble=_in_trouble(found))


def _groups(found: tuple[Meter, ...]) -> list[Group]:
    grouped = [Group(kind, title, lead, _of_kind(kind, found)) for kind, title, lead in GROUPS]
    return [each for each in grouped if each.meters]


def _of_kind(kind: str, found: tuple[Meter, ...]) -> tuple[Meter, ...]:
    mine = [each for each in found if each.entitlement.kind == kind]
    return tuple(sorted(mine, key=lambda each: (not each.entitlement.granted, each.name.lower())))


def _in_trouble(found: tuple[Meter, ...]) -> tuple[Meter, ...]:
    levels = list(Level)
    near = [each for each in found if each.level != Level.WITHIN]
    return tuple(sorted(near, key=lambda each: levels.index(each.level), reverse=True))
