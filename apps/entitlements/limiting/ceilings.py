"""Keeping what the database enforces in step with the entitlements."""

from collections.abc import Collection, Hashable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection, transaction

from apps.core.locks import lock_until_commit
from apps.core.periods import BEGINNING, FOREVER
from apps.credits.models import Account
from apps.entitlements.decisions import Reason
from apps.entitlements.models import Ceiling
from apps.entitlements.registry import counted_entities
from apps.plans.gathering import features, gather
from apps.plans.resolution import Entitlement, Grantable, Origin, Source, resolve
from apps.plans.terms import Kind
from apps.tenants.models import Tenant

# How many tenants are worked out at a time.
CHUNK = 500
KEY = ("tenant_uuid", "feature")
# As whoever publishes plans takes it.
PUBLISHING = "plans.publish"


@dataclass(frozen=True)
class Held:
    """A limit that cannot be changed, nor filled by anybody else, until the transaction ends.

    `source` names what it comes from; empty: nothing grants any, for this `reason`. `plan`
    is the first that the tenant holds, `name` the feature's own.
    """

    feature: str
    most: int
    source: str
    reason: str = ""
    plan: str = ""
    name: str = ""


@dataclass(frozen=True)
class _Limit:
    """What a ceiling says, of whichever tenant."""

    feature: str
    limit: int | None
    soft: bool
    source: str
    until: datetime | None
    limit_after: int | None
    soft_after: bool
    source_after: str
    reason: str
    plan: str


KEPT = tuple(name for name in _Limit.__dataclass_fields__ if name not in KEY)


def hold(*, tenant_key: UUID | str, features: Sequence[str]) -> tuple[Held, ...]:
    """Lock those of a tenant's limits, in key order, that are in force; what is not limited is left out.

    Whoever counts rows afterwards sees all that others who held the limit have committed.
    """
    with connection.cursor() as cursor:
        cursor.execute(_HOLD, [str(tenant_key), sorted(features)])
        # Of one that ran out between two looks at the clock nothing is known.
        rows = [row for row in cursor.fetchall() if row[1] is not None]
    return tuple(Held(feature, most, source, *(told or "" for told in words)) for feature, most, source, *words in rows)


_HOLD = """
    SELECT feature, most, source, reason, plan, name FROM public.entitlements_hold_ceilings(%s::uuid, %s::text[])
"""


def hold_before_wallets(tenant_keys: Sequence[UUID] | None, now: datetime) -> None:
    """Lock the limits of those of these tenants that have a wallet, which is locked next; None: of all.

    As whoever saves a row and then spends does. Who has no wallet is not waited for.
    """
    accounts = Account.objects.all() if tenant_keys is None else Account.objects.filter(tenant_uuid__in=tenant_keys)
    held = Ceiling.objects.filter(tenant_uuid__in=accounts.values("tenant_uuid")).order_by(*KEY)
    list(held.select_for_update(no_key=True).values_list("tenant_uuid"))


@transaction.atomic
def keep(tenant_keys: Sequence[UUID] | None, now: datetime) -> None:
    """Work the ceilings of these tenants out anew; None: of all. The caller has locked the tenants' rows.

    `now` does not matter: whether an override is over is judged when a row is inserted, by
    the database's clock.
    """
    for chunk in _chunks(_all_keys() if tenant_keys is None else tenant_keys):
        _keep(Tenant.objects.filter(pk__in=chunk))


def keep_all(*, now: datetime) -> None:
    """As `keep`, of all tenants, a chunk of them at a time: whatever was missed is right again afterwards."""
    for chunk in _chunks(_all_keys()):
        _keep_locked(chunk, now)


def _all_keys() -> list[UUID]:
    return list(Tenant.objects.order_by("pk").values_list("pk", flat=True))


def _chunks(keys: Sequence[UUID]) -> Iterable[Sequence[UUID]]:
    return (keys[start : start + CHUNK] for start in range(0, len(keys), CHUNK) if counted_entities())


@transaction.atomic
def _keep_locked(tenant_keys: Sequence[UUID], now: datetime) -> None:
    """As whoever renews entitlements does: of two the later one sees what the earlier one has written.

    Nor does the default plan change meanwhile, which is everybody's.
    """
    lock_until_commit(PUBLISHING, shared=True)
    locked = Tenant.objects.select_for_update(no_key=True).filter(pk__in=tenant_keys).order_by("pk")
    keep(list(locked.values_list("pk", flat=True)), now)


def _keep(tenants: Iterable[Tenant]) -> None:
    wanted = _worked_out(list(tenants))
    known = {_key(row): row for row in Ceiling.objects.filter(tenant_uuid__in={row.tenant_uuid for row in wanted})}
    changed = [row for row in wanted if _key(row) not in known or _said(row) != _said(known[_key(row)])]
    # One that is unchanged is not touched: somebody may hold it for as long as their transaction lasts.
    # The others in the order in which they are held.
    Ceiling.objects.bulk_create(
        sorted(changed, key=_key),
        update_conflicts=True,
        unique_fields=KEY,
        update_fields=[*KEPT, "version"],
        batch_size=CHUNK,
    )


def _key(row: Ceiling) -> tuple[UUID, str]:
    return row.tenant_uuid, row.feature


def _said(row: Ceiling) -> tuple[Any, ...]:
    return tuple(getattr(row, name) for name in KEPT)


def _worked_out(tenants: list[Tenant]) -> list[Ceiling]:
    known, gathered = _counted(), gather(tenants)
    # Most tenants are like many others, such as all that hold the default plan and nothing else.
    alike: dict[Hashable, list[dict[str, Any]]] = {}
    rows = []
    for tenant in tenants:
        sources = _limiting(gathered[tenant.pk].sources, known)
        likeness = tuple(_likeness(each) for each in sources)
        if likeness not in alike:
            alike[likeness] = [asdict(each) for each in _limits(known, sources)]
        version = tenant.entitlements_version
        rows += [Ceiling(tenant_uuid=tenant.pk, version=version, **each) for each in alike[likeness]]
    return rows


def _counted() -> dict[str, Grantable]:
    """The features that are counted, in the order in which they are held; what is no feature, nothing limits."""
    known = features()
    return {key: known[key] for key in sorted(counted_entities()) if key in known}


def _limiting(sources: Iterable[Source], known: Collection[str]) -> list[Source]:
    """Those that have a say in what is counted, in order."""
    ordered = sorted(sources, key=lambda each: (each.origin, each.order, each.ref))
    return [each for each in ordered if each.origin != Origin.OVERRIDE or not each.grants.keys().isdisjoint(known)]


def _likeness(source: Source) -> Hashable:
    """Equal for sources that limit alike, in the same place. A plan's version always grants the same."""
    own = tuple((key, grant.limit) for key, grant in source.grants.items()) if source.origin == Origin.OVERRIDE else ()
    cycle = (source.cycle.unit, source.cycle.count) if source.cycle else ()
    return source.origin, source.ref, source.quantity, source.until, cycle, own


def _limits(known: Mapping[str, Grantable], sources: Sequence[Source]) -> list[_Limit]:
    """At the beginning of time no override is over, at its end all are that end."""
    present = resolve(known.values(), sources, at=BEGINNING)
    later = resolve(known.values(), sources, at=FOREVER)
    holds_any = any(each.origin != Origin.OVERRIDE for each in sources)
    reason = Reason.NOT_IN_PLAN if holds_any else Reason.NO_SUBSCRIPTION
    return [_limit(each, later[key] if each.until else None, reason) for key, each in present.items()]


def _limit(present: Entitlement, later: Entitlement | None, reason: str) -> _Limit:
    return _Limit(
        feature=present.feature,
        limit=_most(present),
        soft=present.soft,
        source=present.source,
        until=present.until,
        limit_after=_most(later) if later else None,
        soft_after=later.soft if later else False,
        source_after=later.source if later else "",
        reason=str(reason),
        plan=next((each.ref for each in present.trace if each.origin in {Origin.PLAN, Origin.DEFAULT_PLAN}), ""),
    )


def _most(entitlement: Entitlement) -> int | None:
    return entitlement.most if entitlement.kind == Kind.COUNT else None


def keep_of(tenant: Tenant) -> None:
    """As `keep`, of one tenant, whatever version its entitlements are of: what is counted may have changed.

    The caller has not locked the tenant's row yet: who publishes plans locks it afterwards.
    """
    _keep_locked([tenant.pk], BEGINNING)


def before_creating(instance: Tenant, **signal: Any) -> None:
    """Django tells that a tenant is about to be saved.

    A new one is not made while the default plan changes: whoever changes it would not see
    the tenant, nor the tenant the change.
    """
    if instance._state.adding:
        lock_until_commit(PUBLISHING, shared=True)


def after_deleting(instance: Tenant, **signal: Any) -> None:
    """Django tells that a tenant is no more; its ceilings are worked out again should it be restored."""
    Ceiling.objects.filter(tenant_uuid=instance.pk).delete()
