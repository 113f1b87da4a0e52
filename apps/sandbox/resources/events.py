"""Events. Contract: docs.stripe.com/api/events."""

from apps.sandbox import errors, listing
from apps.sandbox.contract import Body
from apps.sandbox.render import render
from apps.sandbox.routing import PAGE, Call, route

_UNDELIVERED = "(SELECT event FROM delivery WHERE state <> 'delivered')"


def retrieve(call: Call) -> Body:
    return render(call.tx, call.tx.load("event", call.id))


def list_all(call: Call) -> Body:
    params = call.params
    if "type" in params and "types" in params:
        raise errors.exclusive(first="type", second="types")
    filters = listing.created(params)
    if "type" in params:
        # Stripe takes a group of types as well: `customer.*`.
        filters.append(listing.Filter("json_extract(body, '$.type') GLOB ?", (params["type"],)))
    if "types" in params:
        filters.append(listing.among("type", params["types"]))
    if "delivery_success" in params:
        negation = "NOT " if params["delivery_success"] else ""
        filters.append(listing.Filter(f"id {negation}IN {_UNDELIVERED}"))
    return listing.page(call.tx, kind="event", url="/v1/events", params=params, filters=filters)


ROUTES = [
    route("GET", "/v1/events", "EventListParams", list_all, simulates=f"{PAGE} type types delivery_success"),
    route("GET", "/v1/events/{id}", "EventRetrieveParams", retrieve),
]
