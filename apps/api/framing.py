"""What holds for every address of the API, whatever answers there."""

from collections.abc import Callable
from functools import wraps
from http import HTTPStatus
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern
from django.utils.cache import add_never_cache_headers

from apps.api import problems

MAX_BODY_BYTES = 65_536
View = Callable[..., HttpResponse]


def framed(patterns: list[URLPattern]) -> list[URLPattern]:
    """The addresses, with bounded bodies, problems for refused methods too, and nothing cached."""
    for pattern in patterns:
        pattern.callback = _framed(pattern.callback)
    return patterns


def _framed(view: View) -> View:
    @wraps(view)
    def answer(request: HttpRequest, **parts: Any) -> HttpResponse:
        found = _refusal(request) or view(request, **parts)
        if found.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
            found = _refused_method(request, found["Allow"])
        add_never_cache_headers(found)
        return found

    return answer


def _refusal(request: HttpRequest) -> HttpResponse | None:
    if request.headers.get("Transfer-Encoding"):
        return problems.problem(HTTPStatus.LENGTH_REQUIRED, "The length of the body is missing. Send Content-Length.")
    return None if _is_bounded(request) else problems.too_large(MAX_BODY_BYTES)


def _is_bounded(request: HttpRequest) -> bool:
    # Django reads no further than this header says, and nothing without it.
    length = request.META.get("CONTENT_LENGTH") or "0"
    return not length.isdecimal() or int(length) <= MAX_BODY_BYTES


def _refused_method(request: HttpRequest, allowed: str) -> HttpResponse:
    told = problems.problem(HTTPStatus.METHOD_NOT_ALLOWED, f"{request.method} is not served here, but {allowed}.")
    told["Allow"] = allowed
    return told
