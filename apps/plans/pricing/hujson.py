"""HuJSON, that is JSON with comments and trailing commas, and where in the text each value stands. Pure.

Stricter than JSON where leniency would lose something: a name that comes twice, text that
is no UTF-8 or that no database can hold, and numbers out of any range are refused. The
messages begin as those of the library that Tier reads HuJSON with.
"""

import json
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, NoReturn

from apps.plans.pricing.errors import Problem, UnreadablePricing

MAX_DEPTH = 100
# More digits than any amount, count or configuration needs; arithmetic on them stays cheap.
MAX_NUMBER_LENGTH = 100
MAX_EXPONENT = 400

SPACE = re.compile(r"[ \t\r\n]*")
COMMENT = re.compile(r"//[^\n]*\n|/\*.*?\*/", re.DOTALL)
STRING = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)
WORD = re.compile(r"[-+.A-Za-z0-9]*")
NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?")
UNPAIRED_SURROGATE = re.compile(r"[\ud800-\udfff]")
CONSTANTS: Mapping[str, Any] = {"null": None, "true": True, "false": False}
UNEXPECTED_END = "unexpected EOF"


@dataclass(frozen=True)
class Node:
    """One value and the offset at which it begins.

    `value` is None, a bool, a str, a Decimal, a list of nodes, or a dict of members by name.
    `literal` is how a number is written.
    """

    value: Any
    at: int
    literal: str = ""

    @property
    def plain(self) -> Any:
        """The value as `json.loads` gives it: numbers as int or float."""
        if isinstance(self.value, dict):
            return {name: member.node.plain for name, member in self.value.items()}
        if isinstance(self.value, list):
            return [node.plain for node in self.value]
        return json.loads(self.literal) if self.literal else self.value


@dataclass(frozen=True)
class Member:
    """One member of an object, and the offset at which its name begins."""

    node: Node
    at: int


def parse(source: str | bytes) -> Node:
    """The one value that a HuJSON text holds.

    Raises:
        UnreadablePricing: with one problem, and where it is.
    """
    return _Parser(decode(source)).document()


def standardize(source: str | bytes) -> str:
    """The text as plain JSON: comments and trailing commas are blanked, every value stays in its line and column.

    Raises:
        UnreadablePricing: with one problem, and where it is.
    """
    parser = _Parser(decode(source))
    parser.document()
    characters = list(parser.text)
    for start, end in parser.surplus:
        characters[start:end] = [each if each in "\r\n" else " " for each in characters[start:end]]
    return "".join(characters)


def decode(source: str | bytes) -> str:
    """The text of a file.

    Raises:
        UnreadablePricing: when it is no UTF-8.
    """
    if isinstance(source, str):
        return source
    try:
        return source.decode()
    except UnicodeDecodeError as error:
        before = source[: error.start].decode()
        raise _unreadable(before, len(before), "invalid UTF-8") from error


def position(text: str, at: int) -> tuple[int, int]:
    """The line and column of an offset, counted from 1, in characters."""
    return text.count("\n", 0, at) + 1, at - text.rfind("\n", 0, at)


def _unreadable(text: str, at: int, message: str) -> UnreadablePricing:
    line, column = position(text, at)
    return UnreadablePricing([Problem("", f"hujson: line {line}, column {column}: {message}", line, column)])


class _Parser:
    """Walks through a text once. `surplus` collects the spans that plain JSON has no place for."""

    def __init__(self, text: str) -> None:
        self.text, self.at, self.depth = text, 0, 0
        self.surplus: list[tuple[int, int]] = []

    def document(self) -> Node:
        self._skip()
        node = self._value()
        if self.at < len(self.text):
            self._refuse_character("after top-level value")
        return node

    def _value(self) -> Node:
        start = self.at
        value = self._value_at_hand()
        node = Node(value, start, self.text[start : self.at] if isinstance(value, Decimal) else "")
        self._skip()
        return node

    def _value_at_hand(self) -> Any:
        if self.at == len(self.text):
            self._refuse(f"parsing value: {UNEXPECTED_END}")
        match self._peek():
            case "{":
                return self._nested(self._object)
            case "[":
                return self._nested(self._array)
            case '"':
                return self._string()
        return self._word()

    def _nested(self, read: Callable[[], Any]) -> Any:
        if self.depth == MAX_DEPTH:
            self._refuse(f"nested deeper than {MAX_DEPTH} levels")
        self.depth += 1
        self.at += 1
        self._skip()
        found = read()
        self.depth -= 1
        self.at += 1
        return found

    def _object(self) -> dict[str, Member]:
        members: dict[str, Member] = {}
        while self._peek() != "}":
            start, name = self.at, self._name()
            if name in members:
                self._refuse(f"duplicate object name {json.dumps(name, ensure_ascii=False)}", at=start)
            self._colon()
            members[name] = Member(self._value(), start)
            self._comma("object", "}")
        return members

    def _name(self) -> str:
        node = self._value()
        if not isinstance(node.value, str):
            self._refuse_character("at start of object name", at=node.at)
        return node.value

    def _colon(self) -> None:
        if not self._peek():
            self._refuse(f"parsing object after name: {UNEXPECTED_END}")
        if self._peek() != ":":
            self._refuse_character("after object name")
        self.at += 1
        self._skip()

    def _array(self) -> list[Node]:
        nodes: list[Node] = []
        while self._peek() != "]":
            nodes.append(self._value())
            self._comma("array", "]")
        return nodes

    def _comma(self, what: str, closing: str) -> None:
        if not self._peek():
            self._refuse(f"parsing {what} after value: {UNEXPECTED_END}")
        if self._peek() == closing:
            return
        if self._peek() != ",":
            self._refuse_character(f"after {what} value (expecting ',' or '{closing}')")
        comma = self.at
        self.at += 1
        self._skip()
        if self._peek() == closing:
            self.surplus.append((comma, comma + 1))

    def _string(self) -> str:
        found = STRING.match(self.text, self.at)
        if not found:
            self._refuse(f"parsing string: {UNEXPECTED_END}", at=len(self.text))
        try:
            text = str(json.loads(found[0]))
        except ValueError:
            self._refuse_literal(found[0])
        if "\x00" in text or UNPAIRED_SURROGATE.search(text):
            self._refuse_literal(found[0], "; it has a character that no text can have")
        self.at = found.end()
        return text

    def _word(self) -> Any:
        word = self._match(WORD)
        if not word:
            self._refuse_character("at start of value")
        if word not in CONSTANTS and not NUMBER.fullmatch(word):
            self._refuse_literal(word)
        value = CONSTANTS[word] if word in CONSTANTS else self._number(word)
        self.at += len(word)
        return value

    def _number(self, word: str) -> Decimal:
        exponent = word.lower().partition("e")[2] or "0"
        if len(word) > MAX_NUMBER_LENGTH or abs(int(exponent)) > MAX_EXPONENT or math.isinf(float(word)):
            self._refuse_literal(word, "; the number is out of range")
        return Decimal(word)

    def _skip(self) -> None:
        self.at += len(self._match(SPACE))
        while self.text.startswith(("//", "/*"), self.at):
            comment = self._match(COMMENT)
            if not comment:
                self._refuse(f"parsing comment: {UNEXPECTED_END}")
            self.surplus.append((self.at, self.at + len(comment)))
            self.at += len(comment)
            self.at += len(self._match(SPACE))

    def _peek(self) -> str:
        return self.text[self.at : self.at + 1]

    def _match(self, pattern: re.Pattern[str]) -> str:
        found = pattern.match(self.text, self.at)
        return found[0] if found else ""

    def _refuse_character(self, where: str, *, at: int | None = None) -> NoReturn:
        at = self.at if at is None else at
        self._refuse(f"invalid character {_shown(self.text[at])} {where}", at=at)

    def _refuse_literal(self, literal: str, why: str = "") -> NoReturn:
        shown = literal if len(literal) <= 40 else literal[:39] + "…"
        self._refuse(f"invalid literal: {shown.encode(errors='backslashreplace').decode()}{why}")

    def _refuse(self, message: str, *, at: int | None = None) -> NoReturn:
        raise _unreadable(self.text, self.at if at is None else at, message)


def _shown(character: str) -> str:
    if character.isprintable():
        return f"'{character}'"
    return f"'\\u{ord(character):04x}'" if ord(character) <= 0xFFFF else f"'\\U{ord(character):08x}'"
