"""Making a customer, which the API and the hosted checkout do."""

from apps.sandbox import metadata
from apps.sandbox.contract import Body
from apps.sandbox.ids import random_text
from apps.sandbox.shapes import complete
from apps.sandbox.store import Transaction

PLAIN = "address balance business_name description email individual_name name phone preferred_locales shipping"
"""Fields that are kept just as they are sent; empty text unsets them."""

_INVOICE_SETTINGS: Body = {
    "custom_fields": None,
    "default_payment_method": None,
    "footer": None,
    "rendering_options": None,
}


def insert_customer(tx: Transaction, params: Body) -> Body:
    """Make a customer of `params` without its payment methods; what it is told by is left to the caller."""
    customer = {
        "id": "cus_" + random_text(14),
        "object": "customer",
        "balance": 0,
        "created": tx.now,
        "invoice_prefix": random_text(8).upper(),
        "livemode": False,
        "preferred_locales": [],
        "tax_exempt": "none",
        "test_clock": params.get("test_clock"),
        **changes(params),
        "invoice_settings": _INVOICE_SETTINGS,
        "metadata": metadata.of(params),
    }
    return tx.insert(complete(customer))


def changes(params: Body) -> Body:
    names = [*PLAIN.split(), "tax_exempt", "invoice_prefix"]
    return {name: params[name] if params[name] != "" else None for name in names if name in params}
