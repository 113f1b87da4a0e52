"""The control API under `/_sandbox/`: what a test or the demonstration tells the stand-in itself.

JSON in and out, no key. Errors look like Stripe's.
"""

import json
import re
from collections.abc import Callable
from dataclasses import asdict, fields
from typing import Any, NamedTuple
from urllib.parse import parse_qs

from apps.sandbox import billing, charging, clocks, deliveries, renewal, reporting
from apps.sandbox.api import Request, Response
from apps.sandbox.contract import API_VERSION, LATEST, STATUSES, Body
from apps.sandbox.delivery import Deliverer, Settings
from apps.sandbox.errors import ApiError, unknown_route
from apps.sandbox.interventions import LONGEST_HOLD, Fault, Faults, Holds, RateLimit, RequestLog
from apps.sandbox.items import is_metered
from apps.sandbox.render import render
from apps.sandbox.statuses import set_status
from apps.sandbox.store import Store
from apps.sandbox.thin import DESTINATION

PREFIX = "/_sandbox/"


class Sandbox(NamedTuple):
    """The parts of a running stand-in."""

    store: Store
    deliverer: Deliverer
    holds: Holds
    faults: Faults
    limit: RateLimit
    log: RequestLog


class Order(NamedTuple):
    """A checked request to the control API: its JSON body, its query and the id in its path."""

    sandbox: Sandbox
    body: Body
    query: dict[str, str]
    id: str


def answer(sandbox: Sandbox, request: Request) -> Response:
    """Carry out what the control API is told."""
    try:
        for method, pattern, handler in _ROUTES:
            match = re.fullmatch(PREFIX + pattern, request.path)
            if match and method == request.method:
                query = {name: values[-1] for name, values in parse_qs(request.query).items()}
                order = Order(sandbox, _json(request.body), query, "".join(match.groups()))
                return Response(200, handler(order))
        raise unknown_route(method=request.method, path=request.path)
    except ApiError as refusal:
        return Response(refusal.status, refusal.body())


def _json(text: str) -> Body:
    try:
        body = json.loads(text or "{}")
    except ValueError:
        raise ApiError("The body is not JSON.") from None
    if not isinstance(body, dict):
        raise ApiError("The body must be a JSON object.")
    return body


def _take(body: Body, **kinds: Any) -> Body:
    """Return `body`, checked: only names among `kinds`, each of its type (None stands for null)."""
    for name, value in body.items():
        if name not in kinds:
            raise ApiError(f"Unknown field: {name}. Known are {', '.join(kinds) or 'none'}.", param=name)
        # bool is a subclass of int, but `true` is no number.
        is_number = not isinstance(value, bool) and isinstance(value, kinds[name])
        if not (is_number or (isinstance(value, bool) and kinds[name] is bool)):
            raise ApiError(f"Wrong type: {name}", param=name)
        if name in _LEAST and value is not None and not _LEAST[name] <= value <= LATEST:
            raise ApiError(f"Out of range: {name}", param=name)
    return body


_LEAST = {"now": 0, "at": 0, "delay": 0, "times": 1, "retry_after": 0, "upcoming_days": 0, "per_second": 1}


def _health(order: Order) -> Body:
    with order.sandbox.store.reading() as tx:
        return {"ok": True, "stripe_version": API_VERSION, "account": tx.setting("account"), "now": tx.now}


def _reset(order: Order) -> Body:
    sandbox = order.sandbox
    keep = _take(order.body, keep_endpoints=bool).get("keep_endpoints", False)
    sandbox.holds.clear()
    sandbox.faults.clear()
    sandbox.limit.set(None)
    sandbox.store.reset(keep=("webhook_endpoint", DESTINATION) if keep else ())
    sandbox.log.clear()
    sandbox.deliverer.reload()
    return {"ok": True}


def _clock(order: Order) -> Body:
    """Set the time; with `renew`, go there through every renewal and end that falls due on the way."""
    body = _take(order.body, now=int | None, renew=bool)
    if "now" not in body:
        raise ApiError("Missing field: now (Unix seconds, or null for the real time).", param="now")
    with order.sandbox.store.writing() as tx:
        if body.get("renew") and body["now"] is not None:
            renewal.advance(tx, until=body["now"])
        tx.set("now", body["now"])
    with order.sandbox.store.reading() as tx:
        return {"now": tx.now}


def _configure_delivery(order: Order) -> Body:
    """Change the settings that are named; the others stay."""
    number = int | float
    body = _take(order.body, mode=str, duplicate=number, drop=number, reorder=bool, delay=number, seed=int)
    settings = Settings(**(asdict(order.sandbox.deliverer.settings) | body))
    if settings.mode not in ("auto", "manual"):
        raise ApiError("The mode is auto or manual.", param="mode")
    for name in ("duplicate", "drop"):
        if not 0 <= getattr(settings, name) <= 1:
            raise ApiError("A chance lies between 0 and 1.", param=name)
    order.sandbox.deliverer.configure(settings)
    return asdict(settings)


def _list_deliveries(order: Order) -> Body:
    return {"data": deliveries.listed(order.sandbox.store)}


def _deliver(order: Order) -> Body:
    return {"data": order.sandbox.deliverer.deliver_now(_events(order.body))}


def _drop(order: Order) -> Body:
    return {"dropped": deliveries.drop(order.sandbox.store, events=_events(order.body))}


def _events(body: Body) -> list[str] | None:
    events: list[str] | None = _take(body, events=list).get("events")
    return events


def _set_status(order: Order) -> Body:
    body = _take(order.body, status=str, at=int)
    status = body.get("status")
    if status not in STATUSES:
        raise ApiError(f"The status is one of {', '.join(STATUSES)}.", param="status")
    with order.sandbox.store.writing() as tx:
        clocks.enter(tx, [order.id])
        tx.now = body.get("at", tx.now)
        changed = set_status(tx, tx.load("subscription", order.id), status)
        return render(tx, changed)


def _configure_billing(order: Order) -> Body:
    """Change the account's billing settings that are named; the others stay."""
    body = _take(order.body, after_retries=str, upcoming_days=int, require_method=bool)
    if body.get("after_retries", "canceled") not in charging.AFTER_RETRIES:
        raise ApiError(f"One of {', '.join(charging.AFTER_RETRIES)}.", param="after_retries")
    with order.sandbox.store.writing() as tx:
        settings = asdict(charging.settings(tx)) | body
        tx.set("billing", settings)
    return settings


def _configure_metering(order: Order) -> Body:
    """Change what is named of how meter events are looked at; once they are held no more, look at what waited."""
    body = _take(order.body, late_checks=bool, held=bool)
    with order.sandbox.store.writing() as tx:
        settings = reporting.settings(tx) | body
        tx.set("metering", settings)
        if not settings["held"]:
            reporting.process(tx)
    return settings


def _make_legacy(order: Order) -> Body:
    """Turn a metered price into one from before meters, which Stripe makes no more but still has in accounts."""
    _take(order.body)
    with order.sandbox.store.writing() as tx:
        price = tx.load("price", order.id)
        if not is_metered(price):
            raise ApiError("Only a metered price can be one from before meters.")
        return render(tx, tx.save(price | {"recurring": price["recurring"] | {"meter": None}}))


def _fail_next(order: Order) -> Body:
    times = _take(order.body, times=int).get("times", 1)
    with order.sandbox.store.writing() as tx:
        charging.fail_next(tx, tx.load("customer", order.id), times=times)
    return {"failing": times}


def _authenticate(order: Order) -> Body:
    """Do what the customer does when a payment needs action: confirm it, so that the invoice is paid."""
    _take(order.body)
    with order.sandbox.store.writing() as tx:
        clocks.enter(tx, [order.id])
        invoice = tx.load("invoice", order.id)
        if invoice["status"] != "open":
            raise ApiError("Only an open invoice can be paid.", code="invoice_not_editable")
        return render(tx, billing.settle(tx, invoice, by_hand=True))


def _list_requests(order: Order) -> Body:
    return {"data": [asdict(entry) for entry in order.sandbox.log.entries()]}


def _clear_requests(order: Order) -> Body:
    order.sandbox.log.clear()
    return {"ok": True}


def _match(body: Body) -> Body:
    """Return method, path and times of a hold or fault; raises ApiError for a pattern that is none."""
    try:
        re.compile(body.get("path", ""))
    except re.error as error:
        raise ApiError(f"The path is no regular expression: {error}", param="path") from None
    return {"method": body.get("method"), "path": body.get("path", ""), "times": body.get("times", 1)}


def _add_hold(order: Order) -> Body:
    body = _take(order.body, method=str, path=str, times=int)
    return {"id": order.sandbox.holds.add(**_match(body))}


def _hold_state(order: Order) -> Body:
    try:
        wait = float(order.query.get("wait", 0))
    except ValueError:
        raise ApiError("`wait` is a number of seconds.", param="wait") from None
    return order.sandbox.holds.state(order.id, wait=wait)


def _release_hold(order: Order) -> Body:
    return order.sandbox.holds.release(order.id)


def _add_fault(order: Order) -> Body:
    number = int | float
    kinds = {"status": int, "retry_after": number, "delay": number, "hang_up": bool, "carried_out": bool}
    body = _take(order.body, method=str, path=str, times=int, **kinds)
    fault = Fault(**{each.name: body[each.name] for each in fields(Fault) if each.name in body})
    if fault.status is None and not (fault.hang_up or fault.delay):
        raise ApiError("Say what goes wrong: a status, a delay, or hang_up.", param="status")
    if fault.status is not None and not 400 <= fault.status <= 599:
        raise ApiError("The status is one of 400 to 599.", param="status")
    if fault.delay > LONGEST_HOLD:
        raise ApiError(f"The delay is {LONGEST_HOLD:g} seconds at most.", param="delay")
    order.sandbox.faults.add(fault, **_match(body))
    return {"ok": True}


def _limit_rate(order: Order) -> Body:
    """Switch the limit of requests on, or with null off."""
    per_second = _take(order.body, per_second=int | None).get("per_second")
    order.sandbox.limit.set(per_second)
    return {"per_second": per_second}


_ROUTES: list[tuple[str, str, Callable[[Order], Body]]] = [
    ("GET", "health", _health),
    ("POST", "reset", _reset),
    ("POST", "clock", _clock),
    ("POST", "delivery", _configure_delivery),
    ("GET", "deliveries", _list_deliveries),
    ("POST", "deliver", _deliver),
    ("POST", "drop", _drop),
    ("POST", "subscriptions/([^/]+)/status", _set_status),
    ("POST", "billing", _configure_billing),
    ("POST", "metering", _configure_metering),
    ("POST", "prices/([^/]+)/legacy", _make_legacy),
    ("POST", "customers/([^/]+)/fail_next", _fail_next),
    ("POST", "invoices/([^/]+)/authenticate", _authenticate),
    ("GET", "requests", _list_requests),
    ("DELETE", "requests", _clear_requests),
    ("POST", "holds", _add_hold),
    ("GET", "holds/([^/]+)", _hold_state),
    ("POST", "holds/([^/]+)/release", _release_hold),
    ("POST", "faults", _add_fault),
    ("POST", "rate_limit", _limit_rate),
]
