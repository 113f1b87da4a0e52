"""How numbers, values and moments are written on the pages: pure."""

from datetime import datetime, timedelta
from typing import Any

MINUS = "\N{MINUS SIGN}"
STEPS = (("day", timedelta(days=1)), ("hour", timedelta(hours=1)), ("minute", timedelta(minutes=1)))
# Beyond this nobody counts days.
FAR = timedelta(days=730)


def grouped(value: int) -> str:
    """A whole number with its thousands set apart."""
    return f"{value:,}".replace("-", MINUS)


def signed(value: int) -> str:
    """A change: `+1,000`, `−3`, or 0."""
    return f"{value:+,}".replace("-", MINUS) if value else "0"


def counted(number: int, one: str, several: str) -> str:
    """`1 day`, `11 days`; without words the number alone."""
    word = one if abs(number) == 1 else several
    return f"{grouped(number)} {word}" if word else grouped(number)


def relative(moment: datetime, now: datetime) -> str:
    """How far away a moment is: `in 11 days`, `3 hours ago`, `now`."""
    distance = abs(moment - now)
    if distance > FAR:
        said = counted(distance // timedelta(days=365), "year", "years")
    else:
        said = _in_its_largest_unit(distance)
    if not said:
        return "now"
    return f"in {said}" if moment > now else f"{said} ago"


def _in_its_largest_unit(distance: timedelta) -> str:
    for unit, length in STEPS:
        if distance >= length:
            return counted(distance // length, unit, f"{unit}s")
    return ""


def value_in_words(value: Any) -> str:
    """A configuration's value for people: lists and objects without their brackets."""
    if value in (None, "", [], {}):
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return grouped(value)
    if isinstance(value, list):
        return ", ".join(value_in_words(each) for each in value)
    if isinstance(value, dict):
        return ", ".join(f"{key}: {value_in_words(each)}" for key, each in value.items())
    return str(value)
