"""Subscriptions. Contract: docs.stripe.com/api/subscriptions."""

from apps.sandbox import errors, listing, metadata, resuming
from apps.sandbox.changing import change
from apps.sandbox.contract import TERMINAL_STATUSES, Body
from apps.sandbox.ending import end_now
from apps.sandbox.errors import ApiError
from apps.sandbox.recording import save_and_record
from apps.sandbox.render import render
from apps.sandbox.routing import PAGE, Call, route
from apps.sandbox.subscribing import subscribe

_ACCEPTED = "off_session payment_settings"
_TERMS = (
    "billing_cycle_anchor cancel_at cancel_at_period_end collection_method days_until_due default_payment_method "
    "description discounts items metadata trial_end trial_settings "
    "payment_behavior proration_behavior"
)


def create(call: Call) -> Body:
    return render(call.tx, subscribe(call.tx, call.params))


def retrieve(call: Call) -> Body:
    return render(call.tx, call.tx.load("subscription", call.id))


def update(call: Call) -> Body:
    """Change the subscription; of an ended one only metadata and cancellation details."""
    subscription = call.tx.load("subscription", call.id)
    if subscription["status"] in TERMINAL_STATUSES:
        return _annotate_ended(call, subscription)
    return render(call.tx, change(call.tx, subscription, call.params))


def _annotate_ended(call: Call, subscription: Body) -> Body:
    if not call.params.keys() <= {"metadata", "cancellation_details", "expand"}:
        raise ApiError("A canceled subscription can only update its cancellation_details and metadata.")
    details = subscription["cancellation_details"] | call.params.get("cancellation_details", {})
    changes = {
        "metadata": metadata.merged(subscription["metadata"], call.params.get("metadata")),
        "cancellation_details": details,
    }
    before = render(call.tx, subscription)
    after = save_and_record(call.tx, "customer.subscription.updated", subscription | changes, before=before)
    return render(call.tx, after)


def cancel_now(call: Call) -> Body:
    subscription = call.tx.load("subscription", call.id)
    if subscription["status"] in TERMINAL_STATUSES:
        raise errors.no_such(kind="subscription", id=call.id)
    how = {name: call.params.get(name, False) for name in ("prorate", "invoice_now")}
    return render(call.tx, end_now(call.tx, subscription, **how, details=call.params.get("cancellation_details")))


def resume(call: Call) -> Body:
    """Let a paused subscription (the status, not a paused collection) go on in a new period, billed now."""
    return render(call.tx, resuming.resume(call.tx, call.tx.load("subscription", call.id)))


def list_all(call: Call) -> Body:
    """List subscriptions; those on a test clock only when it, or the customer, is named, as in Stripe."""
    filters = listing.created(call.params) + listing.given(
        call.params, customer="customer", collection_method="collection_method"
    )
    filters.append(_status(call.params.get("status")))
    if "customer" not in call.params or "test_clock" in call.params:
        filters.append(listing.on_clock(call.params.get("test_clock")))
    if "price" in call.params:
        filters.append(listing.Filter(_HAS_PRICE, (call.params["price"],)))
    return listing.page(call.tx, kind="subscription", url="/v1/subscriptions", params=call.params, filters=filters)


_HAS_PRICE = """
    id IN (SELECT json_extract(item.body, '$.subscription') FROM object AS item
           WHERE item.kind = 'subscription_item' AND item.deleted = 0 AND json_extract(item.body, '$.price') = ?)
"""


def _status(status: str | None) -> listing.Filter:
    """`all` is all, `ended` both final statuses, and nothing said leaves out the canceled ones."""
    match status:
        case "all":
            return listing.Filter("1")
        case "ended":
            return listing.among("status", sorted(TERMINAL_STATUSES))
        case None:
            return listing.Filter("json_extract(body, '$.status') <> 'canceled'")
    return listing.equals("status", status)


ROUTES = [
    route(
        "POST",
        "/v1/subscriptions",
        "SubscriptionCreateParams",
        create,
        simulates=f"{_TERMS} billing_mode currency customer trial_period_days",
        accepts=_ACCEPTED,
    ),
    route(
        "GET",
        "/v1/subscriptions",
        "SubscriptionListParams",
        list_all,
        simulates=f"{PAGE} customer status price collection_method test_clock",
    ),
    route("GET", "/v1/subscriptions/{id}", "SubscriptionRetrieveParams", retrieve),
    route(
        "POST",
        "/v1/subscriptions/{id}",
        "SubscriptionUpdateParams",
        update,
        simulates=f"{_TERMS} cancellation_details pause_collection proration_date",
        accepts=_ACCEPTED,
    ),
    route(
        "DELETE",
        "/v1/subscriptions/{id}",
        "SubscriptionCancelParams",
        cancel_now,
        simulates="cancellation_details invoice_now prorate",
    ),
    route(
        "POST",
        "/v1/subscriptions/{id}/resume",
        "SubscriptionResumeParams",
        resume,
        accepts="billing_cycle_anchor proration_behavior proration_date",
    ),
]
