"""What is known of Stripe's objects: frozen values, no object of any library."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal


@dataclass(frozen=True)
class Item:
    """One price within a subscription. `quantity` is 1 where Stripe counts none, as with metered prices."""

    id: str
    price_id: str
    quantity: int


@dataclass(frozen=True)
class Subscription:
    """A Stripe subscription. `metadata` never holds the administrator's password.

    One of its billing periods begins at `billing_cycle_anchor`, which may lie ahead, as during a trial.
    """

    id: str
    customer_id: str
    status: str
    created: datetime
    metadata: Mapping[str, str]
    items: tuple[Item, ...]
    cancel_at: datetime | None
    ended_at: datetime | None
    billing_cycle_anchor: datetime | None = None

    @property
    def subject(self) -> str:
        """How the audit and the alerts name this subscription."""
        return f"subscription:{self.id}"


@dataclass(frozen=True)
class Customer:
    """A Stripe customer; empty texts where Stripe has none. `frozen_at`: the time it is on their test clock."""

    id: str
    name: str
    email: str
    description: str
    frozen_at: datetime | None


@dataclass(frozen=True)
class Price:
    """A Stripe price with what is shown of its product.

    `amount` is in minor units and may have a fraction of one; None when no single amount
    says what the price costs, as with tiers. It is due every `interval_count` intervals.
    `usage_type` is licensed or metered, and `meter` is what counts the usage; a metered price
    without one is of Stripe's former usage records.
    """

    id: str
    product_id: str
    product_name: str
    nickname: str
    lookup_key: str
    metadata: Mapping[str, str]
    active: bool
    amount: Decimal | None
    tiered: bool
    currency: str
    interval: str
    interval_count: int
    usage_type: str = "licensed"
    meter: str = ""

    @property
    def is_legacy(self) -> bool:
        """Whether it counts by usage records, which Stripe no longer has."""
        return self.usage_type == "metered" and not self.meter

    @property
    def subject(self) -> str:
        """How the audit and the alerts name this price."""
        return f"price:{self.id}"


@dataclass(frozen=True)
class OpenInvoice:
    """A finalized invoice of a subscription that is not paid. `due_date` None: it is charged, not sent."""

    id: str
    subscription_id: str
    finalized_at: datetime
    due_date: datetime | None

    @property
    def due_since(self) -> datetime:
        """From when on it is overdue."""
        return self.due_date or self.finalized_at


@dataclass(frozen=True, repr=False)
class Secret:
    """A text that must not appear in any log, trace or table."""

    value: str

    def __repr__(self) -> str:
        return "Secret(…)"
