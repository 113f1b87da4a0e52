"""Which fields an object has: read from the annotations of the stripe package's resource classes."""

import importlib
import inspect
import typing
from functools import cache
from typing import Any, Final

from apps.sandbox.contract import Body

_CLASSES: Final = {
    "account": "Account",
    "billing.credit_grant": "billing.CreditGrant",
    "billing.meter": "billing.Meter",
    "billing.meter_event": "billing.MeterEvent",
    "billing.meter_event_adjustment": "billing.MeterEventAdjustment",
    "billing.meter_event_summary": "billing.MeterEventSummary",
    "billing_portal.session": "billing_portal.Session",
    "checkout.session": "checkout.Session",
    "coupon": "Coupon",
    "customer": "Customer",
    "discount": "Discount",
    "entitlements.active_entitlement": "entitlements.ActiveEntitlement",
    "entitlements.feature": "entitlements.Feature",
    "event": "Event",
    "invoice": "Invoice",
    "invoiceitem": "InvoiceItem",
    "line_item": "InvoiceLineItem",
    "payment_method": "PaymentMethod",
    "plan": "Plan",
    "price": "Price",
    "product": "Product",
    "promotion_code": "PromotionCode",
    "subscription": "Subscription",
    "subscription_item": "SubscriptionItem",
    "subscription_schedule": "SubscriptionSchedule",
    "test_helpers.test_clock": "test_helpers.TestClock",
    "v2.core.event_destination": "v2.core.EventDestination",
    "webhook_endpoint": "WebhookEndpoint",
}

INCLUDABLE: Final = {
    "checkout.session": frozenset({"line_items"}),
    "coupon": frozenset({"applies_to", "currency_options"}),
    "customer": frozenset({"cash_balance", "invoice_credit_balance", "sources", "subscriptions", "tax", "tax_ids"}),
    "invoice": frozenset({"confirmation_secret", "payments"}),
    "price": frozenset({"currency_options", "tiers"}),
    "v2.core.event": frozenset({"data"}),
}
"""Fields that Stripe leaves out unless `expand` asks for them (docs.stripe.com/expand)."""

_CARD_ONLY: Final = {
    "payment_method": frozenset(
        {
            "allow_redisplay",
            "billing_details",
            "card",
            "created",
            "customer",
            "customer_account",
            "id",
            "livemode",
            "metadata",
            "object",
            "type",
        }
    ),
}
"""Kinds whose class has a field for each of many types, of which an object shows its own only."""

_SOMETIMES: Final = {
    "account": frozenset({"company", "groups", "individual"}),
    "event": frozenset({"account", "context"}),
    "invoiceitem": frozenset({"frozen_fields"}),
    "plan": frozenset({"tiers"}),
    "subscription": frozenset({"managed_payments", "presentment_details"}),
    "webhook_endpoint": frozenset({"secret"}),
}


def complete(body: Body) -> Body:
    """Return `body` with every field that its kind always has; those not given are null."""
    return dict.fromkeys(_always(body["object"])) | body


def is_expandable(*, kind: str, field: str) -> bool:
    """Tell whether the field holds an id that `expand` can turn into the object."""
    return field in _references(kind)


@cache
def _always(kind: str) -> tuple[str, ...]:
    left_out = {"deleted"} | INCLUDABLE.get(kind, frozenset()) | _SOMETIMES.get(kind, frozenset())
    known = _CARD_ONLY.get(kind, _annotations(kind).keys())
    return tuple(name for name in _annotations(kind) if name in known and name not in left_out)


@cache
def _references(kind: str) -> frozenset[str]:
    return frozenset(name for name, hint in _annotations(kind).items() if _is_reference(hint))


@cache
def _annotations(kind: str) -> dict[str, Any]:
    if kind not in _CLASSES:
        return {}
    package, _, name = f"stripe.{_CLASSES[kind]}".rpartition(".")
    resource = getattr(importlib.import_module(package), name)
    fields = inspect.get_annotations(resource)
    # The class's own constants are annotated too, and written in capitals.
    return {name: hint for name, hint in fields.items() if name.islower() and not name.startswith("_")}


def _is_reference(hint: Any) -> bool:
    """An expandable field is annotated as "text, or a resource that is named further down the package", or many."""
    choices = typing.get_args(hint)
    lists = (choice for choice in choices if typing.get_args(choice))
    is_one = str in choices and any(isinstance(choice, typing.ForwardRef) for choice in choices)
    return is_one or any(_is_reference(choice) for choice in lists)
