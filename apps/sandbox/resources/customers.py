"""Customers. Contract: docs.stripe.com/api/customers."""

from apps.sandbox import listing, metadata
from apps.sandbox.cancellation import cancel
from apps.sandbox.contract import TERMINAL_STATUSES, Body
from apps.sandbox.ids import random_text
from apps.sandbox.recording import record, save_and_record
from apps.sandbox.render import render
from apps.sandbox.routing import PAGE, Call, route
from apps.sandbox.shapes import complete

_PLAIN = "address balance business_name description email individual_name name phone preferred_locales shipping"
_CHANGEABLE = f"{_PLAIN} tax_exempt invoice_prefix metadata invoice_settings"
_INVOICE_SETTINGS: Body = {
    "custom_fields": None,
    "default_payment_method": None,
    "footer": None,
    "rendering_options": None,
}


def create(call: Call) -> Body:
    customer = {
        "id": "cus_" + random_text(14),
        "object": "customer",
        "balance": 0,
        "created": call.tx.now,
        "invoice_prefix": random_text(8).upper(),
        "livemode": False,
        "preferred_locales": [],
        "tax_exempt": "none",
        **_changes(call.params),
        "invoice_settings": _INVOICE_SETTINGS | call.params.get("invoice_settings", {}),
        "metadata": metadata.of(call.params),
    }
    stored = call.tx.insert(complete(customer))
    record(call.tx, "customer.created", stored)
    return render(call.tx, stored)


def _changes(params: Body) -> Body:
    names = [*_PLAIN.split(), "tax_exempt", "invoice_prefix"]
    return {name: params[name] if params[name] != "" else None for name in names if name in params}


def retrieve(call: Call) -> Body:
    """A deleted customer can still be retrieved, as its id and `deleted`."""
    if call.tx.is_deleted(call.id):
        return _stub(call.id)
    return render(call.tx, call.tx.load("customer", call.id))


def update(call: Call) -> Body:
    customer = call.tx.load("customer", call.id)
    before = render(call.tx, customer)
    after = customer | _changes(call.params)
    after["invoice_settings"] = customer["invoice_settings"] | call.params.get("invoice_settings", {})
    after["metadata"] = metadata.merged(customer["metadata"], call.params.get("metadata"))
    return render(call.tx, save_and_record(call.tx, "customer.updated", after, before=before))


def delete(call: Call) -> Body:
    """Deleting a customer cancels what it has subscribed to."""
    customer = call.tx.load("customer", call.id)
    for subscription in call.tx.all("subscription", customer=call.id):
        if subscription["status"] not in TERMINAL_STATUSES:
            cancel(call.tx, subscription)
    record(call.tx, "customer.deleted", customer)
    call.tx.delete(customer)
    return _stub(call.id)


def _stub(id: str) -> Body:
    return {"id": id, "object": "customer", "deleted": True}


def list_all(call: Call) -> Body:
    filters = listing.created(call.params) + listing.given(call.params, email="email")
    return listing.page(call.tx, kind="customer", url="/v1/customers", params=call.params, filters=filters)


def list_payment_methods(call: Call) -> Body:
    """Return an empty list: every charge is decided by the control API, none by a payment method."""
    customer = call.tx.load("customer", call.id)
    return {"object": "list", "data": [], "has_more": False, "url": f"/v1/customers/{customer['id']}/payment_methods"}


ROUTES = [
    route(
        "POST",
        "/v1/customers",
        "CustomerCreateParams",
        create,
        simulates=_CHANGEABLE,
        accepts="payment_method source validate",
    ),
    route("GET", "/v1/customers", "CustomerListParams", list_all, simulates=f"{PAGE} email"),
    route("GET", "/v1/customers/{id}", "CustomerRetrieveParams", retrieve),
    route(
        "POST",
        "/v1/customers/{id}",
        "CustomerUpdateParams",
        update,
        simulates=_CHANGEABLE,
        accepts="default_source source validate",
    ),
    route("DELETE", "/v1/customers/{id}", "CustomerDeleteParams", delete),
    route(
        "GET",
        "/v1/customers/{id}/payment_methods",
        "CustomerPaymentMethodListParams",
        list_payment_methods,
        simulates=f"{PAGE} type",
    ),
]
