"""Subscription items. Contract: docs.stripe.com/api/subscription_items. Changes are events of the subscription.

The list runs in the order of making, as the subscription's own `items` does, since its next pages are read here.
"""

from apps.sandbox import errors, items, listing
from apps.sandbox.changing import align, finish
from apps.sandbox.contract import TERMINAL_STATUSES, Body
from apps.sandbox.errors import ApiError
from apps.sandbox.prorating import snapshot
from apps.sandbox.render import render
from apps.sandbox.routing import Call, route
from apps.sandbox.store import Transaction

_CHANGEABLE = f"discounts metadata quantity {items.PRICED_BY}"
_PRORATION = "payment_behavior proration_behavior proration_date"


def create(call: Call) -> Body:
    subscription = _running(call.tx, call.params["subscription"], param="subscription")
    before = snapshot(call.tx, subscription)
    item = items.add_item(call.tx, subscription, call.params, path="")
    finish(call.tx, subscription, call.params, before=before)
    return render(call.tx, item)


def retrieve(call: Call) -> Body:
    return render(call.tx, call.tx.load("subscription_item", call.id))


def update(call: Call) -> Body:
    item = call.tx.load("subscription_item", call.id)
    subscription = _running(call.tx, item["subscription"])
    before = snapshot(call.tx, subscription)
    items.change_item(call.tx, subscription, item, call.params, path="")
    align(call.tx, subscription, before)
    finish(call.tx, subscription, call.params, before=before)
    return retrieve(call)


def delete(call: Call) -> Body:
    item = call.tx.load("subscription_item", call.id)
    subscription = _running(call.tx, item["subscription"])
    before = snapshot(call.tx, subscription)
    items.remove_item(call.tx, item)
    finish(call.tx, subscription, call.params, before=before)
    return {"id": item["id"], "object": "subscription_item", "deleted": True}


def list_all(call: Call) -> Body:
    if "subscription" not in call.params:
        raise errors.missing("subscription")
    subscription = call.tx.load("subscription", call.params["subscription"], param="subscription")
    return listing.page(
        call.tx,
        kind="subscription_item",
        url="/v1/subscription_items",
        params=call.params,
        filters=[listing.equals("subscription", subscription["id"])],
        oldest_first=True,
    )


def _running(tx: Transaction, id: str, *, param: str | None = None) -> Body:
    subscription = tx.load("subscription", id, param=param)
    if subscription["status"] in TERMINAL_STATUSES:
        raise ApiError("The items of a canceled subscription cannot be changed.", param=param)
    return subscription


ROUTES = [
    route(
        "POST",
        "/v1/subscription_items",
        "SubscriptionItemCreateParams",
        create,
        simulates=f"subscription {_CHANGEABLE} {_PRORATION}",
        accepts="off_session",
    ),
    route(
        "GET",
        "/v1/subscription_items",
        "SubscriptionItemListParams",
        list_all,
        simulates="subscription limit starting_after ending_before",
    ),
    route("GET", "/v1/subscription_items/{id}", "SubscriptionItemRetrieveParams", retrieve),
    route(
        "POST",
        "/v1/subscription_items/{id}",
        "SubscriptionItemUpdateParams",
        update,
        simulates=f"{_CHANGEABLE} {_PRORATION}",
        accepts="off_session",
    ),
    route(
        "DELETE",
        "/v1/subscription_items/{id}",
        "SubscriptionItemDeleteParams",
        delete,
        simulates=_PRORATION,
        accepts="clear_usage off_session",
    ),
]
