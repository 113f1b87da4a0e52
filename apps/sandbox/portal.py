"""Billing portal sessions, and what a customer can do there. Contract: docs.stripe.com/api/customer_portal/sessions.

There is one configuration, which allows everything: to cancel at the period's end or now, to go on, to change the plan
with prorations, and to update the card.
"""

from typing import Final

from apps.sandbox import errors, methods
from apps.sandbox.cards import Card
from apps.sandbox.checkout import check_url
from apps.sandbox.contract import Body
from apps.sandbox.ids import new_id, random_text
from apps.sandbox.recording import save_and_record
from apps.sandbox.render import render
from apps.sandbox.shapes import complete
from apps.sandbox.store import Transaction

KIND: Final = "billing_portal.session"


def make(tx: Transaction, params: Body) -> Body:
    """Make a session for the customer, with the page that its `url` leads to."""
    if "customer" not in params:
        raise errors.missing("customer")
    tx.load("customer", params["customer"], param="customer")
    check_url(params.get("return_url"), param="return_url")
    id = new_id("bps")
    session = {
        "id": id,
        "object": KIND,
        "configuration": _configuration(tx),
        "created": tx.now,
        "customer": params["customer"],
        "flow": params.get("flow_data"),
        "livemode": False,
        "locale": params.get("locale"),
        "return_url": params.get("return_url"),
        "url": f"{tx.base}/p/session/{id}",
    }
    return tx.insert(complete(session))


def _configuration(tx: Transaction) -> str:
    """Return the id of the default configuration, made up once for each store."""
    id: str | None = tx.setting("portal")
    if id is None:
        id = "bpc_" + random_text(24)
        tx.set("portal", id)
    return id


def update_card(tx: Transaction, customer: Body, card: Card) -> None:
    """Attach a new card and make it what the customer's invoices, and those of each subscription, are paid with."""
    method = methods.attach(tx, methods.make(tx, card, {}), customer=customer["id"])
    before = render(tx, customer)
    settings = customer["invoice_settings"] | {"default_payment_method": method["id"]}
    save_and_record(tx, "customer.updated", customer | {"invoice_settings": settings}, before=before)
    for subscription in tx.all("subscription", customer=customer["id"]):
        if subscription["default_payment_method"]:
            shown = render(tx, subscription)
            changed = subscription | {"default_payment_method": method["id"]}
            save_and_record(tx, "customer.subscription.updated", changed, before=shown)
