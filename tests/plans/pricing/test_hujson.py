"""JSON with comments and trailing commas, and what is told of a text that is something else."""

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apps.plans.pricing.errors import UnreadablePricing
from apps.plans.pricing.hujson import MAX_DEPTH, Node, parse, standardize

from .strategies import dressed, json_values

dressings = json_values.flatmap(lambda value: st.tuples(st.just(value), dressed(json.dumps(value))))


def refusal(source: str | bytes) -> str:
    with pytest.raises(UnreadablePricing) as refused:
        parse(source)
    return str(refused.value)


class TestWhatIsRead:
    @settings(max_examples=60)
    @given(dressings)
    def test_the_same_with_and_without_what_json_lacks(self, dressing: tuple[Any, str]) -> None:
        value, text = dressing
        assert parse(text).plain == value

    @settings(max_examples=60)
    @given(dressings)
    def test_standardized_it_is_json_and_every_value_stays_in_its_place(self, dressing: tuple[Any, str]) -> None:
        value, text = dressing
        standard = standardize(text)
        assert json.loads(standard) == value
        assert len(standard) == len(text)
        assert [line for line, each in enumerate(text) if each == "\n"] == [
            line for line, each in enumerate(standard) if each == "\n"
        ]
        assert standardize(standard) == standard

    @pytest.mark.parametrize(
        ("text", "value"),
        [
            ("/**/1", 1),
            ("/***/1/* * / */", 1),
            ("// a\n1// b\n", 1),
            ("// a \r\n1", 1),
            ('"// no /* comment */"', "// no /* comment */"),
            ('"a\\"//"', 'a"//'),
            ("[1,]", [1]),
            ("[1,/**/]", [1]),
            ("[1/**/,]", [1]),
            ('{"a":1,}', {"a": 1}),
            ("[[],{},]", [[], {}]),
            ('"\\u00e9\\ud83d\\ude00"', "é😀"),
        ],
    )
    def test_oddities(self, text: str, value: Any) -> None:
        assert parse(text).plain == value

    def test_numbers_are_exact(self) -> None:
        assert parse("0.1000000000000000055511151231257827").value == Decimal("0.1000000000000000055511151231257827")

    def test_a_value_knows_where_it_stands(self) -> None:
        members = parse('{ "a": /* x */ 5 }').value
        assert (members["a"].at, members["a"].node) == (2, Node(Decimal(5), 15, "5"))


class TestWhatIsRefused:
    @pytest.mark.parametrize(
        ("text", "told"),
        [
            ("", "line 1, column 1: parsing value: unexpected EOF"),
            (" \n // only this\n", "line 3, column 1: parsing value: unexpected EOF"),
            ("{", "line 1, column 2: parsing value: unexpected EOF"),
            ('{"a"', "line 1, column 5: parsing object after name: unexpected EOF"),
            ('{"a":', "line 1, column 6: parsing value: unexpected EOF"),
            ('{"a":1', "line 1, column 7: parsing object after value: unexpected EOF"),
            ("[1", "line 1, column 3: parsing array after value: unexpected EOF"),
            ('"abc', "line 1, column 5: parsing string: unexpected EOF"),
            ('"abc\\"', "line 1, column 7: parsing string: unexpected EOF"),
            ("/* abc", "line 1, column 1: parsing comment: unexpected EOF"),
            ("/*/ 1", "line 1, column 1: parsing comment: unexpected EOF"),
            ("1 // no end of line", "line 1, column 3: parsing comment: unexpected EOF"),
            ("1 2", "line 1, column 3: invalid character '2' after top-level value"),
            ("{1:2}", "line 1, column 2: invalid character '1' at start of object name"),
            ('{"a" 1}', "line 1, column 6: invalid character '1' after object name"),
            ('{\n\n  "a": 1\n  "b": 2}', "line 4, column 3: invalid character '\"' after object value"),
            ("[1 2]", "line 1, column 4: invalid character '2' after array value (expecting ',' or ']')"),
            ("[,]", "line 1, column 2: invalid character ',' at start of value"),
            ("[1,,]", "line 1, column 4: invalid character ',' at start of value"),
            ('{"a":1,,}', "line 1, column 8: invalid character ',' at start of value"),
            ("[1}", "line 1, column 3: invalid character '}' after array value (expecting ',' or ']')"),
            ("]", "line 1, column 1: invalid character ']' at start of value"),
            ("# 1", "line 1, column 1: invalid character '#' at start of value"),
            ("/ 1", "line 1, column 1: invalid character '/' at start of value"),
            ("{'a': 1}", "line 1, column 2: invalid character ''' at start of value"),
            ("\ufeff{}", "line 1, column 1: invalid character '\\ufeff' at start of value"),
            ("\u00a01", "line 1, column 1: invalid character '\\u00a0' at start of value"),
            ("[01]", "line 1, column 2: invalid literal: 01"),
            ("[+1]", "line 1, column 2: invalid literal: +1"),
            ("[.5]", "line 1, column 2: invalid literal: .5"),
            ("[0x1f]", "line 1, column 2: invalid literal: 0x1f"),
            ("[1e]", "line 1, column 2: invalid literal: 1e"),
            ("NaN", "line 1, column 1: invalid literal: NaN"),
            ("-Infinity", "line 1, column 1: invalid literal: -Infinity"),
            ("True", "line 1, column 1: invalid literal: True"),
            ('"\\x41"', 'line 1, column 1: invalid literal: "\\x41"'),
            ('"a\tb"', 'line 1, column 1: invalid literal: "a\tb"'),
        ],
    )
    def test_what_is_no_hujson_is_told_with_its_place(self, text: str, told: str) -> None:
        assert refusal(text).startswith(f"hujson: {told}")

    @pytest.mark.parametrize("text", ['{"a": 1, "a": 2}', '{"a": 1, "\\u0061": 2}'])
    def test_a_name_that_comes_twice(self, text: str) -> None:
        assert refusal(text) == 'hujson: line 1, column 10: duplicate object name "a"'

    @pytest.mark.parametrize("text", ['"\\u0000"', '"\\ud800"', '"\ud800"'])
    def test_text_that_nothing_can_hold(self, text: str) -> None:
        assert "it has a character that no text can have" in refusal(text)

    @pytest.mark.parametrize(
        "number", ["1e401", "-1e309", "1e-99999999999999999999", "1e9999999999999999999999", "9" * 101, "0." + "1" * 99]
    )
    def test_numbers_out_of_any_range(self, number: str) -> None:
        assert refusal(f"[{number}]").endswith("; the number is out of range")
        assert len(refusal(f"[{number}]")) < 130

    def test_a_very_long_number(self) -> None:
        assert len(refusal("1" * 1_000_000)) < 130

    @pytest.mark.parametrize("opening", ["[", '{"a":'])
    def test_nested_too_deep(self, opening: str) -> None:
        assert refusal(opening * 100_000).endswith(f": nested deeper than {MAX_DEPTH} levels")

    def test_nested_as_deep_as_can_be(self) -> None:
        parse("[" * MAX_DEPTH + "]" * MAX_DEPTH)

    @pytest.mark.parametrize(
        ("source", "told"),
        [
            (b'{"a": "\xff"}', "line 1, column 8: invalid UTF-8"),
            ("{}\n// é".encode() + b"\xc3(\n", "line 2, column 5: invalid UTF-8"),
            (b"\xed\xa0\x80", "line 1, column 1: invalid UTF-8"),
        ],
    )
    def test_bytes_that_are_no_utf_8(self, source: bytes, told: str) -> None:
        assert refusal(source) == f"hujson: {told}"

    @given(st.binary(max_size=30) | st.text('{}[]",:/*\\\n 01e-.tn', max_size=30))
    def test_whatever_comes_is_read_or_refused_with_one_problem(self, source: str | bytes) -> None:
        try:
            problems = 0 if parse(source) else 1
        except UnreadablePricing as refused:
            problems = len(refused.problems)
        assert problems <= 1
