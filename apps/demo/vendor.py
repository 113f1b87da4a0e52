"""What a vendor would do in Stripe, through Stripe's own SDK over HTTP.

Only what Stripe does by itself and no SDK can ask for (a payment that fails) goes
through the stand-in's control API.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Any

import requests
import stripe

from apps.demo.offer import PRICES

Say = Callable[[str], None]
Settle = Callable[[], None]

# Kept on the webhook endpoint once the vendor has done everything.
DONE = {"demonstration": "complete"}


class Vendor:
    """A vendor's hands in the Stripe account."""

    def __init__(self, *, client: stripe.StripeClient, standin_url: str, say: Say, settle: Settle) -> None:
        self._stripe = client.v1
        self._standin_url = standin_url
        self._say = say
        self._settle = settle

    def has_begun(self) -> bool:
        """Whether the account has customers already."""
        return bool(self._stripe.customers.list({"limit": 1}).data)

    def has_finished(self) -> bool:
        """Whether everything has been done in this account already."""
        return any(endpoint.metadata.to_dict() == DONE for endpoint in self._stripe.webhook_endpoints.list().data)

    def redirect_endpoint(self, url: str) -> bool:
        """Have Stripe deliver its events to another address; tells whether there is an endpoint."""
        existing = self._stripe.webhook_endpoints.list().data
        for endpoint in existing:
            self._stripe.webhook_endpoints.update(endpoint.id, {"url": url})
        return bool(existing)

    def make_endpoint(self, url: str) -> str:
        """Have Stripe deliver its events to this address; returns the signing secret, which is told only now."""
        for endpoint in self._stripe.webhook_endpoints.list().data:
            self._stripe.webhook_endpoints.delete(endpoint.id)
        return str(self._stripe.webhook_endpoints.create({"url": url, "enabled_events": ["*"]}).secret)

    def make_prices(self) -> dict[str, str]:
        """Products with prices that carry limits and grants; returns the ids of those to manage, by name."""
        self._say("Vendor: makes products, and prices with limits and grants in their metadata")
        made = {}
        for name, tag in PRICES.items():
            made[name] = self._price(tag.name, tag.amount, tag.currency, tag.metadata)
        return made

    def _price(self, name: str, amount: int, currency: str, metadata: dict[str, str]) -> str:
        product = self._stripe.products.create({"name": name})
        price = self._stripe.prices.create(
            {
                "product": product.id,
                "currency": currency,
                "unit_amount": amount,
                "recurring": {"interval": "month"},
                "metadata": metadata,
            }
        )
        return str(price.id)

    def subscribe_customers(self, prices: dict[str, str], *, billed_from: datetime) -> None:
        """Customers with subscriptions; their next billing period begins at `billed_from`, so one is under way."""
        self._billed_from = int(billed_from.timestamp())
        self._subscribe_and_edit_later(prices["starter"])
        self._subscribe_with_everything(prices["business"])
        self._subscribe_others(prices)
        self._settle()

    def let_time_pass(self, prices: dict[str, str]) -> None:
        """What becomes of some of the subscriptions."""
        self._let_a_payment_fail()
        self._cancel_one()
        self._upgrade_one(prices["enterprise"])
        self._settle()

    def finish(self) -> None:
        """Note in the account that everything has been done."""
        for endpoint in self._stripe.webhook_endpoints.list().data:
            self._stripe.webhook_endpoints.update(endpoint.id, {"metadata": DONE})

    def _subscribe_and_edit_later(self, price: str) -> None:
        self._say("Vendor: subscribes Acme, then saves a tenant-id on the subscription")
        acme = self._subscription(self._customer("Acme Ltd", "ann@acme.example"), price)
        self._settle()
        self._stripe.subscriptions.update(acme, {"metadata": {"tenant-id": "acme"}})

    def _subscribe_with_everything(self, price: str) -> None:
        self._say("Vendor: subscribes Globex with the tenant and its administrator in the metadata")
        metadata = {
            "tenant-id": "globex",
            "tenant-name": "Globex Corporation",
            "tenant-description": "Makers of things, since 1989.",
            "admin-user": "hank",
            "admin-email": "hank@globex.example",
            "admin-full-name": "Hank Scorpio",
        }
        self._subscription(self._customer("Globex Inc", "billing@globex.example"), price, metadata=metadata)

    def _subscribe_others(self, prices: dict[str, str]) -> None:
        self._say("Vendor: subscribes five more, one in dollars, one on trial, two that will not become tenants")
        self._initech = self._tenant("Initech", "initech", prices["business-usd"])
        self._umbrella = self._tenant("Umbrella Corporation", "umbrella", prices["starter"])
        self._hooli = self._tenant("Hooli", "hooli", prices["starter"], trial_period_days=14)
        self._subscription(self._customer("Wayne Enterprises", "bruce@wayne.example"), prices["starter"])
        unmanaged = self._price("Consulting", 15000, "eur", {})
        self._subscription(self._customer("Stark Industries", "tony@stark.example"), unmanaged)

    def _tenant(self, name: str, tenant_id: str, price: str, **options: Any) -> str:
        customer = self._customer(name, f"admin@{tenant_id}.example")
        return self._subscription(customer, price, metadata={"tenant-id": tenant_id}, **options)

    def _customer(self, name: str, email: str) -> str:
        return str(self._stripe.customers.create({"name": name, "email": email}).id)

    def _subscription(self, customer: str, price: str, **options: Any) -> str:
        if "trial_period_days" not in options:
            options["billing_cycle_anchor"] = self._billed_from
        given: Any = {"customer": customer, "items": [{"price": price}], **options}
        return str(self._stripe.subscriptions.create(given).id)

    def _let_a_payment_fail(self) -> None:
        self._say("Stripe: Initech's payment fails, so its subscription is past due")
        url = f"{self._standin_url}/_sandbox/subscriptions/{self._initech}/status"
        requests.post(url, json={"status": "past_due"}, timeout=30).raise_for_status()

    def _cancel_one(self) -> None:
        self._say("Vendor: cancels Umbrella's subscription")
        self._stripe.subscriptions.cancel(self._umbrella)

    def _upgrade_one(self, price: str) -> None:
        self._say("Vendor: moves Hooli to Enterprise")
        item = self._stripe.subscriptions.retrieve(self._hooli)["items"].data[0].id
        self._stripe.subscriptions.update(self._hooli, {"items": [{"id": item, "price": price}]})
