"""Which request goes to which handler."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from apps.sandbox import errors
from apps.sandbox.contract import Body
from apps.sandbox.store import Transaction


@dataclass(frozen=True)
class Call:
    """A checked request inside its transaction: `params` converted to their types, `ids` from the path."""

    tx: Transaction
    params: Body
    ids: tuple[str, ...]

    @property
    def id(self) -> str:
        """The id that the path names."""
        return self.ids[0]


Handler = Callable[[Call], Body]


@dataclass(frozen=True)
class Route:
    """One route of the API.

    `params` names the TypedDict in `stripe.params` that describes the request; `simulates` the parameters that the
    handler acts on, `accepts` those that are right to send and change nothing here. Any other one that Stripe knows
    is refused with a sentence.
    """

    method: str
    path: str
    params: str
    handler: Handler
    simulates: frozenset[str] = frozenset()
    accepts: frozenset[str] = frozenset()
    pattern: re.Pattern[str] = field(init=False)

    def __post_init__(self) -> None:
        pattern = re.compile(self.path.replace("{id}", r"([^/]+)"))
        object.__setattr__(self, "pattern", pattern)

    def check_simulated(self, params: Body) -> None:
        """Raise ApiError for a parameter that would be ignored without a word."""
        for name in params:
            if name not in self.simulates | self.accepts | {"expand"}:
                raise errors.not_simulated(name)


def route(method: str, path: str, params: str, handler: Handler, *, simulates: str = "", accepts: str = "") -> Route:
    """Return a Route; `simulates` and `accepts` are names with spaces between them."""
    return Route(method, path, params, handler, frozenset(simulates.split()), frozenset(accepts.split()))


CURSORS = "limit starting_after ending_before"
PAGE = f"{CURSORS} created"


class Router:
    """All routes; the first that fits is taken."""

    def __init__(self, routes: Sequence[Route]) -> None:
        self._routes = tuple(routes)

    def resolve(self, *, method: str, path: str) -> tuple[Route, tuple[str, ...]]:
        """Return the route and the ids in the path; raises Stripe's 404 for an unknown one."""
        for each in self._routes:
            match = each.pattern.fullmatch(path) if each.method == method else None
            if match:
                return each, match.groups()
        raise errors.unknown_route(method=method, path=path)
