"""How the operator's pages write statuses, numbers and money."""

from decimal import Decimal

from django import template
from django.contrib.admin.utils import quote
from django.utils.safestring import SafeString

from apps.backoffice import badges
from apps.backoffice.badges import Look
from apps.billing.types import Price
from apps.plans.models import ManagedPrice

register = template.Library()
register.filter("state_badge", badges.state)
register.filter("provisioning_badge", badges.provisioning)
register.filter("outcome_badge", badges.outcome)
register.filter("event_badge", badges.event)
register.filter("admin_urlquote", quote)

# Currencies whose amounts Stripe gives in whole units, or in thousandths.
WITHOUT_DECIMALS = "bif clp djf gnf jpy kmf krw mga pyg rwf ugx vnd vuv xaf xof xpf"
WITH_THREE_DECIMALS = "bhd jod kwd omr tnd"


@register.filter
def managed_badge(group: str | None) -> SafeString:
    """Whether and as what a price is managed."""
    if group is None:
        return badges.badge("Ignored", Look("visibility_off", "default"))
    return badges.badge(ManagedPrice.Group(group).label, Look("check_circle", "success"))


@register.filter
def grouped(value: int) -> str:
    """A whole number with its thousands set apart."""
    return f"{value:,}"


@register.filter
def amount(price: Price) -> str:
    """What a price costs, such as 29.00 EUR a month."""
    if price.amount is None:
        return "tiered"
    decimals = 0 if price.currency in WITHOUT_DECIMALS else 3 if price.currency in WITH_THREE_DECIMALS else 2
    shown = Decimal(price.amount).scaleb(-decimals)
    return f"{shown:,.{decimals}f} {price.currency.upper()} a {price.interval}"
