"""What pages show of what a tenant may, and how much of it is in use: the very numbers that are enforced."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from apps.core.periods import Period
from apps.entitlements.asking import held_since
from apps.entitlements.measuring import Measured, measures
from apps.entitlements.snapshot import Held, snapshot_of
from apps.plans.resolution import Entitlement
from apps.plans.terms import NUMBERED, Kind
from apps.tenants.models import Tenant

NEAR = 80


class Level(StrEnum):
    """How near the limit is, worst last."""

    WITHIN = "within"
    NEAR = "near"
    REACHED = "reached"
    OVER = "over"


@dataclass(frozen=True)
class Meter:
    """One entitlement beside how much of it is in use.

    `used` None: nobody tells, or the kind has no number. `limit` None: unlimited, or no
    number. Of credits `left` is the balance, which may be below 0.
    """

    entitlement: Entitlement
    period: Period
    used: int | None = None
    limit: int | None = None
    left: int | None = None

    @property
    def feature(self) -> str:
        """The feature's key."""
        return self.entitlement.feature

    @property
    def name(self) -> str:
        """The feature, as a person reads it."""
        return self.entitlement.name

    @property
    def is_numbered(self) -> bool:
        """Whether it is a number at all, and no switch or configuration."""
        return self.entitlement.kind in NUMBERED

    @property
    def is_credits(self) -> bool:
        """Whether it is a balance that actions are paid from."""
        return self.entitlement.kind == Kind.CREDITS

    @property
    def resets_at(self) -> datetime | None:
        """When what was used is forgotten, or granted anew; None: never."""
        return self.period.ends

    @property
    def percent(self) -> int | None:
        """How much of the limit is in use, over 100 beyond it; None: there is no limit, or nobody tells."""
        if self.limit is None or self.used is None:
            return None
        return self.used * 100 // self.limit if self.limit else (100 if self.used else None)

    @property
    def over(self) -> int:
        """By how much the limit is exceeded, 0 when it is kept."""
        return max(0, self.used - self.limit) if self.used is not None and self.limit is not None else 0

    @property
    def level(self) -> Level:
        """How near the limit is."""
        if self.over:
            return Level.OVER
        if self.percent is None or not self.limit:
            return Level.WITHIN
        if self.percent >= 100:
            return Level.REACHED
        return Level.NEAR if self.percent >= self._near else Level.WITHIN

    @property
    def _near(self) -> int:
        below = [each for each in self.entitlement.terms.warning_thresholds if each < 100]
        return min(below, default=NEAR)


def meters(*, tenant: Tenant, now: datetime) -> tuple[Meter, ...]:
    """Everything that has a say for a tenant: what it may, what an override took away, and what it uses besides.

    The number of queries does not depend on how many features there are.
    """
    several = list(snapshot_of(tenant, now=now).features.values())
    measured = measures(tenant, several, now=now)
    found = [_meter(each, measured, now) for each in several]
    return tuple(each for each in found if _is_shown(each))


def meter(*, tenant: Tenant, feature: str, now: datetime) -> Meter | None:
    """One of them; None: there is no such feature."""
    held = snapshot_of(tenant, now=now).features.get(feature) or held_since(tenant, feature, now=now)
    return _meter(held, measures(tenant, [held], now=now), now) if held else None


def _is_shown(meter: Meter) -> bool:
    said = any(each.says != "nothing" for each in meter.entitlement.trace)
    return meter.entitlement.granted or said or bool(meter.used) or bool(meter.left)


def _meter(held: Held, measured: Mapping[str, Measured], now: datetime) -> Meter:
    entitlement = held.entitlement
    found = measured.get(entitlement.feature)
    if found is None:
        return Meter(entitlement, held.recurrence.period_at(now))
    limit = found.limit if entitlement.kind == Kind.CREDITS else entitlement.most
    return Meter(entitlement, found.period, used=found.used, limit=limit, left=found.left)
