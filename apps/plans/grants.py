"""Grants as people write them, and which grants a kind of feature can have. Pure."""

import json
import re
from typing import Any

from apps.plans.errors import UnusableGrant
from apps.plans.metadata import MAX_LIMIT
from apps.plans.resolution import Grant, Grantable, Terms
from apps.plans.terms import NUMBERED, PERIODIC, Kind, ResetPeriod

NUMBER = re.compile(r"(?P<limit>[0-9]{1,19}|unlimited)(?:/(?P<period>[a-z_]+))?")
SWITCHES = {"on": True, "true": True, "off": False, "false": False}


def read_grant(feature: Grantable, text: str) -> Grant:
    """A grant as it is typed: `5`, `1000/month`, `unlimited`; `on` or `off` for a switch; JSON for a configuration.

    Raises:
        UnusableGrant: when the feature's kind has no such grant.
    """
    grant = _read_number(feature, text) if feature.kind in NUMBERED else Grant(value=_read_value(feature, text))
    refuse_unusable(feature, grant)
    return grant


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


def _read_value(feature: Grantable, text: str) -> Any:
    if feature.kind == Kind.SWITCH:
        return SWITCHES.get(text.strip().lower(), text)
    try:
        return json.loads(text, parse_constant=_no_json)
    except ValueError as error:
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
        return f"it is granted as a number or unlimited, not as the value {json.dumps(grant.value)}"
    if grant.limit is None:
        return "it is granted as a number, never unlimited" if feature.kind == Kind.CREDITS else ""
    if not 0 <= grant.limit <= MAX_LIMIT:
        return f"{grant.limit} is not a number from 0 to {MAX_LIMIT}"
    if grant.terms.reset_period != ResetPeriod.NEVER and feature.kind not in PERIODIC:
        return f"what exists does not start anew with every {grant.terms.reset_period}"
    return ""


def _problem_of_value(feature: Grantable, grant: Grant) -> str:
    if grant.limit is not None:
        return f"it has a value, not the limit {grant.limit}"
    if feature.kind == Kind.SWITCH and not isinstance(grant.value, bool):
        return f"{grant.value!r} is neither on nor off"
    if grant.value is None:
        return "it needs a value, such as 5 or a text in quotation marks"
    return "" if grant.terms.reset_period == ResetPeriod.NEVER else "a value does not start anew"
