"""What every page may have to say."""

from datetime import datetime
from typing import Any

from django import template
from django.conf import settings

from apps.core import clock
from apps.entitlements.metering import Meter
from apps.plans.resolution import Entitlement
from apps.portal import words

register = template.Library()

register.filter("grouped", words.grouped)
register.filter("signed", words.signed)
register.filter("value_in_words", words.value_in_words)


@register.simple_tag
def whom_to_ask() -> str:
    """The contact that a page gives to somebody who cannot help themselves."""
    return str(settings.TENANTRY_SUPPORT_CONTACT)


@register.simple_tag
def upgrade_url() -> str:
    """Where a tenant goes for more."""
    return str(settings.TENANTRY_UPGRADE_URL)


@register.simple_tag
def relative(moment: datetime, now: datetime | str = "") -> str:
    """How far away a moment is, from `now` or, where a page has none, from the present."""
    return words.relative(moment, now if isinstance(now, datetime) else clock.now())


@register.simple_tag
def counted(number: int, one: str, several: str) -> str:
    """A number with its word in the singular or the plural."""
    return words.counted(number, one, several)


@register.filter
def of_unit(number: int, entitlement: Entitlement) -> str:
    """So many calls, where the feature says that calls are what it counts."""
    return words.counted(number, entitlement.unit, entitlement.units or entitlement.unit)


@register.simple_tag
def meter_in_words(meter: Meter) -> str:
    """What a meter shows, in one breath, for who hears the page."""
    if meter.used is None or meter.limit is None:
        return ""
    said = [f"{words.grouped(meter.used)} of {of_unit(meter.limit, meter.entitlement)}"]
    said += [f"{meter.percent} %"] if meter.percent is not None else []
    said += [f"{words.grouped(meter.over)} over the limit"] if meter.over else []
    said += [f"resets {meter.resets_at:%-d %B %Y}"] if meter.resets_at else []
    return ", ".join(said)


@register.simple_tag
def source_in_words(entitlement: Entitlement) -> dict[str, Any]:
    """Where an entitlement comes from: in words, and by its refs where a plan has one."""
    said = SOURCES[entitlement.origin]
    return {"words": said, "ref": entitlement.source if entitlement.origin in NAMED else ""}


SOURCES = {
    "override": "An agreement with you",
    "plan": "Your plan",
    "add_on": "Your add-on",
    "default_plan": "The plan for everybody",
    "absent": "In no plan",
}
# Who has agreed on an exception, and why, is not for the tenant to read.
NAMED = frozenset({"plan", "add_on", "default_plan"})
