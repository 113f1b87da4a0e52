"""What a tenant may, compiled once and kept in this process, so that a question about it costs no query.

A snapshot is keyed by the tenant's `entitlements_version`, which came with the tenant's
row: it is stale by at most the running request. It tells from when until when it is
true, since overrides end by themselves.
"""

import threading
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction

from apps.core.periods import BEGINNING, FOREVER, Recurrence
from apps.plans import selectors as plans
from apps.plans.models import Override
from apps.plans.recurring import recurrence_of
from apps.plans.resolution import Entitlement
from apps.tenants.models import Tenant

# A snapshot of a dozen features is some ten kilobytes.
MOST_KEPT = 10_000


@dataclass(frozen=True, slots=True)
class Held:
    """One feature as a tenant holds it, when what was used of it is forgotten, and from when on it holds it so.

    `former`: as it was held under an override that has ended by itself, at its `until`.
    """

    entitlement: Entitlement
    recurrence: Recurrence
    since: datetime
    former: "Held | None" = None


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Everything that a tenant may, true for `since <= now < until`. `plans` are what it holds, by ref."""

    version: int
    since: datetime
    until: datetime
    plans: tuple[str, ...]
    features: Mapping[str, Held]


class Snapshots:
    """The snapshots that this process keeps; the oldest go first."""

    def __init__(self, *, most: int = MOST_KEPT) -> None:
        self._kept: OrderedDict[UUID, Snapshot] = OrderedDict()
        self._most = most
        self._lock = threading.Lock()

    def get(self, tenant_key: UUID) -> Snapshot | None:
        """What is kept of a tenant, of whichever version."""
        return self._kept.get(tenant_key)

    def keep(self, tenant_key: UUID, snapshot: Snapshot) -> None:
        """Keep a snapshot instead of the one before."""
        with self._lock:
            self._kept.pop(tenant_key, None)
            self._kept[tenant_key] = snapshot
            while len(self._kept) > self._most:
                self._kept.popitem(last=False)

    def clear(self) -> None:
        """Forget all."""
        with self._lock:
            self._kept.clear()


kept = Snapshots()


def snapshot_of(tenant: Tenant, *, now: datetime) -> Snapshot:
    """What a tenant may at a moment."""
    known = kept.get(tenant.pk)
    if known is not None and known.version >= tenant.entitlements_version and known.since <= now < known.until:
        return known
    return renewed(tenant, now=now)


def renewed(tenant: Tenant, *, now: datetime) -> Snapshot:
    """The snapshot as compiled now, whatever is kept; it is kept instead."""
    made = compiled(tenant, now=now)
    # What is rolled back was never true, and its version comes again with another content. Outside of a
    # transaction this keeps it at once.
    transaction.on_commit(lambda: kept.keep(tenant.pk, made))
    return made


def compiled(tenant: Tenant, *, now: datetime) -> Snapshot:
    """Work out what a tenant may, from all that has a say."""
    # Not that of the caller's object, which may have seen what was rolled back since. Read before the sources:
    # whatever changes meanwhile brings a version that is newer than this.
    version = Tenant.objects.values_list("entitlements_version", flat=True).get(pk=tenant.pk)
    ends = _ends_of_overrides(tenant)
    holding = plans.holdings([tenant], now=now)[tenant.pk]
    # At the beginning of time no override was over.
    former = plans.holdings([tenant], now=BEGINNING)[tenant.pk] if any(each <= now for each in ends) else holding
    return Snapshot(
        version=version,
        since=max((each for each in ends if each <= now), default=BEGINNING),
        until=min((each for each in ends if each > now), default=FOREVER),
        plans=tuple(dict.fromkeys(each.ref for each in holding.plans)),
        features={key: held(tenant, each, former.entitlements[key]) for key, each in holding.entitlements.items()},
    )


def _ends_of_overrides(tenant: Tenant) -> list[datetime]:
    present: Any = Override.objects.present().filter(tenant=tenant)
    return list(present.exclude(until=None).values_list("until", flat=True))


def held(tenant: Tenant, entitlement: Entitlement, former: Entitlement) -> Held:
    """A feature as a tenant holds it. `former`: as it would be held if no override had ended by itself."""
    made = tenant.created_at
    before = held(tenant, former, former) if former.until != entitlement.until else None
    return Held(entitlement, recurrence_of(entitlement, since=made), max(entitlement.since or made, made), before)
