"""What callers say about usage, and what they are answered."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from apps.core.errors import TenantryError
from apps.core.periods import Period


@dataclass(frozen=True, slots=True)
class Slot:
    """Where something is counted: one feature, within one period, in one way.

    `aggregate` is `sum` or `perpetual`, which add up, or `max` or `last`, which are gauges.
    """

    feature: str
    aggregate: str
    period: Period


@dataclass(frozen=True, slots=True)
class Ceiling:
    """Up to where a slot may be used. `limit` None: unlimited.

    `thresholds` are per cent of the limit at which a crossing is kept. `version` is that
    of the entitlements it comes from: of two ceilings the one of the newer version counts.
    """

    limit: int | None
    soft: bool = False
    thresholds: tuple[int, ...] = ()
    version: int = 0


class Outcome(StrEnum):
    """What became of a call."""

    BOOKED = "booked"
    REFUSED = "refused"
    REPEATED = "repeated"


@dataclass(frozen=True, slots=True)
class Booking:
    """What was booked, or why not, with the numbers it was judged by.

    `used` is what is in use once it was booked, or as it is where it was refused; what
    is set aside counts as used. A repeated call is answered with the numbers and the slot
    of the first. `event_id` is None where nothing was booked.
    """

    outcome: Outcome
    used: int
    limit: int | None
    soft: bool
    event_id: UUID | None
    slot: Slot


class Told(StrEnum):
    """Whether an event says how much more there is, or how much there is altogether."""

    MORE = "add"
    ALTOGETHER = "set"


@dataclass(frozen=True, slots=True)
class NewEvent:
    """Something that was used, to be booked together with others."""

    slot: Slot
    ceiling: Ceiling
    amount: int
    at: datetime
    key: str | None = None
    properties: Mapping[str, Any] = field(default_factory=dict)
    told: Told = Told.MORE


class Reception(StrEnum):
    """What became of one event among several."""

    BOOKED = "booked"
    REPEATED = "repeated"
    CONFLICT = "conflict"
    INVALID = "invalid"


@dataclass(frozen=True, slots=True)
class Ingested:
    """The result of one event. `problem` says what is wrong with one in conflict or invalid."""

    outcome: Reception
    event_id: UUID | None = None
    problem: TenantryError | None = None


@dataclass(frozen=True, slots=True)
class Use:
    """How much of a slot is in use.

    `level` is what the next amount is added to: of a `max` the present level, where
    `used` is the highest; else the same. `held` is the part that is only set aside.
    """

    used: int
    level: int
    held: int


@dataclass(frozen=True, slots=True)
class Bucket:
    """What was used from `start` on, for an hour, a day or a month."""

    start: datetime
    used: int


@dataclass(frozen=True, slots=True)
class Cursor:
    """A place between two events of a page, told by the one before it."""

    at: datetime
    event_id: UUID


@dataclass(frozen=True, slots=True)
class Discrepancy:
    """A number of a counter that is not what the events come to."""

    tenant_uuid: UUID
    feature: str
    period: Period
    what: str
    counter: int | None
    books: int | None
