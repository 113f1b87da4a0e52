"""How the operator's pages write statuses and money."""

import json
import re
from datetime import datetime
from decimal import Decimal
from typing import Any

from django import template
from django.contrib.admin.utils import quote
from django.utils.safestring import SafeString

from apps.backoffice import badges
from apps.backoffice.badges import Look
from apps.billing.types import Price
from apps.plans.models import Allowance, ManagedPrice
from apps.plans.resolution import Entitlement
from apps.plans.terms import Aggregate, amount_in_words

register = template.Library()

# As `Actor.member` writes it.
MEMBER = re.compile(r"^member ([0-9a-f]{8})[0-9a-f-]{28} of .+$")
register.filter("state_badge", badges.state)
register.filter("provisioning_badge", badges.provisioning)
register.filter("outcome_badge", badges.outcome)
register.filter("category_badge", badges.category)
register.filter("decision_badge", badges.decision)
register.filter("admin_urlquote", quote)


@register.filter
def is_moment(value: object) -> bool:
    """Whether a value of the audit is a moment."""
    return isinstance(value, datetime)


@register.filter
def is_number(value: object) -> bool:
    """Whether a value is a whole number, which neither True nor False is."""
    return isinstance(value, int) and not isinstance(value, bool)


@register.filter
def plain(value: Any) -> str:
    """A number or a value of any kind as it is, a number with its thousands set apart; nothing is a dash."""
    if value is None:
        return "–"
    return f"{value:,}" if is_number(value) else json.dumps(value, ensure_ascii=False)


@register.filter
def grant_in_words(allowance: Allowance) -> str:
    """What an allowance grants, such as 1,000, unlimited or on."""
    return amount_in_words(allowance.kind, allowance.limit, allowance.value)


@register.filter
def counting(entitlement: Entitlement) -> str:
    """What becomes of the amounts of a feature within a period, in words."""
    return Aggregate(entitlement.aggregate).label


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
def amount(price: Price) -> str:
    """What a price costs, such as 29.00 EUR a month, or 0.005 EUR every 3 months."""
    if price.amount is None:
        return f"{'tiered' if price.tiered else 'no fixed amount'}, {_every(price)}"
    due = f"a {price.interval}" if price.interval_count == 1 else _every(price)
    return f"{_in_major_units(price.amount, price.currency)} {price.currency.upper()} {due}"


def _every(price: Price) -> str:
    return f"every {price.interval}" if price.interval_count == 1 else f"every {price.interval_count} {price.interval}s"


def _in_major_units(amount: Decimal, currency: str) -> str:
    decimals = 0 if currency in WITHOUT_DECIMALS else 3 if currency in WITH_THREE_DECIMALS else 2
    exact = amount.scaleb(-decimals)
    # Fractions of a minor unit are shown in full: rounded, 0.5 cents would be nothing or twice as much.
    plain = f"{exact.normalize():f}"
    return f"{exact:,.{max(decimals, len(plain.partition('.')[2]))}f}"


@register.filter
def short_actor(label: str) -> str:
    """Who did something, without most of a member's UUID, which only tells one from another."""
    return MEMBER.sub(r"member \1…", label)
