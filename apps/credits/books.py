"""Between the rows and the rules: a wallet read from the books, and its changes written into them."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from django.contrib.postgres.expressions import ArraySubquery
from django.db import connection
from django.db.models import F, OuterRef, Q, QuerySet
from django.db.models.functions import JSONObject

from apps.core.actors import CLOCK
from apps.core.periods import BEGINNING, Period
from apps.credits.engine.settling import settle
from apps.credits.engine.wallet import Hold, Lot, Movement, Wallet
from apps.credits.models import Account, Grant, LedgerEntry, LowBalance, Reservation
from apps.credits.operations import Act
from apps.credits.types import HoldState, PlanCredits
from apps.tenants.models import Tenant

# Of a wallet to which no plan has a say.
ORDINARY_THRESHOLDS = (80, 100)

LOT_FIELDS = (
    "id", "category", "amount", "remaining", "held", "priority", "effective_at", "expires_at", "created_at",
    "counted_at", "voided_at", "period_start", "period_end", "reason", "author",
)  # fmt: skip

_OPEN = """
    INSERT INTO credits_account
        (tenant_uuid, id, feature, balance, debt, last_seq, granted, spent, spent_after, "full", crossed)
    VALUES (%s, %s, %s, 0, 0, 0, 0, 0, 0, 0, '{}')
    ON CONFLICT (tenant_uuid, feature) DO NOTHING
"""
# One statement, however many grants an act touches.
_UPDATE_GRANTS = """
    UPDATE credits_grant AS known
    SET remaining = fresh.remaining, held = fresh.held, expires_at = fresh.expires_at,
        counted_at = fresh.counted_at, voided_at = fresh.voided_at
    FROM unnest(%s::uuid[], %s::bigint[], %s::bigint[], %s::timestamptz[], %s::timestamptz[], %s::timestamptz[])
        AS fresh (id, remaining, held, expires_at, counted_at, voided_at)
    WHERE known.tenant_uuid = %s AND known.id = fresh.id
"""


@dataclass
class Book:
    """A wallet whose account is locked. `known` holds what its grants were when it was read, `timed` how many of
    its movements time brought."""

    tenant: Tenant
    feature: str
    wallet: Wallet
    known: Mapping[UUID, tuple[Any, ...]]
    timed: int = 0
    parts: Mapping[UUID, tuple[tuple[UUID, int], ...]] = field(default_factory=dict)
    thresholds: tuple[int, ...] = ORDINARY_THRESHOLDS

    def settle(self, plan: PlanCredits | None, now: datetime) -> Wallet:
        """Let time pass; what moves afterwards belongs to whoever acts."""
        settle(self.wallet, plan, now)
        self.thresholds = plan.thresholds if plan else ORDINARY_THRESHOLDS
        self.timed = len(self.wallet.movements)
        return self.wallet


def lock(tenant: Tenant, feature: str) -> Book:
    """Keep everybody else away from a tenant's wallet until the transaction ends, and read it."""
    if not _locked(tenant, feature):
        with connection.cursor() as cursor:
            cursor.execute(_OPEN, [tenant.pk, uuid4(), feature])
        _locked(tenant, feature)
    # Read after the lock was got: what its last holder has written is seen by a statement of its own.
    wallet = read([tenant.pk], [feature])[tenant.pk, feature]
    known = {key: _changeable(lot) for key, lot in wallet.lots.items()}
    return Book(tenant, feature, wallet, known, parts={key: hold.parts for key, hold in wallet.holds.items()})


def _locked(tenant: Tenant, feature: str) -> bool:
    rows = Account.objects.select_for_update(no_key=True).filter(tenant_uuid=tenant.pk, feature=feature)
    return bool(rows.values_list("id"))


def read(tenant_keys: Collection[UUID], features: Collection[str]) -> dict[tuple[UUID, str], Wallet]:
    """The wallets that there are, by tenant and feature: one statement, so all of each is of one moment."""
    accounts = Account.objects.filter(tenant_uuid__in=tenant_keys, feature__in=features)
    return {(each.tenant_uuid, each.feature): _wallet(each) for each in accounts.annotate(lots=_LOTS, holds=_HOLDS)}


def _inside(rows: QuerySet[Any], *fields: str) -> ArraySubquery:
    own = rows.filter(tenant_uuid=OuterRef("tenant_uuid"), feature=OuterRef("feature"))
    return ArraySubquery(own.values(data=JSONObject(**{name: F(name) for name in fields})))


_LOTS = _inside(Grant.objects.filter(Q(remaining__gt=0) | Q(held__gt=0)), *LOT_FIELDS)
_HOLDS = _inside(Reservation.objects.filter(state=HoldState.OPEN), "id", "amount", "parts", "expires_at")


def _wallet(account: Any) -> Wallet:
    lots = [_lot(each) for each in account.lots]
    return Wallet(
        lots={lot.id: lot for lot in lots},
        holds={UUID(each["id"]): _hold(each) for each in account.holds},
        debt=account.debt,
        at=account.settled_at or BEGINNING,
        period=_period(account.period_start, account.period_end),
        granted=account.granted,
        spent=account.spent,
        spent_after=account.spent_after,
        full=account.full,
        full_at=account.full_at,
        crossed=tuple(account.crossed),
        seq=account.last_seq,
    )


def _lot(row: Mapping[str, Any]) -> Lot:
    return Lot(
        id=UUID(row["id"]),
        category=row["category"],
        amount=row["amount"],
        remaining=row["remaining"],
        held=row["held"],
        priority=row["priority"],
        effective_at=datetime.fromisoformat(row["effective_at"]),
        created_at=datetime.fromisoformat(row["created_at"]),
        expires_at=_moment(row["expires_at"]),
        counted_at=_moment(row["counted_at"]),
        voided_at=_moment(row["voided_at"]),
        period=_period(_moment(row["period_start"]), _moment(row["period_end"])),
        reason=row["reason"],
        author=row["author"],
    )


def _hold(row: Mapping[str, Any]) -> Hold:
    parts = tuple((UUID(lot), part) for lot, part in row["parts"])
    return Hold(row["amount"], parts, datetime.fromisoformat(row["expires_at"]))


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def _period(start: datetime | None, end: datetime | None) -> Period | None:
    return Period(start, end) if start and end else None


def write(book: Book, act: Act, *, answer: Mapping[str, Any]) -> UUID:
    """Write what has changed, in the name of whoever acts; returns the operation's id.

    Raises:
        IdempotencyKeyReused: when somebody else used the act's key at the same moment, for another wallet.
    """
    operation_id = act.book(answer)
    _write(book, {**act.signed(), "operation_id": operation_id}, act.at)
    return operation_id


def write_passed_time(book: Book) -> None:
    """Write what has changed without anybody having acted."""
    _write(book, {}, book.wallet.at)


def _write(book: Book, signed: Mapping[str, Any], at: datetime) -> None:
    crossed = book.wallet.cross(book.thresholds)
    _write_grants(book)
    _write_ledger(book, signed)
    _write_reservations(book)
    _write_account(book)
    if crossed:
        _tell(book, crossed, at)


def _tell(book: Book, crossed: Sequence[str], at: datetime) -> None:
    wallet = book.wallet
    numbers = {"balance": wallet.balance, "used": wallet.used, "limit": wallet.limit, "at": at}
    start = wallet.period.start if wallet.period else wallet.full_at or BEGINNING
    own = {"tenant_uuid": book.tenant.pk, "feature": book.feature, "period_start": start}
    # A period that comes back, after the plan's cycle was changed to and fro, has told already.
    rows = [LowBalance(**own, **numbers, threshold=each) for each in crossed]
    LowBalance.objects.bulk_create(rows, ignore_conflicts=True)


def _write_grants(book: Book) -> None:
    lots = book.wallet.lots
    fresh = [lot for key, lot in lots.items() if key not in book.known]
    if fresh:
        Grant.objects.bulk_create([_grant(book, lot) for lot in fresh])
    changed = [_changeable(lots[key]) for key, before in book.known.items() if before != _changeable(lots[key])]
    if changed:
        with connection.cursor() as cursor:
            cursor.execute(_UPDATE_GRANTS, [*(list(column) for column in zip(*changed, strict=True)), book.tenant.pk])


def _changeable(lot: Lot) -> tuple[Any, ...]:
    return (lot.id, lot.remaining, lot.held, lot.expires_at, lot.counted_at, lot.voided_at)


def _grant(book: Book, lot: Lot) -> Grant:
    values = {name: getattr(lot, name) for name in LOT_FIELDS if not name.startswith("period_")}
    values["author"] = lot.author or CLOCK.label
    start, end = (lot.period.start, lot.period.end) if lot.period else (None, None)
    return Grant(tenant_uuid=book.tenant.pk, feature=book.feature, period_start=start, period_end=end, **values)


def _write_ledger(book: Book, signed: Mapping[str, Any]) -> None:
    movements = book.wallet.movements
    rows = [_entry(book, each, {"actor": CLOCK.label}) for each in movements[: book.timed]]
    rows += [_entry(book, each, signed) for each in movements[book.timed :]]
    LedgerEntry.objects.bulk_create(rows)


def _entry(book: Book, movement: Movement, signed: Mapping[str, Any]) -> LedgerEntry:
    told = {name: getattr(movement, name) for name in ("seq", "kind", "amount", "balance_after", "at", "note")}
    return LedgerEntry(tenant_uuid=book.tenant.pk, feature=book.feature, grant_id=movement.lot, **told, **signed)


def parts_of(hold: Hold) -> list[tuple[str, int]]:
    """How many of which grant are set aside, as the row has it."""
    return [(str(lot), part) for lot, part in hold.parts]


def _write_reservations(book: Book) -> None:
    own = Reservation.objects.filter(tenant_uuid=book.tenant.pk)
    for key, (state, at) in book.wallet.closed.items():
        own.filter(id=key).update(state=state, closed_at=at)
    for key, before in book.parts.items():
        hold = book.wallet.holds.get(key)
        if hold and hold.parts != before:
            own.filter(id=key).update(parts=parts_of(hold))


def _write_account(book: Book) -> None:
    wallet = book.wallet
    Account.objects.filter(tenant_uuid=book.tenant.pk, feature=book.feature).update(
        balance=wallet.balance,
        debt=wallet.debt,
        last_seq=wallet.seq,
        settled_at=wallet.at,
        period_start=wallet.period and wallet.period.start,
        period_end=wallet.period and wallet.period.end,
        granted=wallet.granted,
        spent=wallet.spent,
        spent_after=wallet.spent_after,
        full=wallet.full,
        full_at=wallet.full_at,
        crossed=list(wallet.crossed),
    )
