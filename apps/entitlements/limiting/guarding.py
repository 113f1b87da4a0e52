"""Refusing rows before they are written, so that the caller's transaction stays usable."""

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from django.db.models import Model

from apps.core import schemas
from apps.entitlements.errors import LimitReached
from apps.entitlements.limiting.ceilings import Held, hold
from apps.entitlements.limiting.decisions import decision_for
from apps.entitlements.registry import CountedEntity, counted_entities


def guard(model: type[Model], *, count: int = 1) -> None:
    """Refuse `count` more rows of a model, all of which count, when the tenant that has been entered may not have them.

    Holds the limits until the caller's transaction ends, so that nobody else fills them.
    Outside of a tenant nothing is limited.

    Raises:
        LimitReached: with the decision; nothing was written, and the transaction is usable.
    """
    _guard(bound_to(model), count, lambda counted: count)


def guard_new(model: type[Model], rows: Sequence[Model]) -> None:
    """As `guard`, for these new rows, as far as they count.

    Raises:
        LimitReached: see `guard`.
    """
    _guard(bound_to(model), len(rows), lambda counted: sum(counted.counts(row) for row in rows))


def guard_saved(row: Model, *, update_fields: Collection[str] | None = None) -> None:
    """As `guard`, for one row that is about to be saved, new or changed so that it counts from now on.

    Raises:
        LimitReached: see `guard`.
    """
    if schemas.current_tenant_key() is None:
        return
    bound = bound_to(type(row))
    if not row._state.adding:
        bound = [each for each in bound if each.may_begin_to_count(row, update_fields)]
    _guard(bound, 1, lambda counted: int(counted.counts(row) and not counted.counts_already(row)))


@contextmanager
def counting(bound: Sequence[CountedEntity]) -> Iterator[None]:
    """Refuse what is written in the block when it has made more rows count than may: only the database knows how many.

    To be entered in a savepoint of its own, which what is refused spoils.

    Raises:
        LimitReached: once it is written; the savepoint is to be rolled back.
    """
    tenant_key = schemas.current_tenant_key()
    counted = {each.entity: each for each in bound}
    held = hold(tenant_key=tenant_key, features=list(counted)) if tenant_key and counted else ()
    before = {each.feature: counted[each.feature].rows().count() for each in held}
    yield
    for ceiling in held:
        used = before[ceiling.feature]
        added = counted[ceiling.feature].rows().count() - used
        if added > 0 and used + added > ceiling.most:
            raise LimitReached(decision_for(ceiling, requested=added, used=used))


def bound_to(model: type[Model]) -> list[CountedEntity]:
    """What is counted from a model."""
    return [each for each in counted_entities().values() if issubclass(model, each.model)]


def _guard(bound: Sequence[CountedEntity], most_added: int, added: Callable[[CountedEntity], int]) -> None:
    """`added` tells how many of the rows count, which costs something and is asked for near the limit alone."""
    tenant_key = schemas.current_tenant_key()
    if tenant_key is None or not bound or not most_added:
        return
    counted = {each.entity: each for each in bound}
    for ceiling in hold(tenant_key=tenant_key, features=list(counted)):
        entity = counted[ceiling.feature]
        if not _fits(entity, ceiling, most_added):
            _refuse_beyond(entity, ceiling, added(entity))


def _fits(counted: CountedEntity, ceiling: Held, added: int) -> bool:
    room = ceiling.most - added
    # Counts no further than it takes to know.
    return room >= 0 and counted.rows()[: room + 1].count() <= room


def _refuse_beyond(counted: CountedEntity, ceiling: Held, added: int) -> None:
    if added and not _fits(counted, ceiling, added):
        raise LimitReached(decision_for(ceiling, requested=added, used=counted.rows().count()))


def before_saving(
    sender: type[Model], instance: Model, update_fields: Collection[str] | None = None, **signal: Any
) -> None:
    """Django tells that a row is about to be saved, of whichever model."""
    guard_saved(instance, update_fields=update_fields)
