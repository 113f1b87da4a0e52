"""Checkout sessions. Contract: docs.stripe.com/api/checkout/sessions."""

from apps.sandbox import checkout, listing
from apps.sandbox.contract import Body
from apps.sandbox.render import embedded, render
from apps.sandbox.routing import CURSORS, PAGE, Call, route

_PATH = "/v1/checkout/sessions"


def create(call: Call) -> Body:
    return render(call.tx, checkout.make(call.tx, call.params))


def retrieve(call: Call) -> Body:
    return render(call.tx, call.tx.load(checkout.KIND, call.id))


def expire(call: Call) -> Body:
    return render(call.tx, checkout.expire(call.tx, call.tx.load(checkout.KIND, call.id)))


def list_all(call: Call) -> Body:
    filters = listing.created(call.params) + listing.given(
        call.params, customer="customer", status="status", subscription="subscription"
    )
    return listing.page(call.tx, kind=checkout.KIND, url=_PATH, params=call.params, filters=filters)


def list_line_items(call: Call) -> Body:
    session = call.tx.load(checkout.KIND, call.id)
    return embedded(data=checkout.line_items(call.tx, session), url=f"{_PATH}/{call.id}/line_items")


ROUTES = [
    route(
        "POST",
        _PATH,
        "checkout.SessionCreateParams",
        create,
        simulates="mode line_items success_url cancel_url customer customer_email client_reference_id metadata "
        "subscription_data expires_at payment_method_collection discounts",
        accepts="allow_promotion_codes billing_address_collection customer_update locale payment_method_types "
        "phone_number_collection saved_payment_method_options submit_type",
    ),
    route("GET", _PATH, "checkout.SessionListParams", list_all, simulates=f"{PAGE} customer status subscription"),
    route("GET", f"{_PATH}/{{id}}", "checkout.SessionRetrieveParams", retrieve),
    route("POST", f"{_PATH}/{{id}}/expire", "checkout.SessionExpireParams", expire),
    route("GET", f"{_PATH}/{{id}}/line_items", "checkout.SessionListLineItemsParams", list_line_items, accepts=CURSORS),
]
