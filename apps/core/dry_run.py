"""Doing something for the sake of seeing what it would do."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import transaction


@contextmanager
def rolled_back() -> Iterator[None]:
    """Run the block in a transaction that leaves nothing behind: no row, no job, nothing that waits for its commit."""
    with transaction.atomic():
        yield
        transaction.set_rollback(True)
