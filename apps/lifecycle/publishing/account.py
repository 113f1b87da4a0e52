"""Whose account it is, and where the vendor sees what is in it."""

from dataclasses import dataclass
from datetime import datetime

from django.conf import settings

from apps.billing import gateway
from apps.core.clock import from_timestamp


@dataclass(frozen=True)
class Whoami:
    """The account that the key belongs to, in Tier's words."""

    id: str
    email: str
    created: datetime | None
    key_source: str
    isolated: bool
    url: str


def whoami() -> Whoami:
    """Whose account it is.

    Raises:
        StripeRefused, StripeUnavailable: when Stripe does not say.
    """
    info = gateway.fetch_account()
    created = info.raw.get("created")
    return Whoami(
        id=info.id,
        email=info.raw.get("email") or "",
        created=from_timestamp(created) if created else None,
        key_source="STRIPE_SECRET_KEY",
        isolated=(info.raw.get("metadata") or {}).get("tier.account") == "switch",
        url=dashboard_url("settings", "account"),
    )


def dashboard_url(*parts: str) -> str:
    """Where the vendor sees something of the account in Stripe's dashboard."""
    mode = () if settings.STRIPE_LIVE_MODE else ("test",)
    return "/".join(["https://dashboard.stripe.com", *mode, *parts])
