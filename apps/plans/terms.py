"""The words in which a plan says what it grants: kinds of feature, and the terms of an allowance."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import TextChoices

from apps.core.periods import Unit


class Kind(TextChoices):
    """What a grant of a feature is."""

    SWITCH = "switch", "Switch"
    CONFIG = "config", "Configuration"
    COUNT = "count", "Count"
    METERED = "metered", "Metered"
    CREDITS = "credits", "Credits"


# These are granted as a number, or as unlimited; the others as a value.
NUMBERED = frozenset({Kind.COUNT, Kind.METERED, Kind.CREDITS})
# Of these something is left over or used up when a period ends.
PERIODIC = frozenset({Kind.METERED, Kind.CREDITS})


class Aggregate(TextChoices):
    """What becomes of the amounts that are told within a period. What is counted is perpetual."""

    SUM = "sum", "Sum of the period"
    MAX = "max", "Highest of the period"
    LAST = "last", "Last of the period"
    PERPETUAL = "perpetual", "Sum since ever"


class Mode(TextChoices):
    """How tiers add up."""

    GRADUATED = "graduated", "Each tier prices the units within it"
    VOLUME = "volume", "The tier that the total reaches prices all of them"


class ResetPeriod(TextChoices):
    """When what was used is forgotten, or credits are granted anew."""

    HOUR = "hour", "Every hour"
    DAY = "day", "Every day"
    WEEK = "week", "Every week"
    MONTH = "month", "Every month"
    YEAR = "year", "Every year"
    BILLING_PERIOD = "billing_period", "Every billing period"
    NEVER = "never", "Never"


class Anchor(TextChoices):
    """Where the periods begin."""

    SUBSCRIPTION = "subscription", "When the subscription's own period began"
    CALENDAR = "calendar", "With the hour, day, week, month or year in UTC"


@dataclass(frozen=True)
class Cycle:
    """The billing cycle of a subscription: every `count` units, one of which begins at `anchor`."""

    anchor: datetime
    unit: Unit = Unit.MONTH
    count: int = 1


class Enforcement(TextChoices):
    HARD = "hard", "Refused past the limit"
    SOFT = "soft", "Allowed past the limit, and told"


class OnError(TextChoices):
    """What is answered when the question fails by itself."""

    OPEN = "open", "Allowed"
    CLOSED = "closed", "Refused"


class OnDowngrade(TextChoices):
    """What becomes of what a smaller plan does not cover; nothing is ever deleted."""

    BLOCK = "block", "Stays; nothing new"
    FREEZE = "freeze", "Stays, to be read only"
    GRACE = "grace", "Stays in use for a while"


DEFAULT_WARNING_THRESHOLDS = (80, 100)


def default_warning_thresholds() -> list[int]:
    """Per cent of the limit at which somebody is told."""
    return list(DEFAULT_WARNING_THRESHOLDS)


def amount_in_words(kind: str, limit: int | None, value: Any) -> str:
    """A grant's number or value for people: `1,000`, `unlimited`, `on`, or JSON as it is."""
    if kind in NUMBERED:
        return "unlimited" if limit is None else f"{limit:,}"
    if kind == Kind.SWITCH:
        return "on" if value else "off"
    return str(value)
