"""The small moving parts of the sidebar and the header."""

from django.conf import settings
from django.http import HttpRequest

from apps.audit.models import Alert


def open_alerts(request: HttpRequest) -> str:
    """How many alerts are open; nothing is shown for none."""
    count = Alert.objects.open().count()
    return str(count) if count else ""


def stripe_mode(request: HttpRequest) -> list[str]:
    """Which Stripe this installation talks to, on every page."""
    if settings.TENANTRY_SANDBOX:
        return ["Stripe stand-in", "warning"]
    return ["Stripe live mode", "success"] if settings.STRIPE_LIVE_MODE else ["Stripe test mode", "info"]
