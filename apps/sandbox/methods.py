"""Payment methods of a customer: how they come, go, and which of them pays.

Contract: docs.stripe.com/api/payment_methods. What its test card does when it is charged is kept under `_outcome`, a
field that is never shown.
"""

from apps.sandbox import cards, errors, metadata
from apps.sandbox.cards import Card
from apps.sandbox.contract import Body
from apps.sandbox.errors import ApiError
from apps.sandbox.ids import new_id
from apps.sandbox.recording import record
from apps.sandbox.shapes import complete
from apps.sandbox.store import Transaction

_ADDRESS: Body = dict.fromkeys(("city", "country", "line1", "line2", "postal_code", "state"))
_EXPIRES: Body = {"exp_month": 12, "exp_year": 2040}


def make(tx: Transaction, card: Card, params: Body) -> Body:
    """Make a payment method of a test card that belongs to nobody yet; that is no subject of an event."""
    sent = params.get("card", {})
    dates = {name: sent.get(name, latest) for name, latest in _EXPIRES.items()}
    if not 1 <= dates["exp_month"] <= 12:
        raise errors.card("Your card's expiration month is invalid.", code="invalid_expiry_month", param="exp_month")
    method = {
        "id": new_id("pm"),
        "object": "payment_method",
        "allow_redisplay": params.get("allow_redisplay", "unspecified"),
        "billing_details": billing_details(params.get("billing_details") or {}),
        "card": cards.details(card, **dates),
        "created": tx.now,
        "livemode": False,
        "metadata": metadata.of(params),
        "type": "card",
        "_outcome": card.outcome,
        "_attach": card.attach,
    }
    return tx.insert(complete(method))


def billing_details(sent: Body) -> Body:
    plain = {name: sent.get(name) or None for name in ("email", "name", "phone", "tax_id")}
    return plain | {"address": _ADDRESS | (sent.get("address") or {})}


def named(tx: Transaction, id: str, *, param: str | None = None) -> Body:
    """Return the payment method of that id; a test payment method (`pm_card_visa`) becomes a new one."""
    card = cards.by_token(id)
    return tx.load("payment_method", id, param=param) if card is None else make(tx, card, {})


def attach(tx: Transaction, method: Body, *, customer: str) -> Body:
    """Give the payment method to the customer; records payment_method.attached.

    Raises a card error where the test card is one that a bank would refuse at once, and ApiError when it belongs, or
    belonged, to somebody.
    """
    if method["customer"] == customer:
        return method
    if method["customer"] is not None:
        raise ApiError("The payment method you provided has already been attached to a customer.")
    if method.get("_detached"):
        message = "This PaymentMethod was previously detached from a Customer, and may not be used again."
        raise ApiError(message)
    if method["_attach"]:
        raise errors.declined(method["_attach"])
    attached = tx.save(method | {"customer": customer})
    record(tx, "payment_method.attached", attached)
    return attached


def detach(tx: Transaction, method: Body) -> Body:
    """Take the payment method from its customer, for good; records payment_method.detached.

    The customer's and the subscriptions' defaults that named it become empty without events, as in Stripe.
    """
    owner = method["customer"]
    if owner is None:
        raise ApiError("The payment method you provided is not attached to a customer so detachment is impossible.")
    _forget(tx, method, owner=owner)
    detached = tx.save(method | {"customer": None, "_detached": True})
    record(tx, "payment_method.detached", detached, previous={"customer": owner})
    return detached


def _forget(tx: Transaction, method: Body, *, owner: str) -> None:
    customer = tx.find(owner) or {}
    settings = customer.get("invoice_settings", {})
    if settings.get("default_payment_method") == method["id"]:
        tx.save(customer | {"invoice_settings": settings | {"default_payment_method": None}})
    for subscription in tx.all("subscription", customer=owner):
        if subscription["default_payment_method"] == method["id"]:
            tx.save(subscription | {"default_payment_method": None})


def default(tx: Transaction, id: str | None, *, customer: str, param: str) -> str | None:
    """Return the id of a payment method that is to pay by default; a test payment method is attached in passing.

    Raises ApiError for one that is not attached to the customer.
    """
    if not id:
        return None
    if cards.by_token(id):
        return str(attach(tx, named(tx, id), customer=customer)["id"])
    if tx.load("payment_method", id, param=param)["customer"] != customer:
        message = (
            f"The customer does not have a payment method with the ID {id}. "
            "The payment method must be attached to the customer."
        )
        raise ApiError(message, code="resource_missing", param=param)
    return id


def payer(tx: Transaction, *, subscription: Body, customer: Body) -> Body | None:
    """Return the payment method that pays for the subscription: its own default, else the customer's."""
    id = subscription["default_payment_method"] or customer["invoice_settings"]["default_payment_method"]
    return tx.find(id) if id else None
