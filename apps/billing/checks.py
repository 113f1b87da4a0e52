"""Checks of how this installation is connected to Stripe."""

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, register

STRIPE_HOST = "api.stripe.com"


@register(Tags.security)
def key_and_address_belong_together(app_configs: Sequence[Any] | None, **kwargs: Any) -> list[CheckMessage]:
    """A live key must never be shown to another host, nor the stand-in's to Stripe."""
    host = urlsplit(settings.STRIPE_API_BASE).hostname
    if settings.STRIPE_LIVE_MODE and host != STRIPE_HOST:
        return [
            Error(
                f"STRIPE_SECRET_KEY is a live key, but STRIPE_API_BASE is {settings.STRIPE_API_BASE}.",
                hint=f"Remove STRIPE_API_BASE, so that the key is sent to https://{STRIPE_HOST} only.",
                id="billing.E001",
            )
        ]
    if settings.TENANTRY_SANDBOX and host == STRIPE_HOST:
        return [
            Error(
                "STRIPE_SECRET_KEY is not set, but STRIPE_API_BASE points at Stripe itself.",
                hint="Set STRIPE_SECRET_KEY, or remove STRIPE_API_BASE to use the local stand-in.",
                id="billing.E002",
            )
        ]
    return []
