"""Trees of JSON values, and their text as Go writes it, which Tier is written in. Pure."""

import json
import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from apps.plans.pricing.fields import without_zeros
from apps.plans.pricing.types import Divide, Rate, Tier

INDENT = "  "
# Escaped also where JSON need not, so that the text can stand inside HTML and in a script.
SPECIAL = re.compile('["\\\\\x00-\x1f<>&\u2028\u2029]')
SHORT = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"}
# Below it a number is written with an exponent.
SMALL = Decimal("1e-6")


def without_empty(**members: Any) -> dict[str, Any]:
    """The members that say something: neither nothing, nor zero, nor empty."""
    return {name: value for name, value in members.items() if value}


def rate_tree(rate: Rate) -> dict[str, Any]:
    """What a feature costs."""
    tiers = [_tier(tier) for tier in rate.tiers]
    return without_empty(base=rate.base, tiers=tiers, divide=rate.divide and _divide(rate.divide))


def text_of(tree: Any, depth: int = 0) -> str:
    """A tree of JSON values, in which numbers may be Decimal, as text."""
    if isinstance(tree, Mapping):
        return _lines("{", [f"{quoted(name)}: {text_of(each, depth + 1)}" for name, each in tree.items()], "}", depth)
    if isinstance(tree, list | tuple):
        return _lines("[", [text_of(each, depth + 1) for each in tree], "]", depth)
    if isinstance(tree, Decimal):
        return _number(tree)
    return quoted(tree) if isinstance(tree, str) else json.dumps(tree)


def quoted(text: str) -> str:
    """A text as JSON."""
    return '"' + SPECIAL.sub(lambda found: SHORT.get(found[0]) or f"\\u{ord(found[0]):04x}", text) + '"'


def _tier(tier: Tier) -> dict[str, Any]:
    return without_empty(upto=tier.upto, price=tier.price, base=tier.base)


def _divide(divide: Divide) -> dict[str, Any]:
    return without_empty(by=divide.by, rounding="up" if divide.round_up else None)


def _lines(opening: str, members: list[str], closing: str, depth: int) -> str:
    if not members:
        return opening + closing
    inner, outer = "\n" + INDENT * (depth + 1), "\n" + INDENT * depth
    return opening + inner + f",{inner}".join(members) + outer + closing


def _number(number: Decimal) -> str:
    plain = without_zeros(number)
    if plain == 0 or abs(plain) >= SMALL:
        return f"{plain:f}"
    sign, digits, _ = plain.as_tuple()
    first, rest = digits[0], "".join(map(str, digits[1:]))
    return f"{'-' * sign}{first}{'.' + rest if rest else ''}e{plain.adjusted()}"
