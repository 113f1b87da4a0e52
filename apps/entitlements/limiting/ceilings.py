"""Keeping what the database enforces in step with the entitlements."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection, transaction

from apps.core.periods import BEGINNING, FOREVER
from apps.entitlements.models import Ceiling
from apps.entitlements.registry import counted_entities
from apps.plans import selectors as plans
from apps.plans.resolution import Entitlement
from apps.plans.terms import Kind
from apps.tenants.models import Tenant

# How many tenants are worked out at a time.
CHUNK = 500
KEY = ("tenant_uuid", "feature")
KEPT = ("limit", "soft", "source", "until", "limit_after", "soft_after", "source_after")

Limits = dict[str, Entitlement]


@dataclass(frozen=True)
class Held:
    """A limit that cannot be changed, nor filled by anybody else, until the transaction ends.

    `source` names what it comes from; empty: nothing grants any.
    """

    feature: str
    most: int
    source: str


def hold(*, tenant_key: UUID | str, features: Sequence[str]) -> tuple[Held, ...]:
    """Lock those of a tenant's limits, in key order, that are in force; what is not limited is left out.

    Whoever counts rows afterwards sees all that others who held the limit have committed.
    """
    with connection.cursor() as cursor:
        cursor.execute(_HOLD, [str(tenant_key), sorted(features)])
        # Of one that ran out between two looks at the clock nothing is known.
        return tuple(Held(*row) for row in cursor.fetchall() if row[1] is not None)


_HOLD = "SELECT feature, most, source FROM public.entitlements_hold_ceilings(%s::uuid, %s::text[])"


@transaction.atomic
def keep(tenant_keys: Sequence[UUID] | None, now: datetime) -> None:
    """Work the ceilings of these tenants out anew; None: of all. The caller has locked the tenants' rows.

    `now` does not matter: whether an override is over is judged when a row is inserted, by
    the database's clock.
    """
    keys = _existing(tenant_keys) if counted_entities() else []
    for start in range(0, len(keys), CHUNK):
        _keep(Tenant.objects.filter(pk__in=keys[start : start + CHUNK]))


def _existing(tenant_keys: Sequence[UUID] | None) -> list[UUID]:
    if tenant_keys is not None:
        return list(tenant_keys)
    return list(Tenant.objects.order_by("pk").values_list("pk", flat=True))


def _keep(tenants: Iterable[Tenant]) -> None:
    wanted = _worked_out(list(tenants))
    known = {_key(row): row for row in Ceiling.objects.filter(tenant_uuid__in={row.tenant_uuid for row in wanted})}
    changed = [row for row in wanted if _key(row) not in known or _said(row) != _said(known[_key(row)])]
    # One that is unchanged is not touched: somebody may hold it for as long as their transaction lasts.
    Ceiling.objects.bulk_create(
        changed, update_conflicts=True, unique_fields=KEY, update_fields=[*KEPT, "version"], batch_size=CHUNK
    )


def _key(row: Ceiling) -> tuple[UUID, str]:
    return row.tenant_uuid, row.feature


def _said(row: Ceiling) -> tuple[Any, ...]:
    return tuple(getattr(row, name) for name in KEPT)


def _worked_out(tenants: list[Tenant]) -> list[Ceiling]:
    present = _limits(tenants, at=BEGINNING)
    ending = [tenant for tenant in tenants if any(each.until for each in present[tenant.pk].values())]
    later = _limits(ending, at=FOREVER) if ending else {}
    return [
        _ceiling(tenant, limit, later[tenant.pk][feature] if limit.until else limit)
        for tenant in tenants
        for feature, limit in present[tenant.pk].items()
    ]


def _limits(tenants: list[Tenant], *, at: datetime) -> dict[UUID, Limits]:
    """What limits the counted features: at the beginning of time no override is over, at its end all are that end."""
    holdings = plans.holdings(tenants, now=at)
    return {key: _counted(holding.entitlements) for key, holding in holdings.items()}


def _counted(entitlements: Any) -> Limits:
    # What is counted without being a feature, nothing limits.
    return {key: entitlements[key] for key in sorted(counted_entities()) if key in entitlements}


def _ceiling(tenant: Tenant, present: Entitlement, later: Entitlement) -> Ceiling:
    return Ceiling(
        tenant_uuid=tenant.pk,
        feature=present.feature,
        limit=_most(present),
        soft=present.soft,
        source=present.source,
        until=present.until,
        limit_after=_most(later) if present.until else None,
        soft_after=later.soft if present.until else False,
        source_after=later.source if present.until else "",
        version=tenant.entitlements_version,
    )


def _most(entitlement: Entitlement) -> int | None:
    return entitlement.most if entitlement.kind == Kind.COUNT else None


def keep_of(tenant: Tenant) -> None:
    """As `keep`, of one tenant, whatever version its entitlements are of: what is counted may have changed."""
    # As whoever renews entitlements does: of two the later one sees what the earlier one has written.
    with transaction.atomic():
        Tenant.objects.select_for_update(no_key=True).filter(pk=tenant.pk).first()
        keep([tenant.pk], BEGINNING)


def after_deleting(instance: Tenant, **signal: Any) -> None:
    """Django tells that a tenant is no more; its ceilings are worked out again should it be restored."""
    Ceiling.objects.filter(tenant_uuid=instance.pk).delete()
