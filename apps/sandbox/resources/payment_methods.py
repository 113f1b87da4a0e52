"""Payment methods, of type card. Contract: docs.stripe.com/api/payment_methods."""

from apps.sandbox import cards, errors, listing, metadata, methods
from apps.sandbox.cards import Card
from apps.sandbox.contract import Body
from apps.sandbox.errors import ApiError
from apps.sandbox.recording import save_and_record
from apps.sandbox.render import render
from apps.sandbox.routing import CURSORS, Call, route


def create(call: Call) -> Body:
    """Make a payment method of a test card, named by number, test token or test payment method."""
    if call.params.get("type", "card") != "card":
        raise errors.not_simulated(f"type={call.params['type']}")
    return render(call.tx, methods.make(call.tx, _card(call.params.get("card") or {}), call.params))


def _card(sent: Body) -> Card:
    if "token" in sent:
        found = cards.by_token(sent["token"])
        if found is None:
            raise errors.no_such(kind="token", id=sent["token"], param="card[token]")
        return found
    if "number" not in sent:
        raise errors.missing("card[number]")
    return cards.by_number(sent["number"])


def retrieve(call: Call) -> Body:
    return render(call.tx, call.tx.load("payment_method", call.id))


def update(call: Call) -> Body:
    """Change the billing details, the date of expiry or metadata; records payment_method.updated once attached."""
    method = call.tx.load("payment_method", call.id)
    if method["customer"] is None:
        raise ApiError("You must save this PaymentMethod to a customer before you can update it.")
    sent = call.params
    before = render(call.tx, method)
    after = method | {
        "billing_details": method["billing_details"] | (sent.get("billing_details") or {}),
        "card": method["card"] | {name: sent["card"][name] for name in _DATES if name in (sent.get("card") or {})},
        "metadata": metadata.merged(method["metadata"], sent.get("metadata")),
    }
    return render(call.tx, save_and_record(call.tx, "payment_method.updated", after, before=before))


_DATES = ("exp_month", "exp_year")


def attach(call: Call) -> Body:
    if "customer" not in call.params:
        raise errors.missing("customer")
    customer = call.tx.load("customer", call.params["customer"], param="customer")
    method = methods.named(call.tx, call.id)
    return render(call.tx, methods.attach(call.tx, method, customer=customer["id"]))


def detach(call: Call) -> Body:
    return render(call.tx, methods.detach(call.tx, call.tx.load("payment_method", call.id)))


def list_all(call: Call) -> Body:
    filters = listing.given(call.params, customer="customer", type="type")
    return listing.page(call.tx, kind="payment_method", url="/v1/payment_methods", params=call.params, filters=filters)


def list_of_customer(call: Call) -> Body:
    customer = call.tx.load("customer", call.id)
    filters = [listing.equals("customer", customer["id"]), *listing.given(call.params, type="type")]
    url = f"/v1/customers/{customer['id']}/payment_methods"
    return listing.page(call.tx, kind="payment_method", url=url, params=call.params, filters=filters)


def retrieve_of_customer(call: Call) -> Body:
    customer, id = call.ids
    method = call.tx.load("payment_method", id)
    if method["customer"] != customer:
        raise errors.no_such(kind="payment_method", id=id)
    return render(call.tx, method)


ROUTES = [
    route(
        "POST",
        "/v1/payment_methods",
        "PaymentMethodCreateParams",
        create,
        simulates="type card billing_details metadata allow_redisplay",
    ),
    route("GET", "/v1/payment_methods", "PaymentMethodListParams", list_all, simulates=f"{CURSORS} customer type"),
    route("GET", "/v1/payment_methods/{id}", "PaymentMethodRetrieveParams", retrieve),
    route(
        "POST",
        "/v1/payment_methods/{id}",
        "PaymentMethodUpdateParams",
        update,
        simulates="billing_details card metadata",
    ),
    route("POST", "/v1/payment_methods/{id}/attach", "PaymentMethodAttachParams", attach, simulates="customer"),
    route("POST", "/v1/payment_methods/{id}/detach", "PaymentMethodDetachParams", detach),
    route(
        "GET",
        "/v1/customers/{id}/payment_methods",
        "CustomerPaymentMethodListParams",
        list_of_customer,
        simulates=f"{CURSORS} type",
    ),
    route(
        "GET",
        "/v1/customers/{id}/payment_methods/{id}",
        "CustomerPaymentMethodRetrieveParams",
        retrieve_of_customer,
    ),
]
