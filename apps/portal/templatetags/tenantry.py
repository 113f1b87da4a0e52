"""What every page may have to say."""

from django import template
from django.conf import settings

register = template.Library()


@register.simple_tag
def whom_to_ask() -> str:
    """The contact that a page gives to somebody who cannot help themselves."""
    return str(settings.TENANTRY_SUPPORT_CONTACT)


@register.filter
def grouped(value: int) -> str:
    """A whole number with its thousands set apart."""
    return f"{value:,}"
