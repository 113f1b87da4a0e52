"""Test clocks. Contract: docs.stripe.com/api/test_clocks."""

from apps.sandbox import clocks, listing
from apps.sandbox.contract import Body
from apps.sandbox.render import render
from apps.sandbox.routing import CURSORS, Call, route

_PATH = "/v1/test_helpers/test_clocks"


def create(call: Call) -> Body:
    return render(call.tx, clocks.make(call.tx, call.params))


def retrieve(call: Call) -> Body:
    return render(call.tx, call.tx.load(clocks.KIND, call.id))


def advance(call: Call) -> Body:
    clock = call.tx.load(clocks.KIND, call.id)
    return render(call.tx, clocks.advance(call.tx, clock, until=call.params["frozen_time"]))


def delete(call: Call) -> Body:
    clocks.delete(call.tx, call.tx.load(clocks.KIND, call.id))
    return {"id": call.id, "object": clocks.KIND, "deleted": True}


def list_all(call: Call) -> Body:
    return listing.page(call.tx, kind=clocks.KIND, url=_PATH, params=call.params)


ROUTES = [
    route("POST", _PATH, "test_helpers.TestClockCreateParams", create, simulates="frozen_time name"),
    route("GET", _PATH, "test_helpers.TestClockListParams", list_all, simulates=CURSORS),
    route("GET", f"{_PATH}/{{id}}", "test_helpers.TestClockRetrieveParams", retrieve),
    route("DELETE", f"{_PATH}/{{id}}", "test_helpers.TestClockDeleteParams", delete),
    route("POST", f"{_PATH}/{{id}}/advance", "test_helpers.TestClockAdvanceParams", advance, simulates="frozen_time"),
]
