"""Event destinations: who gets thin events. Contract: docs.stripe.com/api/v2/core/event_destinations."""

from apps.sandbox import errors, metadata
from apps.sandbox.contract import Body
from apps.sandbox.ids import new_id, random_text
from apps.sandbox.loopback import target
from apps.sandbox.routing import Call, route
from apps.sandbox.shapes import complete
from apps.sandbox.store import Transaction
from apps.sandbox.thin import DESTINATION, moment, record_thin

_PATH = "/v2/core/event_destinations"


def create(call: Call) -> Body:
    """Make a destination for thin events; the secret is shown now, and only if `include` asks for it."""
    params = call.params
    for name, only in (("type", "webhook_endpoint"), ("event_payload", "thin")):
        if params[name] != only:
            raise errors.not_simulated(f"{name}={params[name]}")
    if "webhook_endpoint" not in params:
        raise errors.missing("webhook_endpoint")
    url = params["webhook_endpoint"]["url"]
    target(url)
    destination = {
        "id": new_id("ed_test", length=40),
        "object": DESTINATION,
        "created": moment(call.tx.now),
        "description": params.get("description", ""),
        "enabled_events": params["enabled_events"],
        "event_payload": "thin",
        "events_from": ["@self"],
        "livemode": False,
        "metadata": metadata.of(params),
        "name": params["name"],
        "snapshot_api_version": None,
        "status": "enabled",
        "type": "webhook_endpoint",
        "updated": moment(call.tx.now),
        "url": url,
        "secret": "whsec_" + random_text(32),
    }
    return _shown(call.tx.insert(destination), params)


def _shown(destination: Body, params: Body) -> Body:
    named = {"url": destination["url"], "signing_secret": destination["secret"]}
    asked = [each.rpartition(".")[2] for each in params.get("include", [])]
    shown = {name: named[name] if name in asked else None for name in named}
    own = {name: value for name, value in destination.items() if name not in ("url", "secret")}
    return complete(own | {"webhook_endpoint": shown})


def retrieve(call: Call) -> Body:
    return _shown(call.tx.load(DESTINATION, call.id), _without_secret(call.params))


def _without_secret(params: Body) -> Body:
    return {"include": [each for each in params.get("include", []) if not each.endswith("signing_secret")]}


def update(call: Call) -> Body:
    names = ("description", "enabled_events", "name")
    changes = {name: call.params[name] for name in names if name in call.params}
    if "webhook_endpoint" in call.params:
        target(call.params["webhook_endpoint"]["url"])
        changes["url"] = call.params["webhook_endpoint"]["url"]
    destination = call.tx.load(DESTINATION, call.id)
    changes["metadata"] = metadata.merged(destination["metadata"], call.params.get("metadata"))
    return _shown(_changed(call.tx, destination, changes), _without_secret(call.params))


def disable(call: Call) -> Body:
    return _shown(_changed(call.tx, call.tx.load(DESTINATION, call.id), {"status": "disabled"}), {})


def enable(call: Call) -> Body:
    return _shown(_changed(call.tx, call.tx.load(DESTINATION, call.id), {"status": "enabled"}), {})


def _changed(tx: Transaction, destination: Body, changes: Body) -> Body:
    return tx.save(destination | changes | {"updated": moment(tx.now)})


def ping(call: Call) -> Body:
    """Send an event that is about nothing but the destination."""
    destination = call.tx.load(DESTINATION, call.id)
    subject = {"id": destination["id"], "type": DESTINATION, "url": f"{_PATH}/{destination['id']}"}
    return record_thin(call.tx, f"{DESTINATION}.ping", {}, subject=subject, to=destination)


def delete(call: Call) -> Body:
    call.tx.delete(call.tx.load(DESTINATION, call.id))
    return {"id": call.id, "object": DESTINATION}


def list_all(call: Call) -> Body:
    found = [_shown(each, _without_secret(call.params)) for each in reversed(call.tx.all(DESTINATION))]
    return {"data": found[: call.params.get("limit", 20)], "next_page_url": None, "previous_page_url": None}


ROUTES = [
    route(
        "POST",
        _PATH,
        "v2.core.EventDestinationCreateParams",
        create,
        simulates="description enabled_events event_payload include metadata name type webhook_endpoint",
        accepts="events_from snapshot_api_version",
    ),
    route("GET", _PATH, "v2.core.EventDestinationListParams", list_all, simulates="include limit"),
    route("GET", f"{_PATH}/{{id}}", "v2.core.EventDestinationRetrieveParams", retrieve, simulates="include"),
    route(
        "POST",
        f"{_PATH}/{{id}}",
        "v2.core.EventDestinationUpdateParams",
        update,
        simulates="description enabled_events include metadata name webhook_endpoint",
    ),
    route("DELETE", f"{_PATH}/{{id}}", "v2.core.EventDestinationDeleteParams", delete),
    route("POST", f"{_PATH}/{{id}}/disable", "v2.core.EventDestinationDisableParams", disable),
    route("POST", f"{_PATH}/{{id}}/enable", "v2.core.EventDestinationEnableParams", enable),
    route("POST", f"{_PATH}/{{id}}/ping", "v2.core.EventDestinationPingParams", ping),
]
