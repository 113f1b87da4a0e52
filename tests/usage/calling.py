"""Short ways to call the services, with the values that most tests do not care about."""

from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from apps.core.periods import ALWAYS, Period, Recurrence, Unit
from apps.tenants.models import Tenant
from apps.usage import selectors, services
from apps.usage.types import Booking, Ceiling, NewEvent, Slot, Use
from tests.factories import NOW, SOMEBODY

MONTHLY = Recurrence(Unit.MONTH, 1, datetime(2026, 1, 1, tzinfo=UTC))
MARCH = MONTHLY.period_at(NOW)
TEN = Ceiling(limit=10, thresholds=(80, 100), version=1)
SOFT = Ceiling(limit=10, soft=True, thresholds=(80, 100), version=1)
UNLIMITED = Ceiling(limit=None, version=1)


def a_tenant(name: str = "acme") -> Tenant:
    """The books need no more of a tenant than who it is."""
    return Tenant(pk=uuid4(), tenant_id=name, name=name)


def slot(feature: str = "calls", aggregate: str = "sum", period: Period | None = None) -> Slot:
    return Slot(feature, aggregate, period or (ALWAYS if aggregate == "perpetual" else MARCH))


def slot_at(moment: datetime, feature: str = "calls", aggregate: str = "sum") -> Slot:
    return Slot(feature, aggregate, MONTHLY.period_at(moment))


def consume(tenant: Tenant, amount: int = 1, **given: Any) -> Booking:
    given = {"slot": slot(), "ceiling": TEN, "key": None, "actor": SOMEBODY, "now": NOW, **given}
    return services.consume(tenant=tenant, amount=amount, at=given.pop("at", given["now"]), **given)


def release(tenant: Tenant, amount: int = 1, **given: Any) -> Booking:
    given = {"slot": slot(), "key": None, "actor": SOMEBODY, "now": NOW, **given}
    return services.release(tenant=tenant, amount=amount, at=given.pop("at", given["now"]), **given)


def tell(tenant: Tenant, value: int, **given: Any) -> Booking:
    given = {"slot": slot(aggregate="last"), "ceiling": UNLIMITED, "key": None, "actor": SOMEBODY, "now": NOW, **given}
    return services.set_level(tenant=tenant, value=value, at=given.pop("at", given["now"]), **given)


def event(amount: int = 1, **given: Any) -> NewEvent:
    return NewEvent(**{"slot": slot(), "ceiling": TEN, "amount": amount, "at": NOW, **given})


def ingest(tenant: Tenant, *events: NewEvent, now: datetime = NOW) -> list[str]:
    """What became of each."""
    return [str(each.outcome) for each in services.ingest(tenant=tenant, events=events, actor=SOMEBODY, now=now)]


def used(tenant: Tenant, of: Slot | None = None, now: datetime = NOW) -> int:
    return use(tenant, of, now).used


def use(tenant: Tenant, of: Slot | None = None, now: datetime = NOW) -> Use:
    asked = (tenant.pk, of or slot())
    return selectors.used_in(asked=[asked], now=now).get(asked, Use(0, 0, 0))
