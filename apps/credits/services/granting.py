"""What people decide about credits: granting them, ending a grant before its time, correcting a balance."""

from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction

from apps.audit import services as audit
from apps.core.actors import Actor
from apps.credits import books
from apps.credits.amounts import refuse_unusable
from apps.credits.books import Book
from apps.credits.engine.settling import PLANS_OWN
from apps.credits.engine.wallet import Lot
from apps.credits.errors import NotEnoughCredits, NothingLeft, UnknownGrant, UnusableGrant
from apps.credits.models import LABEL_MAX_LENGTH, Grant, Operation
from apps.credits.operations import Act
from apps.credits.types import ORDINARY_PRIORITY, Category, EntryKind, Granted, Outcome, PlanCredits
from apps.tenants.models import Tenant

GIVEN = tuple(each for each in Category if each not in PLANS_OWN)


@transaction.atomic
def grant(
    *,
    tenant: Tenant,
    feature: str,
    amount: int,
    category: str = Category.MANUAL,
    priority: int = ORDINARY_PRIORITY,
    effective_at: datetime | None = None,
    expires_at: datetime | None = None,
    reason: str,
    key: str | None = None,
    actor: Actor,
    plan: PlanCredits | None,
    now: datetime,
) -> Granted:
    """Give a tenant credits, from `effective_at` (None: at once) until before `expires_at` (None: for ever).

    What is overdrawn they settle as soon as they are effective. The lowest `priority`, 0 to
    100, is spent first. The same key with the same call answers as the first time and
    grants nothing more.

    Raises:
        UnusableAmount: when `amount` is not 1 to 10**15.
        UnusableGrant: when the category, the priority or the times cannot be, or the reason is empty.
        IdempotencyKeyReused: when the key belongs to another call.
    """
    refuse_unusable(amount)
    lot = Lot(
        category=category,
        amount=amount,
        priority=priority,
        effective_at=effective_at or now,
        expires_at=expires_at,
        created_at=now,
        reason=reason.strip(),
        author=actor.label[:LABEL_MAX_LENGTH],
    )
    _refuse_unusable(lot, now)
    terms = {"category": category, "priority": priority, "effective_at": effective_at, "expires_at": expires_at}
    act = Act(tenant, feature, "grant", amount, key, actor, now, reason=lot.reason, terms=terms)
    book = books.lock(tenant, feature)
    if earlier := act.earlier():
        return _repeated(earlier)
    wallet = book.settle(plan, now)
    if lot.effective_at > wallet.at:
        wallet.schedule(lot)
    else:
        wallet.add(lot, at=now, note=lot.reason)
        wallet.sweep(now)
    return _booked(book, act, lot, after=_shown(lot))


@transaction.atomic
def void(
    *, tenant: Tenant, grant_id: UUID, reason: str, actor: Actor, plan: PlanCredits | None, now: datetime
) -> Granted:
    """Take back what is left of a grant, also of a scheduled one. What was spent of it stays spent.

    What of it is set aside may still be confirmed; released, it is voided too.

    Raises:
        UnknownGrant: when the tenant has none of that id.
        NothingLeft: when it is used up, voided or expired.
        UnusableGrant: when the reason is empty.
    """
    wallet, terms = _wallet_of(tenant, grant_id), {"grant": grant_id}
    act = Act(tenant, wallet, "void", 0, None, actor, now, reason=_said(reason), terms=terms)
    book, lot = _opened(act, grant_id, plan)
    act = replace(act, amount=lot.remaining)
    book.wallet.end(lot, EntryKind.VOID, at=now, note=act.reason)
    lot.voided_at = now
    return _booked(book, act, lot, after={"grant": str(lot.id), "voided": act.amount})


@transaction.atomic
def expire(
    *, tenant: Tenant, grant_id: UUID, reason: str, actor: Actor, plan: PlanCredits | None, now: datetime
) -> Granted:
    """Let a grant expire now instead of later.

    Raises:
        UnknownGrant: when the tenant has none of that id.
        NothingLeft: when it is used up, voided or expired.
        UnusableGrant: when it is not effective yet, or the reason is empty.
    """
    wallet, terms = _wallet_of(tenant, grant_id), {"grant": grant_id}
    act = Act(tenant, wallet, "expire", 0, None, actor, now, reason=_said(reason), terms=terms)
    book, lot = _opened(act, grant_id, plan)
    if not lot.is_counted:
        raise UnusableGrant(f"The grant {lot.id} is not effective yet; void it instead.")
    act = replace(act, amount=lot.remaining)
    book.wallet.end(lot, EntryKind.EXPIRE, at=now, note=act.reason)
    lot.expires_at = now
    return _booked(book, act, lot, after={"grant": str(lot.id), "expired": act.amount})


@transaction.atomic
def adjust(
    *,
    tenant: Tenant,
    feature: str,
    amount: int,
    reason: str,
    key: str | None = None,
    actor: Actor,
    plan: PlanCredits | None,
    now: datetime,
) -> Granted:
    """Correct a balance upwards or, with `amount` below 0, downwards; what was spent is not changed by it.

    Upwards it is a manual grant that does not expire; downwards it is taken in the order in
    which credits are spent. The same key with the same call answers as the first time.

    Raises:
        UnusableAmount: when `amount` is 0 or beyond ±10**15.
        UnusableGrant: when the reason is empty.
        NotEnoughCredits: when less is there than is to be taken.
        IdempotencyKeyReused: when the key belongs to another call.
    """
    refuse_unusable(abs(amount))
    act = Act(tenant, feature, "adjust", amount, key, actor, now, reason=_said(reason))
    book = books.lock(tenant, feature)
    if earlier := act.earlier():
        return _repeated(earlier)
    book.settle(plan, now)
    lot = None
    if amount > 0:
        lot = _raised(book, act)
    else:
        _lowered(book, act)
    return _booked(book, act, lot, after={feature: f"{amount:+,}"})


def _raised(book: Book, act: Act) -> Lot:
    lot = Lot(
        category=Category.MANUAL,
        amount=act.amount,
        effective_at=act.at,
        created_at=act.at,
        reason=act.reason,
        author=act.signed()["actor"],
    )
    book.wallet.add(lot, kind=EntryKind.ADJUST, at=act.at, note=act.reason)
    return lot


def _lowered(book: Book, act: Act) -> None:
    if not book.wallet.take_away(-act.amount, at=act.at, note=act.reason):
        raise NotEnoughCredits(
            f"Tenant {act.tenant.tenant_id!r} has {book.wallet.balance:,} {act.feature}, "
            f"so {-act.amount:,} cannot be taken away."
        )


def _wallet_of(tenant: Tenant, grant_id: UUID) -> str:
    row = Grant.objects.filter(tenant_uuid=tenant.pk, id=grant_id).first()
    if row is None:
        raise UnknownGrant(f"Tenant {tenant.tenant_id!r} has no grant {grant_id}.")
    return row.feature


def _opened(act: Act, grant_id: UUID, plan: PlanCredits | None) -> tuple[Book, Lot]:
    """The wallet of a grant, locked and settled, and the grant, of which something is left."""
    book = books.lock(act.tenant, act.feature)
    lot = book.settle(plan, act.at).lots.get(grant_id)
    if lot is None or not (lot.remaining or lot.held) or lot.is_over(book.wallet.at):
        raise NothingLeft(f"Nothing is left of the grant {grant_id}: it is used up, voided or expired.")
    return book, lot


def _booked(book: Book, act: Act, lot: Lot | None, *, after: dict[str, Any]) -> Granted:
    balance = book.wallet.balance
    grant_id = lot.id if lot else None
    operation_id = books.write(book, act, answer={"balance": balance, "grant_id": grant_id})
    audit.record(
        actor=act.actor,
        action=f"tenant.credits_{DONE[act.kind]}",
        subject=act.tenant.subject,
        now=act.at,
        after=after,
        reason=act.reason,
    )
    return Granted(Outcome.BOOKED, balance, operation_id, grant_id)


DONE = {"grant": "granted", "void": "voided", "expire": "expired", "adjust": "adjusted"}


def _repeated(operation: Operation) -> Granted:
    grant_id = operation.answer["grant_id"]
    return Granted(Outcome.REPEATED, operation.answer["balance"], operation.id, UUID(grant_id) if grant_id else None)


def _shown(lot: Lot) -> dict[str, Any]:
    until = f", until {lot.expires_at:%Y-%m-%d %H:%M} UTC" if lot.expires_at else ""
    start = f", from {lot.effective_at:%Y-%m-%d %H:%M} UTC" if lot.effective_at > lot.created_at else ""
    return {"grant": str(lot.id), "credits": f"{lot.amount:,} {lot.category}{start}{until}"}


def _said(reason: str) -> str:
    if not reason.strip():
        raise UnusableGrant("Say why: without a reason nobody can tell later what the credits were for.")
    return reason.strip()


def _refuse_unusable(lot: Lot, now: datetime) -> None:
    _said(lot.reason)
    if lot.category not in GIVEN:
        raise UnusableGrant(f"{lot.category!r} cannot be granted, but {', '.join(GIVEN)}.")
    if not 0 <= lot.priority <= 100:
        raise UnusableGrant(f"The priority is {lot.priority}, but must be 0 (spent first) to 100.")
    if lot.expires_at and lot.expires_at <= max(now, lot.effective_at):
        raise UnusableGrant(f"It would be over before it began: it expires at {lot.expires_at:%Y-%m-%d %H:%M:%S} UTC.")
