"""Writing the books. All of it runs inside the caller's own transaction, and a refusal does not spoil that."""

from apps.usage.services.booking import consume, release, set_level
from apps.usage.services.correcting import correct
from apps.usage.services.ingesting import ingest
from apps.usage.services.reserving import confirm, expire_reservations, release_reservation, reserve
from apps.usage.services.totals import record_totals
from apps.usage.services.usable import refuse_far

__all__ = [
    "confirm",
    "consume",
    "correct",
    "expire_reservations",
    "ingest",
    "record_totals",
    "refuse_far",
    "release",
    "release_reservation",
    "reserve",
    "set_level",
]
