"""Objects of a HuJSON text read member by member; what is wrong is collected, so that all of it is told at once. Pure.

`null` says nothing, as if the member were not there: so Tier reads it.
"""

import json
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from enum import Enum
from typing import Any, TypeVar

from apps.plans.pricing.errors import MalformedRef, Problem, UnreadablePricing
from apps.plans.pricing.hujson import Node, position
from apps.plans.pricing.types import UNLIMITED

MAX_INTEGER = 2**63 - 1
# Of minor units: more than any payment provider takes.
TOO_MUCH = 10**15
MOST_PROBLEMS = 100
Word = TypeVar("Word", bound=Enum)
Ref = TypeVar("Ref")


@dataclass
class Report:
    """What is wrong with a text, by offset."""

    text: str
    problems: list[tuple[int, str, str]] = field(default_factory=list)

    def refuse_if_any(self) -> None:
        """Refuse the text when anything is wrong, in the order of the text.

        Raises:
            UnreadablePricing: with every problem, or the first hundred.
        """
        if self.problems:
            found = sorted(self.problems, key=lambda problem: problem[0])[:MOST_PROBLEMS]
            raise UnreadablePricing([Problem(path, what, *position(self.text, at)) for at, path, what in found])


@dataclass(frozen=True)
class Place:
    """Somewhere in the document: its path as Tier writes it, and the offset."""

    report: Report
    path: str
    at: int

    def refuse(self, message: str) -> None:
        """Note what is wrong here, and go on."""
        self.report.problems.append((self.at, self.path, message))

    def member(self, name: str, at: int) -> "Place":
        """A named member, such as `plans`."""
        return Place(self.report, f"{self.path}.{name}" if self.path else name, at)

    def entry(self, key: str, at: int) -> "Place":
        """A member whose name is data, such as `plans["plan:pro@3"]`."""
        return Place(self.report, f"{self.path}[{json.dumps(key, ensure_ascii=False)}]", at)

    def item(self, number: int, at: int) -> "Place":
        """An item of a list, counted from 0."""
        return Place(self.report, f"{self.path}[{number}]", at)


class Fields:
    """The members of one object. A member that is not known is refused at once."""

    def __init__(self, node: Node, place: Place, known: Collection[str]) -> None:
        self.place = place
        members = _members(node, place)
        for name in members.keys() - known:
            Place(place.report, place.path, members[name].at).refuse(f"unknown field {_quoted(name)}")
        self._nodes = {name: each.node for name, each in members.items() if each.node.value is not None}

    def __contains__(self, name: str) -> bool:
        return name in self._nodes

    def names(self) -> frozenset[str]:
        """The members that say something."""
        return frozenset(self._nodes)

    def is_empty(self, name: str) -> bool:
        """Whether a member is absent or has nothing in it."""
        return name not in self or not self._nodes[name].value

    def place_of(self, name: str) -> Place:
        """Where a member stands, or the object when it is not there."""
        return self.place.member(name, self._nodes[name].at) if name in self else self.place

    def text(self, name: str, default: str = "") -> str:
        """A text; empty is the same as absent."""
        return self._of_type(name, str, "a text") or default

    def flag(self, name: str) -> bool:
        """True or false; absent is false."""
        return bool(self._of_type(name, bool, "true or false"))

    def word(self, name: str, words: type[Word], default: Word) -> Word:
        """One of some words; empty is the same as absent."""
        told = self.text(name, default.value)
        if told in {each.value for each in words}:
            return words(told)
        self.place.refuse(f"unknown {name}: {_quoted(told)}")
        return default

    def amount(self, name: str) -> Decimal:
        """Minor units of money; absent is 0."""
        number = self._of_type(name, Decimal, "a number") or Decimal(0)
        if abs(number) < TOO_MUCH:
            return without_zeros(number)
        self.place_of(name).refuse(f"must be less than {TOO_MUCH}")
        return Decimal(0)

    def integer(self, name: str) -> int | None:
        """A whole number, however it is written; None when it is absent."""
        return _integer(self._nodes[name].value, self.place_of(name)) if name in self else None

    def limit(self, name: str) -> int | None:
        """A whole number from 0 on, or None for `unlimited`."""
        told = self._nodes[name].value
        if told == UNLIMITED:
            return None
        limit = _integer(told, self.place_of(name), f"an integer or {_quoted(UNLIMITED)}")
        if limit is not None and limit < 0:
            self.place_of(name).refuse("must not be negative")
        return limit

    def plain(self, name: str) -> Any:
        """Any JSON; None when it is absent."""
        return self._nodes[name].plain if name in self else None

    def nested(self, name: str, known: Collection[str]) -> "Fields":
        """An object; absent is the same as empty."""
        return Fields(self._nodes.get(name, Node(None, self.place.at)), self.place_of(name), known)

    def items(self, name: str) -> Iterator[tuple[Node, Place]]:
        """The items of a list; absent is the same as empty."""
        for number, node in enumerate(self._of_type(name, list, "a list") or ()):
            yield node, self.place_of(name).item(number, node.at)

    def entries(self, name: str) -> Iterator[tuple[str, Node, Place]]:
        """The members of an object whose names are data."""
        if name not in self:
            return
        place = self.place_of(name)
        for key, member in _members(self._nodes[name], place).items():
            yield key, member.node, place.entry(key, member.at)

    def refs(self, name: str, parse: Callable[[str], Ref]) -> Iterator[tuple[Ref, Node, Place]]:
        """The members of an object that are named by references; a malformed one is refused and left out."""
        for key, node, place in self.entries(name):
            try:
                yield parse(key), node, place
            except MalformedRef as error:
                place.refuse(error.message)

    def ref(self, name: str, parse: Callable[[str], Ref]) -> Ref | None:
        """A reference; None when it is absent or malformed."""
        told = self.text(name)
        try:
            return parse(told) if told else None
        except MalformedRef as error:
            self.place_of(name).refuse(str(error))
        return None

    def _of_type(self, name: str, wanted: type[Any], words: str) -> Any:
        told = self._nodes[name].value if name in self else None
        if told is None or isinstance(told, wanted):
            return told
        self.place_of(name).refuse(f"must be {words}, not {_named(told)}")
        return None


def without_zeros(number: Decimal) -> Decimal:
    """The same number without zeros at the end of its fraction, and without a sign on zero."""
    sign, digits, exponent = number.as_tuple()
    kept, places = list(digits), int(exponent)
    while places < 0 and kept[-1] == 0 and len(kept) > 1:
        kept.pop()
        places += 1
    return Decimal((sign, kept, places)) if any(kept) else Decimal(0)


def integers(fields: Fields, name: str) -> tuple[int, ...]:
    """A list of whole numbers; what is none is refused and left out."""
    found = (_integer(node.value, place) for node, place in fields.items(name))
    return tuple(number for number in found if number is not None)


def _integer(told: Any, place: Place, words: str = "an integer") -> int | None:
    # Compared first: nobody wants the digits of 1e300.
    if isinstance(told, Decimal) and abs(told) > MAX_INTEGER:
        place.refuse(f"must be at most {MAX_INTEGER}")
    elif isinstance(told, Decimal) and told == int(told):
        return int(told)
    else:
        place.refuse(f"must be {words}, not {_named(told)}")
    return None


def _members(node: Node, place: Place) -> Any:
    if node.value is None or isinstance(node.value, dict):
        return node.value or {}
    place.refuse(f"must be an object, not {_named(node.value)}")
    return {}


def _named(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Decimal):
        return str(value)
    names = {str: "a text", list: "a list", dict: "an object", type(None): "null"}
    return names[type(value)]


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
