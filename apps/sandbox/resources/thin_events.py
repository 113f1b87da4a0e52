"""Thin events. Contract: docs.stripe.com/api/v2/core/events. Pages of the API's second version have no cursors here."""

import json

from apps.sandbox.contract import Body
from apps.sandbox.routing import Call, route
from apps.sandbox.thin import EVENT


def retrieve(call: Call) -> Body:
    return call.tx.load(EVENT, call.id)


def list_all(call: Call) -> Body:
    """List events, newest first; of one subject when `object_id` names it."""
    limit = call.params.get("limit", 20)
    rows = call.tx.rows("SELECT body FROM object WHERE kind = ? ORDER BY seq DESC", (EVENT,))
    events = [json.loads(row[0]) for row in rows]
    chosen = [each for each in events if _is_about(each, call.params)]
    return {"data": chosen[:limit], "next_page_url": None, "previous_page_url": None}


def _is_about(event: Body, params: Body) -> bool:
    subject = params.get("object_id", event.get("related_object", {}).get("id"))
    return bool(
        event.get("related_object", {}).get("id") == subject and event["type"] in params.get("types", [event["type"]])
    )


ROUTES = [
    route("GET", "/v2/core/events", "v2.core.EventListParams", list_all, simulates="limit object_id types"),
    route("GET", "/v2/core/events/{id}", "v2.core.EventRetrieveParams", retrieve),
]
