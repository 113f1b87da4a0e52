"""Grants as people write them, and which grants a kind of feature can have. Pure."""

import json
import re
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from apps.plans.errors import UnusableGrant
from apps.plans.metadata import MAX_LIMIT
from apps.plans.resolution import Grant, Grantable, Terms
from apps.plans.terms import (
    NUMBERED,
    PERIODIC,
    Aggregate,
    Anchor,
    Enforcement,
    Kind,
    OnDowngrade,
    OnError,
    ResetPeriod,
)

NUMBER = re.compile(r"(?P<limit>[0-9]{1,19}|unlimited)(?:/(?P<period>[a-z_]+))?")
SWITCHES = {"on": True, "true": True, "off": False, "false": False}
# A single word of these is a term.
WORDS = {
    **{each: ("anchor", each) for each in Anchor.values},
    **{each: ("enforcement", each) for each in Enforcement.values},
    **{each: ("on_error", each) for each in OnError.values},
    **{each: ("on_downgrade", each) for each in OnDowngrade.values},
}
THRESHOLDS = re.compile(r"warn=(?P<several>(?:[0-9]{1,4}(?:\+[0-9]{1,4})*)?)")
ROLLOVER = re.compile(r"rollover=(?P<least>[0-9]{1,19})\.\.(?P<most>[0-9]{1,19})")
HIGHEST_THRESHOLD = 1000


def read_grant(feature: Grantable, text: str) -> Grant:
    """A grant as it is typed: `5`, `1000/month`, `unlimited`; `on` or `off` for a switch; JSON for a configuration.

    Behind it, each after a semicolon, stand the terms that are not the usual ones: `soft`,
    `calendar`, `warn=50+100` (per cent), `open`, `freeze` or `grace`, `rollover=0..500`.

    Raises:
        UnusableGrant: when the feature's kind has no such grant, or a term is none.
    """
    said, terms = _split(feature, text)
    grant = _read_number(feature, said) if feature.kind in NUMBERED else Grant(value=_read_value(feature, said))
    grant = replace(grant, terms=replace(grant.terms, **_read_terms(feature, terms)))
    refuse_unusable(feature, grant)
    return grant


def _split(feature: Grantable, text: str) -> tuple[str, list[str]]:
    """What is granted, and the terms behind it."""
    end = _end_of_json(text) if feature.kind == Kind.CONFIG else 0
    said, *terms = text[end:].split(";")
    return text[:end] + said, [each.strip() for each in terms]


def _end_of_json(text: str) -> int:
    """Where a value ends that may itself have semicolons in it; 0 where there is none."""
    try:
        return json.JSONDecoder(parse_constant=_no_json).raw_decode(text)[1]
    except (ValueError, RecursionError):
        return 0


def _read_number(feature: Grantable, text: str) -> Grant:
    found = NUMBER.fullmatch(text.strip())
    period = (found["period"] if found else None) or ResetPeriod.NEVER.value
    if found is None or period not in ResetPeriod.values:
        raise UnusableGrant(
            f"{feature.key} is {text!r}, but must be a whole number or `unlimited`, where it starts anew with the "
            f"period behind it, such as 1000/month (one of {', '.join(ResetPeriod.values)})."
        )
    limit = None if found["limit"] == "unlimited" else int(found["limit"])
    return Grant(limit=limit, terms=Terms(reset_period=period))


def _read_terms(feature: Grantable, words: Iterable[str]) -> dict[str, Any]:
    """The terms that are named, each at most once."""
    found: dict[str, Any] = {}
    for word in words:
        named = _read_term(feature, word)
        if found.keys() & named.keys():
            raise UnusableGrant(f"{feature.key} has the term {word!r} beside another that says the same or otherwise.")
        found |= named
    return found


def _read_term(feature: Grantable, word: str) -> dict[str, Any]:
    if word in WORDS:
        name, value = WORDS[word]
        return {name: value}
    if warned := THRESHOLDS.fullmatch(word):
        return {"warning_thresholds": tuple(int(each) for each in warned["several"].split("+") if each)}
    if rolled := ROLLOVER.fullmatch(word):
        return {"min_rollover": int(rolled["least"]), "max_rollover": int(rolled["most"])}
    raise UnusableGrant(
        f"{feature.key} has the term {word!r}, but there are only {', '.join(WORDS)}, warn=50+100 and rollover=0..500."
    )


def write_grant(feature: Grantable, grant: Grant) -> str:
    """A grant as `read_grant` reads it; terms that are the usual ones are left out."""
    terms, usual = grant.terms, Terms()
    words = [_write_amount(feature, grant)]
    words += [
        getattr(terms, name)
        for name in ("anchor", "enforcement", "on_error", "on_downgrade")
        if getattr(terms, name) != getattr(usual, name)
    ]
    if terms.warning_thresholds != usual.warning_thresholds:
        words.append(f"warn={'+'.join(map(str, terms.warning_thresholds))}")
    if terms.max_rollover:
        words.append(f"rollover={terms.min_rollover}..{terms.max_rollover}")
    return ";".join(words)


def terms_in_words(feature: Grantable, terms: Terms) -> str:
    """When a grant starts anew and what is unusual about it, for people: `every month · soft`; empty: nothing."""
    usual = Terms()
    words = [ResetPeriod(terms.reset_period).label.lower()] if terms.reset_period != usual.reset_period else []
    words += ["with the calendar"] if terms.anchor == Anchor.CALENDAR else []
    words += [Aggregate(feature.aggregate).label.lower()] if feature.aggregate != Aggregate.SUM else []
    words += ["soft"] if terms.enforcement == Enforcement.SOFT else []
    if terms.max_rollover:
        words.append(f"{terms.min_rollover:,} to {terms.max_rollover:,} roll over")
    if terms.warning_thresholds != usual.warning_thresholds:
        words.append(
            f"warned at {', '.join(map(str, terms.warning_thresholds))} %" if terms.warning_thresholds else "no warning"
        )
    words += ["allowed when in doubt"] if terms.on_error == OnError.OPEN else []
    words += [f"{terms.on_downgrade} on a downgrade"] if terms.on_downgrade != usual.on_downgrade else []
    return " · ".join(words)


def _write_amount(feature: Grantable, grant: Grant) -> str:
    if feature.kind == Kind.SWITCH:
        return "on" if grant.value else "off"
    if feature.kind == Kind.CONFIG:
        return json.dumps(grant.value)
    period = f"/{grant.terms.reset_period}" if grant.terms.reset_period != ResetPeriod.NEVER else ""
    return f"{'unlimited' if grant.limit is None else grant.limit}{period}"


def _read_value(feature: Grantable, text: str) -> Any:
    if feature.kind == Kind.SWITCH:
        return SWITCHES.get(text.strip().lower(), text)
    try:
        return json.loads(text, parse_constant=_no_json)
    except (ValueError, RecursionError) as error:
        raise UnusableGrant(
            f'{feature.key} is {text!r}, but must be JSON, such as 5, "large" or {{"a": 1}}.'
        ) from error


def _no_json(constant: str) -> Any:
    raise ValueError(constant)


def refuse_unusable(feature: Grantable, grant: Grant) -> None:
    """Refuse what a feature of that kind cannot be granted.

    Raises:
        UnusableGrant: naming the feature, what was granted, and what can be.
    """
    problem = _problem_of_number(feature, grant) if feature.kind in NUMBERED else _problem_of_value(feature, grant)
    if problem:
        raise UnusableGrant(f"The feature {feature.key} is of the kind {feature.kind}: {problem}.")


def _problem_of_number(feature: Grantable, grant: Grant) -> str:
    if grant.value is not None:
        return f"it is granted as a number or unlimited, not as the value {json.dumps(grant.value, default=str)}"
    return (
        _problem_of_limit(feature, grant.limit)
        or _problem_of_period(feature, grant.terms)
        or _problem_of_warnings(grant.terms)
    )


def _problem_of_limit(feature: Grantable, limit: Any) -> str:
    if limit is None:
        return "it is granted as a number, never unlimited" if feature.kind == Kind.CREDITS else ""
    # To Python, true is a whole number too.
    if not isinstance(limit, int) or isinstance(limit, bool):
        return f"{limit!r} is not a whole number"
    return "" if 0 <= limit <= MAX_LIMIT else f"{limit} is not a number from 0 to {MAX_LIMIT}"


def _problem_of_period(feature: Grantable, terms: Terms) -> str:
    rolls_over = terms.min_rollover or terms.max_rollover
    if rolls_over and feature.kind != Kind.CREDITS:
        return "only credits roll over"
    if not 0 <= terms.min_rollover <= terms.max_rollover <= MAX_LIMIT:
        return f"{terms.min_rollover} cannot roll over at least, and {terms.max_rollover} at most"
    if terms.reset_period == ResetPeriod.NEVER:
        return (
            "what never starts anew has no period to begin with the calendar or to roll over"
            if (rolls_over or terms.anchor != Anchor.SUBSCRIPTION)
            else ""
        )
    if feature.kind not in PERIODIC:
        return f"what exists does not start anew with every {terms.reset_period}"
    if feature.aggregate == Aggregate.PERPETUAL:
        return f"what is summed up since ever does not start anew with every {terms.reset_period}"
    return ""


def _problem_of_warnings(terms: Terms) -> str:
    thresholds = terms.warning_thresholds
    if all(1 <= each <= HIGHEST_THRESHOLD for each in thresholds) and list(thresholds) == sorted({*thresholds}):
        return ""
    return f"warnings are given at rising per cents from 1 to {HIGHEST_THRESHOLD}, not at {thresholds}"


def _problem_of_value(feature: Grantable, grant: Grant) -> str:
    if grant.limit is not None:
        return f"it has a value, not the limit {grant.limit}"
    if feature.kind == Kind.SWITCH and not isinstance(grant.value, bool):
        return f"{grant.value!r} is neither on nor off"
    if grant.value is None:
        return "it needs a value, such as 5 or a text in quotation marks"
    if not _can_be_kept(grant.value):
        return "it has a value that cannot be kept: a zero byte, half a character, infinity, or what is not JSON"
    # What is answered when the question fails, and what becomes of it with a smaller plan, concerns every kind.
    others = replace(grant.terms, on_error=OnError.CLOSED.value, on_downgrade=OnDowngrade.BLOCK.value)
    return "" if others == Terms() else "a value does not start anew, and has no limit to warn of or to pass"


def _can_be_kept(value: Any) -> bool:
    """PostgreSQL takes less than Python does for JSON."""
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False)
        text.encode()
    except (ValueError, TypeError, RecursionError):
        return False
    # A backslash that is one is doubled.
    return "\\u0000" not in text.replace("\\\\", "")
