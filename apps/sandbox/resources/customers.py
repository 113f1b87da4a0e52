"""Customers. Contract: docs.stripe.com/api/customers."""

from apps.sandbox import cards, clocks, listing, metadata, methods
from apps.sandbox.cancellation import delete_customer
from apps.sandbox.contract import Body
from apps.sandbox.customers import PLAIN, changes, insert_customer
from apps.sandbox.recording import record, save_and_record
from apps.sandbox.render import render
from apps.sandbox.routing import PAGE, Call, route
from apps.sandbox.store import Transaction

_CHANGEABLE = f"{PLAIN} tax_exempt invoice_prefix metadata invoice_settings"


def create(call: Call) -> Body:
    """Make a customer, on `test_clock` if one is named; nobody comes onto a clock, or off it, later."""
    if "test_clock" in call.params:
        call.tx.load(clocks.KIND, call.params["test_clock"], param="test_clock")
    customer = insert_customer(call.tx, call.params)
    stored = call.tx.save(_with_payment(call.tx, customer, call.params))
    record(call.tx, "customer.created", stored)
    return render(call.tx, stored)


def _with_payment(tx: Transaction, customer: Body, params: Body) -> Body:
    """Return the customer with the invoice settings that are sent, and attach `payment_method` to it.

    The same test payment method in both places is one payment method.
    """
    sent = dict(params.get("invoice_settings") or {})
    named, default = params.get("payment_method"), sent.get("default_payment_method")
    attached = methods.attach(tx, methods.named(tx, named), customer=customer["id"])["id"] if named else None
    if "default_payment_method" in sent:
        id = attached if named == default and cards.by_token(default or "") else default
        param = "invoice_settings[default_payment_method]"
        sent["default_payment_method"] = methods.default(tx, id, customer=customer["id"], param=param)
    return customer | {"invoice_settings": customer["invoice_settings"] | sent}


def retrieve(call: Call) -> Body:
    """A deleted customer can still be retrieved, as its id and `deleted`."""
    if call.tx.is_deleted(call.id):
        return _stub(call.id)
    return render(call.tx, call.tx.load("customer", call.id))


def update(call: Call) -> Body:
    customer = call.tx.load("customer", call.id)
    before = render(call.tx, customer)
    after = _with_payment(call.tx, customer, call.params) | changes(call.params)
    after["metadata"] = metadata.merged(customer["metadata"], call.params.get("metadata"))
    return render(call.tx, save_and_record(call.tx, "customer.updated", after, before=before))


def delete(call: Call) -> Body:
    """Deleting a customer cancels what it has subscribed to."""
    delete_customer(call.tx, call.tx.load("customer", call.id))
    return _stub(call.id)


def _stub(id: str) -> Body:
    return {"id": id, "object": "customer", "deleted": True}


def list_all(call: Call) -> Body:
    """List customers; those on a test clock only when it is named, as in Stripe."""
    filters = listing.created(call.params) + listing.given(call.params, email="email")
    filters.append(listing.on_clock(call.params.get("test_clock")))
    return listing.page(call.tx, kind="customer", url="/v1/customers", params=call.params, filters=filters)


ROUTES = [
    route(
        "POST",
        "/v1/customers",
        "CustomerCreateParams",
        create,
        simulates=f"{_CHANGEABLE} payment_method test_clock",
        accepts="source validate",
    ),
    route("GET", "/v1/customers", "CustomerListParams", list_all, simulates=f"{PAGE} email test_clock"),
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
]
