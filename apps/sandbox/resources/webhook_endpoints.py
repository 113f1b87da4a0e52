"""Webhook endpoints. Contract: docs.stripe.com/api/webhook_endpoints. They are no subject of events."""

from apps.sandbox import listing, metadata
from apps.sandbox.contract import Body
from apps.sandbox.errors import ApiError
from apps.sandbox.ids import new_id, random_text
from apps.sandbox.loopback import target
from apps.sandbox.routing import PAGE, Call, route
from apps.sandbox.shapes import complete


def create(call: Call) -> Body:
    """Make the endpoint; this answer is the only one that shows its signing secret."""
    target(call.params["url"])
    endpoint = {
        "id": new_id("we"),
        "object": "webhook_endpoint",
        "api_version": call.params.get("api_version"),
        "created": call.tx.now,
        "description": call.params.get("description") or None,
        "enabled_events": _events(call.params["enabled_events"]),
        "livemode": False,
        "metadata": metadata.of(call.params),
        "secret": "whsec_" + random_text(32),
        "status": "enabled",
        "url": call.params["url"],
    }
    return call.tx.insert(complete(endpoint))


def _events(sent: list[str]) -> list[str]:
    if not sent:
        raise ApiError("Name at least one event, or `*`.", param="enabled_events")
    if "*" in sent and len(sent) > 1:
        raise ApiError("You cannot use `*` together with other events.", param="enabled_events")
    return sent


def retrieve(call: Call) -> Body:
    return _without_secret(call.tx.load("webhook_endpoint", call.id))


def update(call: Call) -> Body:
    endpoint = call.tx.load("webhook_endpoint", call.id)
    params = call.params
    if "url" in params:
        target(params["url"])
        endpoint["url"] = params["url"]
    if "enabled_events" in params:
        endpoint["enabled_events"] = _events(params["enabled_events"])
    if "disabled" in params:
        endpoint["status"] = "disabled" if params["disabled"] else "enabled"
    if "description" in params:
        endpoint["description"] = params["description"] or None
    endpoint["metadata"] = metadata.merged(endpoint["metadata"], params.get("metadata"))
    return _without_secret(call.tx.save(endpoint))


def delete(call: Call) -> Body:
    endpoint = call.tx.load("webhook_endpoint", call.id)
    call.tx.delete(endpoint)
    return {"id": endpoint["id"], "object": "webhook_endpoint", "deleted": True}


def list_all(call: Call) -> Body:
    page = listing.page(
        call.tx,
        kind="webhook_endpoint",
        url="/v1/webhook_endpoints",
        params=call.params,
        filters=listing.created(call.params),
    )
    return page | {"data": [_without_secret(endpoint) for endpoint in page["data"]]}


def _without_secret(endpoint: Body) -> Body:
    return {name: value for name, value in endpoint.items() if name != "secret"}


ROUTES = [
    route(
        "POST",
        "/v1/webhook_endpoints",
        "WebhookEndpointCreateParams",
        create,
        simulates="url enabled_events api_version description metadata",
        accepts="connect",
    ),
    route("GET", "/v1/webhook_endpoints", "WebhookEndpointListParams", list_all, simulates=PAGE),
    route("GET", "/v1/webhook_endpoints/{id}", "WebhookEndpointRetrieveParams", retrieve),
    route(
        "POST",
        "/v1/webhook_endpoints/{id}",
        "WebhookEndpointUpdateParams",
        update,
        simulates="url enabled_events description metadata disabled",
    ),
    route("DELETE", "/v1/webhook_endpoints/{id}", "WebhookEndpointDeleteParams", delete),
]
