"""Working events off once more because somebody asks for it."""

from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.db.models import QuerySet

from apps.audit import services as audit
from apps.billing import inbox
from apps.billing.models import Event
from apps.core.actors import Actor

# So many the audit names; of all failing events there may be thousands.
NAMED = 10


@dataclass(frozen=True)
class Replayed:
    """How many events are worked off once more, and what is looked at again because of them."""

    events: int
    works: tuple[str, ...]


@transaction.atomic
def replay(events: QuerySet[Event], *, actor: Actor, now: datetime) -> Replayed:
    """Have a worker look again at what these events are about, whatever became of them.

    Those that ask for nothing, as of another mode, are left as they are.
    """
    asking = events.exclude(work="")
    # In the order in which they are postponed, or the two could wait for each other.
    ids = list(asking.select_for_update().order_by("id").values_list("event_id", flat=True))
    replayed = Replayed(len(ids), tuple(inbox.replay(asking, now=now)))
    if ids:
        audit.record(
            actor=actor,
            action="stripe.replayed",
            subject=f"event:{ids[0]}" if len(ids) == 1 else "stripe",
            now=now,
            after={"events": len(ids), "looked_at_again": in_words(replayed.works)},
        )
    return replayed


def in_words(works: tuple[str, ...]) -> str:
    """What is looked at again, the first few by name."""
    more = len(works) - NAMED
    return ", ".join(works[:NAMED]) + (f" and {more:,} more" if more > 0 else "")
