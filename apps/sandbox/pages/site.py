"""Which page a browser gets."""

import re
from collections.abc import Callable
from typing import Final
from urllib.parse import parse_qs

from apps.sandbox.api import Request
from apps.sandbox.control import Sandbox
from apps.sandbox.errors import ApiError
from apps.sandbox.pages import checkout, home, portal
from apps.sandbox.pages.layout import Page, Visit, document, link, tag

Handler = Callable[[Sandbox, Visit], Page]

_ROUTES: Final[list[tuple[str, str, Handler]]] = [
    ("GET", "/()", lambda sandbox, visit: home.show(sandbox.store)),
    ("GET", "/objects()", lambda sandbox, visit: home.list_kind(sandbox.store, visit)),
    ("GET", "/objects/([^/]+)", lambda sandbox, visit: home.show_object(sandbox.store, visit)),
    ("POST", "/actions/([^/]+)", lambda sandbox, visit: home.act(sandbox.store, sandbox.deliverer, visit)),
    ("GET", "/c/pay/([^/]+)", lambda sandbox, visit: checkout.show(sandbox.store, visit)),
    ("POST", "/c/pay/([^/]+)", lambda sandbox, visit: checkout.submit(sandbox.store, visit)),
    ("GET", "/p/session/([^/]+)", lambda sandbox, visit: portal.show(sandbox.store, visit)),
    ("POST", "/p/session/([^/]+)", lambda sandbox, visit: portal.submit(sandbox.store, visit)),
]


def answer(sandbox: Sandbox, request: Request) -> Page | None:
    """Return the page, or None where the path is none of a page's."""
    for method, pattern, handler in _ROUTES:
        match = re.fullmatch(pattern, request.path)
        if match and method == request.method:
            visit = Visit(match[1], _fields(request.query), _fields(request.body))
            return _shown(sandbox, visit, handler)
    return None


def _fields(text: str) -> dict[str, str]:
    return {name: values[-1] for name, values in parse_qs(text, keep_blank_values=True).items()}


def _shown(sandbox: Sandbox, visit: Visit, handler: Handler) -> Page:
    try:
        return handler(sandbox, visit)
    except ApiError as refusal:
        content = tag("section", tag("h1", refusal.message), tag("p", link("Overview", "/")))
        return Page(document("Stripe stand-in", content, narrow=True), status=refusal.status)
