"""What can be booked at all: moments, amounts, keys and properties."""

import json
import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from apps.core.keys import RESERVED, is_usable
from apps.usage.errors import (
    OutsidePeriod,
    TooFarAhead,
    TooOld,
    UnusableAmount,
    UnusableKey,
    UnusableMoment,
    UnusableProperties,
)
from apps.usage.models import KEY_MAX_LENGTH
from apps.usage.types import Slot

# A month, and some days to send in what happened in it.
OLDEST = timedelta(days=35)
# As much as the clocks of two machines may differ.
FURTHEST_AHEAD = timedelta(minutes=5)
# As JSON writes it, but not the same characters behind a backslash that stands for itself.
_ZERO = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")
# Thousands of these still fit into a counter.
MOST = 10**15


def refuse_far(at: datetime, now: datetime) -> None:
    """Raise unless what was used at a moment can be booked now. To be asked before the period of `at` is.

    Raises:
        UnusableMoment: when `at` is no moment, or one without a time zone.
        TooOld, TooFarAhead: when it is more than 35 days ago, or 5 minutes ahead.
    """
    if not isinstance(at, datetime) or at.utcoffset() is None:
        raise UnusableMoment(f"{at!r} is no moment with a time zone. Say in which zone it is, as in +00:00.")
    if at > now + FURTHEST_AHEAD:
        raise TooFarAhead(f"{at.isoformat()} is more than 5 minutes ahead of now. Send it when it has happened.")
    if at < now - OLDEST:
        raise TooOld(f"{at.isoformat()} is more than {OLDEST.days} days ago; what is older is not booked any more.")


def refuse_moment(slot: Slot, at: datetime, now: datetime) -> None:
    """Raise unless what was used at a moment can be booked now, in this slot."""
    refuse_far(at, now)
    if at not in slot.period:
        start, end = slot.period.start.isoformat(), slot.period.end.isoformat()
        raise OutsidePeriod(f"{at.isoformat()} is not within the period of {slot.feature} from {start} to {end}.")


def refuse_amount(amount: int, *, least: int = 1) -> None:
    """Raise unless so many units can be booked at once."""
    if not least <= amount <= MOST:
        raise UnusableAmount(f"The amount is {amount}, but must be a whole number from {least} to {MOST:,}.")


def refuse_key(key: str | None) -> None:
    """Raise unless the idempotency key can be kept; None is none."""
    if key is not None and not (is_usable(key) and len(key) <= KEY_MAX_LENGTH):
        raise UnusableKey(
            f"The idempotency key {key[:40]!r} has {len(key)} characters, but must be text of 1 to {KEY_MAX_LENGTH} "
            f"that does not begin with {RESERVED!r}."
        )


def as_json(properties: Mapping[str, Any] | None) -> str:
    """The properties as PostgreSQL keeps them.

    Raises:
        UnusableProperties: when it could not.
    """
    if properties is None:
        return "{}"
    if not isinstance(properties, Mapping):
        raise UnusableProperties(f"The properties are a {type(properties).__name__}, but must be an object.")
    try:
        text = json.dumps(dict(properties), ensure_ascii=False, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise UnusableProperties(f"The properties are not JSON: {error}.") from error
    if _ZERO.search(text) or not _is_unicode(text):
        raise UnusableProperties("The properties contain text that cannot be kept: a zero byte or half a character.")
    return text


def _is_unicode(text: str) -> bool:
    """Half of a surrogate pair is a character to Python, to PostgreSQL it is none."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
