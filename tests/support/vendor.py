"""A vendor at work in Stripe, through the real SDK."""

from typing import Any

import stripe

from apps.plans.models import ManagedPrice
from tests.support.standin import StandIn

KEY = "sk_test_localstandin000000000000000"


class Vendor:
    """Makes prices, customers and subscriptions in the stand-in."""

    def __init__(self, standin: StandIn) -> None:
        self.standin = standin
        self.client = stripe.StripeClient(KEY, base_addresses={"api": standin.url})

    def register_endpoint(self, url: str) -> str:
        """Have events delivered to an address; returns the signing secret."""
        endpoint = self.client.v1.webhook_endpoints.create({"url": url, "enabled_events": ["*"]})
        return str(endpoint.secret)

    def price(
        self,
        *,
        name: str = "Starter",
        amount: int = 900,
        limits: dict[str, str] | None = None,
        managed: bool = True,
        interval: str = "month",
    ) -> str:
        """A price of a new product, by the month, with limits such as {"max-users": "3"} in its metadata."""
        product = self.client.v1.products.create({"name": name})
        price = self.client.v1.prices.create(
            {
                "product": product.id,
                "currency": "eur",
                "unit_amount": amount,
                "recurring": {"interval": interval},
                "metadata": limits if limits is not None else {"max-applications": "5", "max-users": "3"},
            }
        )
        if managed:
            self.manage(price.id)
        return str(price.id)

    def manage(self, price_id: str) -> None:
        """Put a price on the allow-list before anything is known of it."""
        ManagedPrice.objects.create(
            price_id=price_id, group="recurring", marked_by="test", marked_at="2026-01-01T00:00:00Z"
        )

    def customer(self, **texts: Any) -> str:
        """A customer."""
        given = {"name": "Acme Ltd", "email": "ann@acme.example", **texts}
        return str(self.client.v1.customers.create(given).id)  # type: ignore[arg-type]

    def subscribe(self, customer: str, price: str, **options: Any) -> str:
        """A subscription; `metadata` among the options."""
        given = {"customer": customer, "items": [{"price": price}], **options}
        return str(self.client.v1.subscriptions.create(given).id)  # type: ignore[arg-type]

    def edit_metadata(self, subscription: str, **metadata: str) -> None:
        """Save metadata on a subscription, `tenant_id` standing for `tenant-id`."""
        given = {key.replace("_", "-"): value for key, value in metadata.items()}
        self.client.v1.subscriptions.update(subscription, {"metadata": given})

    def change_price(self, subscription: str, price: str, **options: Any) -> None:
        """Move a subscription's only item to another price."""
        items = self.client.v1.subscriptions.retrieve(subscription)["items"]
        given: Any = {"items": [{"id": items.data[0].id, "price": price}], **options}
        self.client.v1.subscriptions.update(subscription, given)

    def cancel(self, subscription: str) -> None:
        """End a subscription now."""
        self.client.v1.subscriptions.cancel(subscription)

    def metadata_of(self, subscription: str) -> dict[str, str]:
        """A subscription's metadata as Stripe has it."""
        found = self.client.v1.subscriptions.retrieve(subscription).metadata
        return dict(found.to_dict())
