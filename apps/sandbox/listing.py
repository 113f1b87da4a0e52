"""Pages of a list. Contract: docs.stripe.com/api/pagination (`limit` 1 to 100, newest first, two cursors)."""

import json
from collections.abc import Sequence
from typing import NamedTuple

from apps.sandbox import errors
from apps.sandbox.contract import Body
from apps.sandbox.errors import ApiError
from apps.sandbox.render import render
from apps.sandbox.store import Transaction


class Filter(NamedTuple):
    """A condition in SQL on a row of `object`, with its values."""

    sql: str
    values: tuple[object, ...] = ()


def equals(path: str, value: object) -> Filter:
    """The field at the JSON path is `value`."""
    return Filter(f"json_extract(body, '$.{path}') = ?", (value,))


def among(path: str, values: Sequence[object]) -> Filter:
    """The field at the JSON path is one of `values`; nothing is among none."""
    return Filter(f"json_extract(body, '$.{path}') IN ({', '.join('?' * len(values))})", tuple(values))


def without(path: str) -> Filter:
    """Nothing, or null, is at the JSON path."""
    return Filter(f"json_extract(body, '$.{path}') IS NULL")


def given(params: Body, **paths: str) -> list[Filter]:
    """Return `equals` for each parameter that was sent; the keywords say which JSON path it is about."""
    return [equals(path, params[name]) for name, path in paths.items() if name in params]


def on_clock(test_clock: str | None) -> Filter:
    """The object is on that test clock, or on none."""
    return Filter("json_extract(body, '$.test_clock') IS ?", (test_clock,))


def created(params: Body) -> list[Filter]:
    """Return the bounds of `created`: a moment, or a range of gt, gte, lt, lte (Unix seconds)."""
    bound = params.get("created")
    if bound is None:
        return []
    if isinstance(bound, int):
        return [Filter("created = ?", (bound,))]
    return [Filter(f"created {_SIGNS[name]} ?", (moment,)) for name, moment in bound.items()]


_SIGNS = {"gt": ">", "gte": ">=", "lt": "<", "lte": "<="}


def page(
    tx: Transaction, *, kind: str, url: str, params: Body, filters: Sequence[Filter] = (), oldest_first: bool = False
) -> Body:
    """Return one page of the objects of `kind` that pass all filters."""
    limit = _limit(params)
    backwards = "ending_before" in params
    ascending = backwards != oldest_first
    conditions = [Filter("kind = ?", (kind,)), Filter("deleted = 0"), *filters]
    conditions += _cursor(tx, kind=kind, params=params, sign=">" if ascending else "<")
    query = f"""
        SELECT body FROM object WHERE {" AND ".join(each.sql for each in conditions)}
        ORDER BY seq {"ASC" if ascending else "DESC"} LIMIT {limit + 1}
    """
    found = [row[0] for row in tx.rows(query, [value for each in conditions for value in each.values])]
    shown = found[:limit][::-1] if backwards else found[:limit]
    data = [render(tx, json.loads(body)) for body in shown]
    return {"object": "list", "data": data, "has_more": len(found) > limit, "url": url}


def page_of(found: Sequence[Body], *, url: str, params: Body) -> Body:
    """Return one page of what was worked out and is kept nowhere; the cursors are ids among it."""
    limit, ids = _limit(params), [each["id"] for each in found]
    for name in ("starting_after", "ending_before"):
        if name in params and params[name] not in ids:
            raise errors.no_such(kind="cursor", id=params[name], param=name)
    if "ending_before" in params:
        before = found[: ids.index(params["ending_before"])]
        return {"object": "list", "data": before[-limit:], "has_more": len(before) > limit, "url": url}
    rest = found[ids.index(params["starting_after"]) + 1 :] if "starting_after" in params else found
    return {"object": "list", "data": rest[:limit], "has_more": len(rest) > limit, "url": url}


def _limit(params: Body) -> int:
    limit: int = params.get("limit", 10)
    if limit > 100:
        message = f"This value must be less than or equal to 100 (it currently is '{limit}')."
        raise ApiError(message, code="parameter_invalid_integer", param="limit")
    if limit < 1:
        message = f"This value must be greater than or equal to 1 (it currently is '{limit}')."
        raise ApiError(message, code="parameter_invalid_integer", param="limit")
    return limit


def _cursor(tx: Transaction, *, kind: str, params: Body, sign: str) -> list[Filter]:
    names = [name for name in ("starting_after", "ending_before") if name in params]
    if len(names) == 2:
        raise errors.exclusive(first=names[0], second=names[1])
    for name in names:
        query = "SELECT seq FROM object WHERE id = ? AND kind = ?"
        row = next(iter(tx.rows(query, (params[name], kind))), None)
        if row is None:
            raise errors.no_such(kind=kind, id=params[name], param=name)
        return [Filter(f"seq {sign} ?", (row[0],))]
    return []
