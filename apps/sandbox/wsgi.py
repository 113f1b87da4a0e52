"""The stand-in as a WSGI application."""

import json
import math
import sys
import time
import traceback
from collections.abc import Iterable
from http import HTTPStatus
from wsgiref.types import StartResponse, WSGIEnvironment

from apps.sandbox import api, control, errors
from apps.sandbox.api import Request, Response
from apps.sandbox.control import PREFIX, Sandbox
from apps.sandbox.errors import ApiError
from apps.sandbox.interventions import Fault
from apps.sandbox.loopback import HOST, target
from apps.sandbox.pages import site
from apps.sandbox.pages.layout import Page

HANG_UP = "sandbox.hang_up"
"""The name in the environment of what ends the connection without an answer."""

_LARGEST_BODY = 1 << 20


class Application:
    """Answers the API, the control API and the page for people."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        try:
            request = _request(environ)
            _check_local(request)
            page = site.answer(self._sandbox, request)
            if page is not None:
                self._sandbox.deliverer.wake()
                return _html(start_response, page)
            response = self._answer(request, environ)
        except ApiError as refusal:
            response = Response(refusal.status, refusal.body())
        except Exception:  # noqa: BLE001
            # Whatever went wrong is a fault of the stand-in: the caller sees Stripe's 500, the terminal the reason.
            traceback.print_exc(file=sys.stderr)
            response = Response(500, errors.internal().body())
        return _json(start_response, response)

    def _answer(self, request: Request, environ: WSGIEnvironment) -> Response:
        controls = request.path.startswith(PREFIX)
        response = control.answer(self._sandbox, request) if controls else self._api(request, environ)
        if request.method != "GET":
            self._sandbox.deliverer.wake()
        return response

    def _api(self, request: Request, environ: WSGIEnvironment) -> Response:
        """Answer the API; a fault spoils the answer, a hold keeps it back once it is worked out."""
        sandbox, meant = self._sandbox, {"method": request.method, "path": request.path}
        entry = sandbox.log.add(**meant, query=request.query)
        fault = self._limited(request) or sandbox.faults.claim(**meant)
        hold = None if fault else sandbox.holds.claim(**meant)
        response = _faulty(fault, request) if fault and fault.prevents else api.answer(sandbox.store, request)
        entry.status = response.status
        if hold:
            sandbox.deliverer.wake()
            sandbox.holds.wait(hold)
        if fault:
            sandbox.deliverer.wake()
            time.sleep(fault.delay)
            if fault.hang_up:
                environ[HANG_UP]()
        return response

    def _limited(self, request: Request) -> Fault | None:
        """Return the refusal of a request beyond the limit of requests a second, if it is."""
        wait = self._sandbox.limit.admit(api.endpoint(method=request.method, path=request.path))
        return None if wait is None else Fault(429, retry_after=math.ceil(wait))


def _faulty(fault: Fault, request: Request) -> Response:
    status = fault.status or 504
    kind = "api_error" if status >= 500 else "invalid_request_error"
    code = {404: "resource_missing", 429: "rate_limit"}.get(status)
    message = "This answer was asked for by a fault, or by the limit of requests, of the stand-in."
    headers = {"Request-Id": request.id}
    if status == 429:
        headers["Stripe-Rate-Limited-Reason"] = "endpoint-rate"
    if fault.retry_after is not None:
        headers["Retry-After"] = f"{fault.retry_after:g}"
    return Response(status, ApiError(message, kind=kind, code=code).body(), headers)


def _request(environ: WSGIEnvironment) -> Request:
    return Request(
        method=environ["REQUEST_METHOD"],
        path=environ["PATH_INFO"] or "/",
        query=environ.get("QUERY_STRING", ""),
        body=_body(environ),
        headers=_headers(environ),
    )


def _check_local(request: Request) -> None:
    """Refuse what a web page can make a browser send here: another origin, or a foreign name for this machine."""
    named = [f"http://{request.headers.get('host', HOST)}", request.headers.get("origin", f"http://{HOST}")]
    try:
        for url in named:
            target(url)
    except ApiError:
        raise errors.stranger() from None


def _body(environ: WSGIEnvironment) -> str:
    length = environ.get("CONTENT_LENGTH") or "0"
    if not length.isdecimal() or int(length) > _LARGEST_BODY:
        raise ApiError("The request's body is too large.", status=413)
    try:
        text: str = environ["wsgi.input"].read(int(length)).decode()
    except UnicodeDecodeError:
        raise ApiError("The request's body is not UTF-8.") from None
    return text


def _headers(environ: WSGIEnvironment) -> dict[str, str]:
    named = {name[5:]: value for name, value in environ.items() if name.startswith("HTTP_")}
    named["CONTENT_TYPE"] = environ.get("CONTENT_TYPE", "")
    return {name.lower().replace("_", "-"): value for name, value in named.items()}


def _json(start_response: StartResponse, response: Response) -> list[bytes]:
    content = json.dumps(response.body, indent=2).encode()
    return _send(start_response, response.status, content, {"Content-Type": "application/json", **response.headers})


def _html(start_response: StartResponse, page: Page) -> list[bytes]:
    headers = {"Content-Type": "text/html; charset=utf-8", "Content-Security-Policy": _POLICY}
    if page.location is not None:
        headers["Location"] = page.location
    return _send(start_response, page.status, page.html.encode(), headers)


_POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'"


def _send(start_response: StartResponse, status: int, content: bytes, headers: dict[str, str]) -> list[bytes]:
    phrase = HTTPStatus(status).phrase if status in HTTPStatus.__members__.values() else "Unknown"
    fields = {"Content-Length": str(len(content)), "Cache-Control": "no-store", **headers}
    start_response(f"{status} {phrase}", list(fields.items()))
    return [content]
