"""Entitlements in templates.

    {% load entitlements %}
    {% if_entitled "sso" %}<a href="…">Single sign-on</a>{% else %}Not in your plan{% end_if_entitled %}
    {% meter "projects" %}

Both ask for the tenant of the request on whose page they stand.
"""

from typing import Any

from django import template
from django.template.base import FilterExpression, NodeList, Parser, Token

from apps.core import clock
from apps.entitlements import metering
from apps.entitlements.asking import check
from apps.tenants.models import Tenant

register = template.Library()


class IfEntitled(template.Node):
    """One of two parts, by whether the tenant may."""

    child_nodelists = ("granted", "otherwise")

    def __init__(self, feature: FilterExpression, granted: NodeList, otherwise: NodeList) -> None:
        self.feature, self.granted, self.otherwise = feature, granted, otherwise

    def render(self, context: template.Context) -> Any:
        feature = str(self.feature.resolve(context))
        decision = check(tenant=_tenant(context), feature=feature, now=clock.now())
        with context.push(decision=decision):
            return (self.granted if decision.has_access else self.otherwise).render(context)


@register.tag
def if_entitled(parser: Parser, token: Token) -> IfEntitled:
    """Show the first part where the tenant may use a feature, that behind `else` where not; `decision` tells why."""
    try:
        name, feature = token.split_contents()
    except ValueError as error:
        raise template.TemplateSyntaxError(
            f"{token.contents!r} needs one feature, such as {{% if_entitled 'sso' %}}."
        ) from error
    granted = parser.parse(("else", f"end_{name}"))
    otherwise = NodeList()
    if parser.next_token().contents == "else":
        otherwise = parser.parse((f"end_{name}",))
        parser.delete_first_token()
    return IfEntitled(parser.compile_filter(feature), granted, otherwise)


@register.inclusion_tag("entitlements/meter.html", takes_context=True)
def meter(context: template.Context, feature: str) -> dict[str, Any]:
    """How much of a feature the tenant uses, with its limit; nothing where there is no such feature."""
    tenant = _tenant(context)
    found = metering.meter(tenant=tenant, feature=feature, now=clock.now()) if tenant else None
    return {"meter": found}


def _tenant(context: template.Context) -> Tenant | None:
    found: Tenant | None = getattr(context.get("request"), "tenant", None)
    return found
