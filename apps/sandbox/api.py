"""One request to the API, from its headers to its answer."""

import base64
import binascii
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from apps.sandbox import clocks, errors, form, idempotency
from apps.sandbox.contract import API_FAMILY, API_VERSION, Body
from apps.sandbox.errors import ApiError
from apps.sandbox.expand import expand
from apps.sandbox.form import Tree
from apps.sandbox.idempotency import Answer
from apps.sandbox.ids import new_id
from apps.sandbox.resources import (
    account,
    checkout_sessions,
    coupons,
    credit_grants,
    customers,
    entitlement_features,
    event_destinations,
    events,
    invoice_items,
    invoices,
    meter_events,
    meters,
    payment_methods,
    portal_sessions,
    prices,
    products,
    promotion_codes,
    subscription_items,
    subscription_schedules,
    subscriptions,
    test_clocks,
    thin_events,
    webhook_endpoints,
)
from apps.sandbox.routing import Call, Route, Router
from apps.sandbox.store import Store, Transaction
from apps.sandbox.validation import validate

_ROUTER = Router(
    [
        *account.ROUTES,
        *checkout_sessions.ROUTES,
        *coupons.ROUTES,
        *credit_grants.ROUTES,
        *customers.ROUTES,
        *entitlement_features.ROUTES,
        *event_destinations.ROUTES,
        *events.ROUTES,
        *invoice_items.ROUTES,
        *invoices.ROUTES,
        *meter_events.ROUTES,
        *meters.ROUTES,
        *payment_methods.ROUTES,
        *portal_sessions.ROUTES,
        *prices.ROUTES,
        *products.ROUTES,
        *promotion_codes.ROUTES,
        *subscription_items.ROUTES,
        *subscription_schedules.ROUTES,
        *subscriptions.ROUTES,
        *test_clocks.ROUTES,
        *thin_events.ROUTES,
        *webhook_endpoints.ROUTES,
    ]
)
_TEST_KEY = re.compile(r"(sk|rk)_test_[A-Za-z0-9]{24,}")
_LIVE_KEY = re.compile(r"(sk|rk|pk)_live_.*")
_VERSION = re.compile(rf"\d{{4}}-\d{{2}}-\d{{2}}\.{API_FAMILY}")


@dataclass(frozen=True)
class Request:
    """An HTTP request; header names are in lower case, `body` is the query string for GET."""

    method: str
    path: str
    query: str
    body: str
    headers: Mapping[str, str]
    id: str = field(default_factory=lambda: new_id("req", length=14))


@dataclass(frozen=True)
class Response:
    """An HTTP answer with a JSON body."""

    status: int
    body: Body | list[Body]
    headers: Mapping[str, str] = field(default_factory=dict)


def endpoint(*, method: str, path: str) -> str:
    """Return what Stripe counts requests by: the method and the path with no ids in it."""
    try:
        return f"{method} {_ROUTER.resolve(method=method, path=path)[0].path}"
    except ApiError:
        return f"{method} {path}"


def answer(store: Store, request: Request) -> Response:
    """Carry the request out in one transaction, and return what Stripe would answer."""
    try:
        _check_key(request.headers.get("authorization", ""))
        _check_version(request.headers.get("stripe-version", API_VERSION))
        return _perform(store, request)
    except ApiError as refusal:
        return _response(request, Answer(refusal.status, refusal.body(), request.id))


def _check_key(authorization: str) -> None:
    key = _key(authorization)
    if not key:
        raise errors.no_key()
    if _LIVE_KEY.fullmatch(key):
        raise errors.live_key()
    if not _TEST_KEY.fullmatch(key):
        raise errors.bad_key(key)


def _key(authorization: str) -> str:
    """Return the key: a bearer token, or the user name of basic authentication."""
    scheme, _, value = authorization.partition(" ")
    if scheme.lower() == "bearer":
        return value.strip()
    if scheme.lower() != "basic":
        return ""
    try:
        return base64.b64decode(value, validate=True).decode().partition(":")[0]
    except (binascii.Error, UnicodeDecodeError):
        return ""


def _check_version(version: str) -> None:
    """Refuse versions whose objects look different: the stand-in knows one shape only."""
    if not _VERSION.fullmatch(version):
        raise ApiError(f"Invalid Stripe API version: {version}. This stand-in speaks {API_VERSION} and its kin.")


@dataclass(frozen=True)
class _Work:
    """A request that was checked: what to call with what, and what to expand in the answer."""

    request: Request
    route: Route
    ids: tuple[str, ...]
    tree: Tree
    params: Body
    paths: list[str]


def _perform(store: Store, request: Request) -> Response:
    work = _check(request)
    if request.method == "GET":
        with store.reading() as tx:
            return _response(request, _run(tx, work))
    with store.writing() as tx:
        return _write(tx, work)


def _check(request: Request) -> _Work:
    """Find the route and check the parameters, of which every route takes `expand`."""
    route, ids = _ROUTER.resolve(method=request.method, path=request.path)
    tree = _tree(request)
    own = {name: value for name, value in tree.items() if name != "expand"}
    params = validate(own, params=route.params)
    route.check_simulated(params)
    return _Work(request, route, ids, tree, params, _paths(tree))


def _tree(request: Request) -> Tree:
    """Return the parameters: the second version of the API takes JSON in a body, the first one never does."""
    json_sent = request.body and "json" in request.headers.get("content-type", "")
    if json_sent and not request.path.startswith("/v2/"):
        raise ApiError("Invalid request: send parameters as application/x-www-form-urlencoded.")
    if json_sent:
        return form.decode(request.query) | form.of_json(request.body)
    return form.decode("&".join(filter(None, (request.query, request.body))))


def _paths(tree: Tree) -> list[str]:
    if "expand" not in tree:
        return []
    paths: list[str] = validate({"expand": tree["expand"]}, params="AccountRetrieveCurrentParams")["expand"]
    return paths


def _write(tx: Transaction, work: _Work) -> Response:
    request = work.request
    key = request.headers.get("idempotency-key") if request.method == "POST" else None
    tx.request_id, tx.idempotency_key = request.id, key
    if key is None:
        return _response(request, _run(tx, work))
    fingerprint = idempotency.fingerprint(method=request.method, path=request.path, tree=work.tree)
    known = idempotency.recall(tx, key=key, fingerprint=fingerprint)
    if known:
        return _response(request, known, replayed=True)
    result = _run(tx, work)
    idempotency.remember(tx, result, key=key, fingerprint=fingerprint)
    return _response(request, result)


def _run(tx: Transaction, work: _Work) -> Answer:
    """Return the handler's answer; a refusal is an answer too, and leaves nothing changed (but see `ApiError`)."""
    tx.rows("SAVEPOINT handler")
    try:
        with clocks.entered(tx, _subjects(work)):
            body = work.route.handler(Call(tx, work.params, work.ids))
            return Answer(200, expand(tx, body, paths=work.paths), work.request.id)
    except ApiError as refusal:
        if not refusal.keeps_changes:
            tx.rows("ROLLBACK TO handler")
        return Answer(refusal.status, refusal.body(), work.request.id)


def _subjects(work: _Work) -> list[str]:
    """Return the ids of the objects that say in which time the request is carried out."""
    named = [work.params.get(name) for name in _SUBJECTS]
    return [*work.ids, *(id for id in named if isinstance(id, str))]


_SUBJECTS = ("customer", "subscription", "from_subscription", "schedule", "test_clock")


def _response(request: Request, answer: Answer, *, replayed: bool = False) -> Response:
    headers = {
        "Request-Id": request.id,
        "Stripe-Version": request.headers.get("stripe-version", API_VERSION),
    }
    if "idempotency-key" in request.headers and request.method == "POST":
        headers["Idempotency-Key"] = request.headers["idempotency-key"]
        headers["Original-Request"] = answer.request_id
    if replayed:
        headers["Idempotent-Replayed"] = "true"
    return Response(answer.status, answer.body, headers)
