"""Taking in meter events. Contract: docs.stripe.com/billing/subscriptions/usage-based/recording-usage-api.

A request is refused for an identifier that came within 24 hours, a moment out of bounds, and an event name that no
active meter has. Everything else is looked at afterwards and told by a thin event. The control API can put the checks
of the moment and the name there as well, as for events that come by a stream, and can hold the looking.
"""

import json
import re
from decimal import Decimal
from typing import Any, Final, NamedTuple
from uuid import uuid4

from apps.sandbox import clocks, errors
from apps.sandbox.contract import DAY, Body
from apps.sandbox.error_reports import Refused, report
from apps.sandbox.errors import ApiError
from apps.sandbox.shapes import complete
from apps.sandbox.store import Transaction
from apps.sandbox.usage import METER, active_meter

EVENT: Final = "billing.meter_event"
OLDEST: Final = 35 * DAY
AHEAD: Final = 300
REMEMBERED: Final = DAY
"""Seconds for which an identifier is not taken again, and its event can be canceled."""
_NUMBER = re.compile(r"-?\d+(\.\d+)?")
_MOST_DIGITS: Final = 15


def settings(tx: Transaction) -> Body:
    """Return how meter events are treated: `late_checks` and `held`, as the control API describes them."""
    return {"late_checks": False, "held": False} | (tx.setting("metering") or {})


def receive(tx: Transaction, params: Body) -> Body:
    """Take in one event and return what is answered; raises ApiError for what Stripe refuses at once."""
    identifier = params.get("identifier", str(uuid4()))
    if not 0 < len(identifier) <= 100:
        raise ApiError("An identifier has 1 to 100 characters.", param="identifier")
    settled = settings(tx)
    with clocks.entered(tx, params["payload"].values()):
        now, at = tx.now, params.get("timestamp", tx.now)
    if not settled["late_checks"]:
        _check_meter(tx, params["event_name"])
        _check_moment(at, now=now)
    _check_new(tx, identifier)
    row = (identifier, params["event_name"], json.dumps(params["payload"]), at, now, tx.now)
    tx.rows("INSERT INTO usage (identifier, event_name, payload, at, now, received) VALUES (?, ?, ?, ?, ?, ?)", row)
    if not settled["held"]:
        process(tx)
    answer = {"object": EVENT, "created": tx.now, "livemode": False, "identifier": identifier, "timestamp": at}
    return complete(answer | {name: params[name] for name in ("event_name", "payload")})


def _check_meter(tx: Transaction, event_name: str) -> None:
    if active_meter(tx, event_name) is None:
        message = f'No active meter found for event name "{event_name}".'
        raise ApiError(message, code="resource_missing", param="event_name")


def _check_moment(at: int, *, now: int) -> None:
    problem = _moment_problem(at, now=now)
    if problem:
        raise ApiError(problem[1], code=problem[0], param="timestamp")


def _moment_problem(at: int, *, now: int) -> tuple[str, str] | None:
    if at < now - OLDEST:
        return "timestamp_too_far_in_past", "The timestamp must be within the past 35 calendar days."
    if at > now + AHEAD:
        return "timestamp_in_future", "The timestamp must not be more than 5 minutes in the future."
    return None


def _check_new(tx: Transaction, identifier: str) -> None:
    query = "SELECT 1 FROM usage WHERE identifier = ? AND received > ?"
    if next(iter(tx.rows(query, (identifier, tx.now - REMEMBERED))), None):
        raise ApiError(f"An event already exists with identifier {identifier}.")


def process(tx: Transaction) -> None:
    """Look at all pending events: count them, or refuse them and report that."""
    query = "SELECT id, identifier, event_name, payload, at, now FROM usage WHERE state = 'pending' ORDER BY id"
    pending = [_Pending(*row) for row in tx.rows(query)]
    report(tx, [refused for each in pending if (refused := _settle(tx, each))])


class _Pending(NamedTuple):
    """A row that is still to be looked at; `now` was the customer's time when it came."""

    id: int
    identifier: str
    event_name: str
    payload: str
    at: int
    now: int


def _settle(tx: Transaction, pending: _Pending) -> Refused | None:
    """Count the event, or refuse it and return why."""
    meter, payload = active_meter(tx, pending.event_name), json.loads(pending.payload)
    problem = _problem(tx, meter, payload, event_name=pending.event_name)
    problem = problem or _moment_problem(pending.at, now=pending.now)
    if problem or meter is None:
        code, message = problem or ("no_meter", "")
        tx.rows("UPDATE usage SET state = 'refused', problem = ? WHERE id = ?", (code, pending.id))
        return Refused(code, message, pending.identifier, _meter_of(tx, pending.event_name))
    value = payload.get(meter["value_settings"]["event_payload_key"], "1")
    customer = payload[meter["customer_mapping"]["event_payload_key"]]
    query = "UPDATE usage SET state = 'counted', meter = ?, customer = ?, value = ? WHERE id = ?"
    tx.rows(query, (meter["id"], customer, str(Decimal(value)), pending.id))
    return None


def _meter_of(tx: Transaction, event_name: str) -> str | None:
    """Return the newest meter of that name, whether it is active or not."""
    found = tx.all(METER, event_name=event_name)
    return found[-1]["id"] if found else None


def _problem(tx: Transaction, meter: Body | None, payload: Body, *, event_name: str) -> tuple[str, str] | None:
    """Return Stripe's code and sentence for what keeps the event from being counted, if anything does."""
    if meter is None:
        if _meter_of(tx, event_name):
            return "archived_meter", f"The meter for event_name {event_name} is inactive."
        return "no_meter", f"No meter was found matching event_name {event_name}."
    key = meter["customer_mapping"]["event_payload_key"]
    if not payload.get(key):
        return "meter_event_no_customer_defined", f"Customer mapping key {key} not found in payload."
    customer = tx.find(payload[key])
    if customer is None or customer["object"] != "customer":
        return "meter_event_customer_not_found", f"Customer {payload[key]} not found."
    return _value_problem(meter, payload)


def _value_problem(meter: Body, payload: Body) -> tuple[str, str] | None:
    key = meter["value_settings"]["event_payload_key"]
    value: Any = payload.get(key)
    if value is None:
        # A meter that counts events does not ask how much each of them was.
        counts = meter["default_aggregation"]["formula"] == "count"
        return None if counts else ("meter_event_value_not_found", f"Value key {key} not found in payload.")
    if not _NUMBER.fullmatch(value):
        return "meter_event_invalid_value", f"Value {value} for key {key} is not a number."
    if sum(character.isdigit() for character in value) > _MOST_DIGITS:
        return "meter_event_value_too_many_digits", f"Value {value} for key {key} has more than 15 digits."
    return None


def adjust(tx: Transaction, params: Body) -> Body:
    """Cancel the event that `cancel[identifier]` names; raises ApiError once it is more than 24 hours old."""
    identifier = params.get("cancel", {}).get("identifier")
    if not identifier:
        raise errors.missing("cancel[identifier]")
    query = "SELECT id, received, state FROM usage WHERE identifier = ? AND event_name = ? ORDER BY id DESC"
    row = next(iter(tx.rows(query, (identifier, params["event_name"]))), None)
    if row is None:
        raise errors.no_such(kind=EVENT, id=identifier, param="cancel[identifier]")
    id, received, state = row
    if received <= tx.now - REMEMBERED:
        message = "A meter event can be canceled only within 24 hours of being received."
        raise ApiError(message, param="cancel[identifier]")
    if state == "canceled":
        raise ApiError(
            f"The meter event with identifier {identifier} was already canceled.", param="cancel[identifier]"
        )
    tx.rows("UPDATE usage SET state = 'canceled' WHERE id = ?", (id,))
    answer = {"object": "billing.meter_event_adjustment", "livemode": False, "status": "pending", "type": "cancel"}
    return complete(answer | {"cancel": {"identifier": identifier}, "event_name": params["event_name"]})
