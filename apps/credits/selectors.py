"""Reads of the books. Time is taken into account as if it had been booked; nothing is written."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from apps.core.keys import is_storable
from apps.credits import books, models, registry
from apps.credits.engine.settling import settle
from apps.credits.engine.wallet import Lot, Wallet, burn_order
from apps.credits.errors import UnknownCreditType
from apps.credits.models import Grant, LedgerEntry, LowBalance
from apps.credits.types import Balance, CreditType, LiveGrant, PlanCredits
from apps.tenants.models import Tenant


def balance(*, tenant: Tenant, feature: str, plan: PlanCredits | None, now: datetime) -> Balance:
    """A tenant's credits of one wallet at `now`; one that nobody has used yet has what the plan gives."""
    return balances(plans={(tenant.pk, feature): plan}, now=now)[tenant.pk, feature]


def balances(*, plans: Mapping[tuple[UUID, str], PlanCredits | None], now: datetime) -> dict[tuple[UUID, str], Balance]:
    """The balances of any number of wallets, by tenant and feature, in one query; `plans` names them all."""
    tenants, features = {key for key, _ in plans}, {feature for _, feature in plans}
    known = books.read(tenants, features) if plans else {}
    return {each: _balance(known.get(each) or Wallet(), plan, now) for each, plan in plans.items()}


def due(
    *, plans: Mapping[tuple[UUID, str], PlanCredits | None], now: datetime
) -> dict[UUID, dict[str, PlanCredits | None]]:
    """Those of these wallets, by tenant and feature, to which time has brought something that is not booked yet."""
    tenants, features = {key for key, _ in plans}, {feature for _, feature in plans}
    known = books.read(tenants, features) if plans else {}
    found: dict[UUID, dict[str, PlanCredits | None]] = {}
    for each, plan in plans.items():
        if _is_due(known.get(each), plan, now):
            found.setdefault(each[0], {})[each[1]] = plan
    return found


def _is_due(wallet: Wallet | None, plan: PlanCredits | None, now: datetime) -> bool:
    if wallet is None:
        return plan is not None
    period, granted = wallet.period, wallet.granted
    settle(wallet, plan, now)
    return bool(wallet.movements or wallet.closed) or (wallet.period, wallet.granted) != (period, granted)


def _balance(wallet: Wallet, plan: PlanCredits | None, now: datetime) -> Balance:
    settle(wallet, plan, now)
    spendable = wallet.spendable()
    scheduled = sorted((lot for lot in wallet.lots.values() if not lot.is_counted and lot.remaining), key=burn_order)
    return Balance(
        amount=wallet.balance,
        used=wallet.used,
        limit=wallet.limit,
        held=wallet.held,
        grants=tuple(_live(lot) for lot in (*spendable, *scheduled)),
        next_expiry=min((lot.expires_at for lot in spendable if lot.expires_at), default=None),
        next_grant_at=wallet.period.ends if plan and wallet.period else None,
    )


def _live(lot: Lot) -> LiveGrant:
    return LiveGrant(
        id=lot.id,
        category=lot.category,
        amount=lot.amount,
        remaining=lot.remaining,
        held=lot.held,
        priority=lot.priority,
        effective_at=lot.effective_at,
        expires_at=lot.expires_at,
        reason=lot.reason,
        is_scheduled=not lot.is_counted,
    )


@dataclass(frozen=True)
class LedgerPage:
    """Entries, newest first. `before` continues with the next page; None: there is none."""

    entries: tuple[LedgerEntry, ...]
    before: int | None


def ledger(
    *,
    tenant: Tenant,
    feature: str,
    before: int | None = None,
    size: int = 50,
    kinds: Collection[str] = (),
    credit_type: str = "",
    object_ref: str = "",
    actor: str = "",
    since: datetime | None = None,
    until: datetime | None = None,
) -> LedgerPage:
    """One page of a wallet's ledger, of those entries that are asked for; `since` to `until` is half-open."""
    wanted: dict[str, Any] = {
        "seq__lt": before,
        "kind__in": tuple(kinds),
        "credit_type": credit_type,
        "object_ref": object_ref,
        "actor": actor,
        "at__gte": since,
        "at__lt": until,
    }
    filters = {name: value for name, value in wanted.items() if value not in (None, "", ())}
    rows = LedgerEntry.objects.filter(tenant_uuid=tenant.pk, feature=feature, **filters).order_by("-seq")
    found = tuple(rows[: size + 1])
    return LedgerPage(found[:size], found[size - 1].seq if len(found) > size else None)


def grants(*, tenant: Tenant, feature: str, size: int = 100) -> Sequence[Grant]:
    """The latest grants of a wallet, also those of which nothing is left, newest first, as they were booked last."""
    rows = Grant.objects.filter(tenant_uuid=tenant.pk, feature=feature)
    return list(rows.order_by("-created_at", "-id")[:size])


def low_balances(*, tenant: Tenant, since: datetime | None = None, size: int = 100) -> Sequence[LowBalance]:
    """The thresholds that a tenant's wallets reached, newest first."""
    rows = LowBalance.objects.filter(tenant_uuid=tenant.pk)
    return list((rows.filter(at__gte=since) if since else rows).order_by("-at", "feature", "threshold")[:size])


def credit_types() -> tuple[CreditType, ...]:
    """What each action costs, by value."""
    set_by_operators = {row.value: _credit_type(row) for row in models.CreditType.objects.all()}
    known = {**registry.defined(), **set_by_operators}
    return tuple(known[value] for value in sorted(known))


def credit_type(value: str) -> CreditType:
    """What one action costs.

    Raises:
        UnknownCreditType: when there is no such type; the message names those there are.
    """
    row = models.CreditType.objects.filter(pk=value).first() if is_storable(value) else None
    known = _credit_type(row) if row else registry.defined().get(value)
    if known:
        return known
    names = ", ".join(each.value for each in credit_types()) or "none at all"
    raise UnknownCreditType(f"There is no credit type {value!r}, but {names}.")


def _credit_type(row: models.CreditType) -> CreditType:
    return CreditType(
        value=row.value,
        name=row.name,
        amount=row.amount,
        description=row.description,
        feature=row.feature,
        usage_feature=row.usage_feature,
    )
