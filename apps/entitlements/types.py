"""What the entitlements floor answers with."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Source(StrEnum):
    """Who knows how many there are: the database, the books of the facade, or the vendor's app."""

    COUNTED = "counted"
    BOOKED = "booked"
    REPORTED = "reported"


@dataclass(frozen=True)
class EntityTotal:
    """How many of one entity a tenant has.

    `total` None: nobody tells, and then `source` and `as_of` are None too.
    `told_by` names who reported it; a counted total was told by nobody.
    """

    entity: str
    name: str
    total: int | None = None
    source: Source | None = None
    as_of: datetime | None = None
    told_by: str = ""


@dataclass(frozen=True)
class LimitWithTotal:
    """A limit beside how many there are. `limit` None: unlimited."""

    limit: int | None
    there_are: EntityTotal

    @property
    def entity(self) -> str:
        """The key of what is limited."""
        return self.there_are.entity

    @property
    def name(self) -> str:
        """What is limited, as a person reads it."""
        return self.there_are.name

    @property
    def total(self) -> int | None:
        """How many there are; None: nobody tells."""
        return self.there_are.total

    @property
    def over(self) -> int:
        """By how many the limit is exceeded, 0 when it is kept."""
        return max(0, self.total - self.limit) if self.total is not None and self.limit is not None else 0

    @property
    def is_reached(self) -> bool:
        """Whether there are exactly as many as there can be; not said of a limit of none at all."""
        return bool(self.limit) and self.total == self.limit
