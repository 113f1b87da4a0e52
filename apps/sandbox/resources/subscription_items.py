"""Subscription items. Contract: docs.stripe.com/api/subscription_items. Changes are events of the subscription.

The list runs in the order of making, as the subscription's own `items` does, since its next pages are read here.
"""

from apps.sandbox import errors, items, listing
from apps.sandbox.changing import finish
from apps.sandbox.contract import TERMINAL_STATUSES, Body
from apps.sandbox.errors import ApiError
from apps.sandbox.render import render
from apps.sandbox.routing import Call, route
from apps.sandbox.store import Transaction

_CHANGEABLE = f"metadata quantity {items.PRICED_BY}"
_PAYMENT = "off_session payment_behavior proration_behavior proration_date"


def create(call: Call) -> Body:
    subscription = _running(call.tx, call.params["subscription"], param="subscription")
    before = render(call.tx, subscription)
    item = items.add_item(call.tx, subscription, call.params, path="")
    finish(call.tx, subscription, before=before, billed=False)
    return render(call.tx, item)


def retrieve(call: Call) -> Body:
    return render(call.tx, call.tx.load("subscription_item", call.id))


def update(call: Call) -> Body:
    item = call.tx.load("subscription_item", call.id)
    subscription = _running(call.tx, item["subscription"])
    before = render(call.tx, subscription)
    billed = items.change_item(call.tx, subscription, item, call.params, path="")
    finish(call.tx, subscription, before=before, billed=billed)
    return retrieve(call)


def delete(call: Call) -> Body:
    item = call.tx.load("subscription_item", call.id)
    subscription = _running(call.tx, item["subscription"])
    before = render(call.tx, subscription)
    items.remove_item(call.tx, item)
    finish(call.tx, subscription, before=before, billed=False)
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
        simulates=f"subscription {_CHANGEABLE}",
        accepts=_PAYMENT,
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
        simulates=_CHANGEABLE,
        accepts=_PAYMENT,
    ),
    route(
        "DELETE",
        "/v1/subscription_items/{id}",
        "SubscriptionItemDeleteParams",
        delete,
        accepts=f"clear_usage {_PAYMENT}",
    ),
]
