"""Reading JSON bodies."""

import json
from typing import Any

from django.http import HttpRequest
from ninja.parser import Parser

from apps.api.errors import BadRequest


class StrictParser(Parser):
    """JSON as RFC 8259 has it: no NaN, no name twice."""

    def parse_body(self, request: HttpRequest) -> dict[str, Any]:
        try:
            found: dict[str, Any] = json.loads(
                request.body, object_pairs_hook=_without_repetition, parse_constant=_refuse_constant
            )
        except (ValueError, RecursionError) as error:
            raise BadRequest(f"The body is not JSON: {error}.") from error
        return found


def _without_repetition(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise BadRequest(f"A name stands twice in the body: {', '.join(name for name, _ in pairs)[:200]}.")
    return found


def _refuse_constant(name: str) -> None:
    raise BadRequest(f"The body holds {name}, which is not JSON.")
