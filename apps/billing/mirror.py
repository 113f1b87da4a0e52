"""The local mirror of Stripe: dj-stripe's tables, written from objects fetched by `gateway`.

Its writers run in the caller's transaction and never reach for the network; see
`keep_the_mirror_offline`.
"""

from typing import Any, NoReturn

import stripe
from django.db import transaction
from djstripe import models as djstripe
from djstripe.exceptions import ImpossibleAPIRequest
from djstripe.models.base import StripeBaseModel, StripeModel

from apps.billing.gateway import AccountInfo, CustomerFetch, Raw
from apps.billing.models import Installation


def keep_the_mirror_offline() -> None:
    """Stop dj-stripe from calling Stripe by itself, for the life of this process.

    Left alone, `sync_from_stripe_data` fetches whatever an object refers to in the
    middle of the transaction, and stores the API key to find the owning account.
    `ImpossibleAPIRequest` is its own way of saying «leave that reference empty».
    """

    def refuse(*args: Any, **kwargs: Any) -> NoReturn:
        raise ImpossibleAPIRequest("The mirror does not call Stripe.")

    def owner_account(cls: type[StripeModel], data: Any, api_key: Any = None, livemode: Any = None) -> Any:
        return _account()

    for name in ("api_retrieve", "_api_create", "_api_delete", "_api_update"):
        setattr(StripeModel, name, refuse)
    StripeBaseModel.api_list = classmethod(refuse)
    StripeModel._find_owner_account = classmethod(owner_account)
    djstripe.Product._sync_product_features = lambda product, api_key=None: None


def _account() -> djstripe.Account | None:
    installation = Installation.objects.first()
    return djstripe.Account.objects.filter(id=installation.account_id).first() if installation else None


def store_account(account: AccountInfo) -> None:
    """Write the account that owns everything else. Its logo would be fetched, so it is left out."""
    settings = {**(account.raw.get("settings") or {}), "branding": {}}
    djstripe.Account.sync_from_stripe_data(_as_stripe(stripe.Account, {**account.raw, "settings": settings}))


@transaction.atomic
def store_customer(fetched: CustomerFetch) -> None:
    """Write a customer with its subscriptions and open invoices.

    An invoice that was open and is not among them any more has been paid or voided;
    the mirror keeps open ones only.
    """
    djstripe.Customer.sync_from_stripe_data(_as_stripe(stripe.Customer, _complete(fetched.customer)))
    for subscription in fetched.subscriptions:
        djstripe.Subscription.sync_from_stripe_data(_as_stripe(stripe.Subscription, subscription))
    for invoice in fetched.open_invoices:
        djstripe.Invoice.sync_from_stripe_data(_as_stripe(stripe.Invoice, _alone(invoice)))
    known = [subscription["id"] for subscription in fetched.subscriptions]
    # Stripe forgets subscriptions only when a test account's data is deleted.
    djstripe.Subscription.objects.filter(customer_id=fetched.customer["id"]).exclude(id__in=known).delete()
    still_open = [invoice["id"] for invoice in fetched.open_invoices]
    djstripe.Invoice.objects.filter(customer_id=fetched.customer["id"]).exclude(id__in=still_open).delete()


def store_product(product: Raw) -> None:
    """Write a product; one that was deleted comes as a stub."""
    whole = {"name": "", "active": not product.get("deleted"), "metadata": {}, **product}
    djstripe.Product.sync_from_stripe_data(_as_stripe(stripe.Product, {**whole, "default_price": None}))


@transaction.atomic
def store_price(price: Raw) -> None:
    """Write a price, and the product inside it where there is none yet."""
    if not djstripe.Product.objects.filter(id=price["product"]["id"]).exists():
        store_product(price["product"])
    djstripe.Price.sync_from_stripe_data(_as_stripe(stripe.Price, price))


def forget_price(price_id: str) -> None:
    """Drop a price that Stripe does not have any more, unless a mirrored subscription has it."""
    djstripe.Price.objects.filter(id=price_id, subscription_items=None).delete()


def forget_product(product_id: str) -> None:
    """Drop a product that Stripe does not have any more, unless there is a mirrored price of it."""
    djstripe.Product.objects.filter(id=product_id, prices=None).delete()


def _as_stripe(kind: type[stripe.StripeObject], raw: Raw) -> stripe.StripeObject:
    """dj-stripe pages through nested lists, which plain dictionaries cannot do."""
    return kind.construct_from(raw, key=None)


def _complete(customer: Raw) -> Raw:
    """A deleted customer comes as a stub; discounts and sources have objects behind them that are not mirrored."""
    return {"invoice_settings": {}, "metadata": {}, **customer, "discount": None, "sources": None}


def _alone(invoice: Raw) -> Raw:
    """Without what has objects of its own behind it: only since when a payment is due matters here."""
    return {**invoice, "lines": [], "discounts": [], "default_tax_rates": []}
