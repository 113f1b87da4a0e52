"""What somebody reads who is stopped at a limit."""

from collections.abc import Callable
from typing import Any

from django.core.serializers.json import DjangoJSONEncoder
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.utils.cache import add_never_cache_headers, patch_vary_headers

from apps.entitlements.decisions import Decision, as_document
from apps.entitlements.errors import Refused

HTML = "text/html"
PROBLEM = "application/problem+json"
JSON = "application/json"


class RefusalMiddleware:
    """Answers what a view was refused: by a page, or by a problem where the client asks for JSON."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        """Django tells what a view raised."""
        return refusal(request, exception.decision) if isinstance(exception, Refused) else None


def refusal(request: HttpRequest, decision: Decision) -> HttpResponse:
    """The answer to what a decision refuses: 403, as a page or as a problem (RFC 9457) with the decision."""
    if request.get_preferred_type([HTML, JSON, PROBLEM]) in {JSON, PROBLEM}:
        response: HttpResponse = _problem(decision)
    else:
        response = render(request, "entitlements/refused.html", {"decision": decision}, status=403)
    add_never_cache_headers(response)
    patch_vary_headers(response, ["Accept"])
    return response


def _problem(decision: Decision) -> HttpResponse:
    body = {"type": "about:blank", "title": "Forbidden", "status": 403, "detail": decision.message}
    return JsonResponse(body | {"decision": as_document(decision)}, status=403, content_type=PROBLEM, encoder=_Encoder)


class _Encoder(DjangoJSONEncoder):
    """What was asked for may be a set."""

    def default(self, value: Any) -> Any:
        return sorted(value, key=str) if isinstance(value, set | frozenset) else super().default(value)
