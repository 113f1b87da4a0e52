"""Spending, and letting time pass."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction

from apps.core.actors import Actor
from apps.credits import books
from apps.credits.amounts import refuse_unusable
from apps.credits.books import Book
from apps.credits.engine.wallet import Wallet
from apps.credits.models import Operation
from apps.credits.operations import Act
from apps.credits.types import Outcome, PlanCredits, Spent
from apps.tenants.models import Tenant


@transaction.atomic
def spend(
    *,
    tenant: Tenant,
    feature: str,
    amount: int,
    credit_type: str = "",
    object_ref: str = "",
    key: str | None = None,
    actor: Actor,
    plan: PlanCredits | None,
    times: int | None = None,
    closed: bool = False,
    now: datetime,
) -> Spent:
    """Spend credits of one wallet, if there are enough or the plan lets it be overdrawn.

    A refusal is an answer and leaves nothing behind, so the same key may be accepted later.
    The same key with the same call answers as the first time and spends nothing more. A
    `now` before what has been settled is what the ledger says, on the present state.

    `times`: how often what the credit type stands for; then the same call is one for as many
    times, whatever it costs meanwhile. `closed`: what is new is refused, and what was
    accepted before under its key is answered as it was.

    Raises:
        UnusableAmount: when `amount` is not 0 to 10**15.
        IdempotencyKeyReused: when the key belongs to another call.
        UnusableKey, UnusableText: when the key, or another text, cannot be kept.
    """
    refuse_unusable(amount, least=0)
    signed: dict[str, Any] = {"credit_type": credit_type, "object_ref": object_ref, "times": times}
    act = Act(tenant, feature, "spend", amount, key, actor, now, **signed)
    book = books.lock(tenant, feature)
    if earlier := act.earlier():
        return repeated(earlier)
    wallet = book.settle(plan, now)
    if closed or not wallet.burn(amount, overdraft=plan is not None and plan.overdraft, at=now):
        return refused(wallet)
    return booked(book, act)


@transaction.atomic
def settle(*, tenant: Tenant, feature: str, plan: PlanCredits | None, now: datetime) -> int:
    """Book what time has brought up to `now`; returns the balance.

    Nothing depends on it: whoever reads or spends takes the time into account. To be called
    with the former plan before a tenant's plan changes, so that it has given what it was to
    give; and from time to time, so that the ledger tells of it.
    """
    book = books.lock(tenant, feature)
    wallet = book.settle(plan, now)
    books.write_passed_time(book)
    return wallet.balance


def booked(book: Book, act: Act, *, reservation_id: UUID | None = None) -> Spent:
    """Write what was spent or set aside."""
    spent = _answer(Outcome.BOOKED, book.wallet)
    answer = {"balance": spent.balance, "used": spent.used, "limit": spent.limit, "reservation_id": reservation_id}
    operation_id = books.write(book, act, answer=answer)
    return replace(spent, operation_id=operation_id, reservation_id=reservation_id)


def refused(wallet: Wallet) -> Spent:
    """The answer where there is not enough."""
    return _answer(Outcome.REFUSED, wallet)


def repeated(operation: Operation) -> Spent:
    """The answer that was given the first time."""
    answer: Mapping[str, Any] = operation.answer
    reservation = answer["reservation_id"]
    return Spent(
        Outcome.REPEATED,
        balance=answer["balance"],
        used=answer["used"],
        limit=answer["limit"],
        operation_id=operation.id,
        reservation_id=UUID(reservation) if reservation else None,
    )


def _answer(outcome: Outcome, wallet: Wallet) -> Spent:
    return Spent(outcome, balance=wallet.balance, used=wallet.used, limit=wallet.limit)
