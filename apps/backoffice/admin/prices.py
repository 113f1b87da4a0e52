"""Prices: the recurring ones of the Stripe account, and which of them Tenantry manages."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse

from apps.backoffice.base import ReadOnlyModelAdmin
from apps.backoffice.people import actor_of
from apps.backoffice.site import site
from apps.billing import selectors as billing
from apps.billing.types import Price
from apps.core import clock
from apps.core.errors import TenantryError
from apps.lifecycle import services as lifecycle
from apps.plans import selectors as plans
from apps.plans.gathering import features
from apps.plans.grants import terms_in_words
from apps.plans.metadata import LimitProblem, entity_name
from apps.plans.models import ManagedPrice
from apps.plans.offers import read_offer
from apps.plans.resolution import Grant, Grantable
from apps.plans.terms import Kind, amount_in_words


@dataclass(frozen=True)
class Granted:
    """What a price grants of one feature, in words; `terms` empty: nothing is unusual about it."""

    feature: str
    says: str
    terms: str


@dataclass(frozen=True)
class PriceRow:
    """A price with what its metadata grants. `group` None: its subscriptions are ignored."""

    price: Price
    grants: tuple[Granted, ...]
    problems: tuple[LimitProblem, ...]
    add_on: bool
    group: str | None
    by_settings: bool


@admin.register(ManagedPrice, site=site)
class PriceAdmin(ReadOnlyModelAdmin):
    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return bool(request.user.has_perm("plans.change_managedprice"))

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """The mirrored prices, and on POST the marking of one."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        if request.method == "POST":
            try:
                self._mark(request)
            except TenantryError as error:
                messages.error(request, str(error))
            return redirect("admin:plans_managedprice_changelist")
        context = {
            **self.admin_site.each_context(request),
            "title": "Prices",
            "rows": price_rows(),
            "can_act": self.has_change_permission(request),
        }
        return TemplateResponse(request, "backoffice/prices.html", context)

    def _mark(self, request: HttpRequest) -> None:
        if not self.has_change_permission(request):
            raise PermissionDenied
        price_id, group = request.POST.get("price", ""), request.POST.get("group", "")
        actor, now = actor_of(request), clock.now()
        if group in ManagedPrice.Group.values:
            lifecycle.manage_price(price_id=price_id, group=group, actor=actor, now=now)
            messages.success(request, f"{price_id} is managed now, as {group}.")
        else:
            still = lifecycle.unmanage_price(price_id=price_id, actor=actor, now=now)
            told = f"still managed by the settings, as {still}" if still else "no longer managed"
            messages.success(request, f"{price_id} is {told}; tenants on it keep what they have.")


def price_rows() -> tuple[PriceRow, ...]:
    """Every mirrored price with what Tenantry makes of it."""
    groups, known = plans.price_groups(), features()
    return tuple(_row(price, groups, known) for price in billing.mirrored_prices())


def _row(price: Price, groups: Mapping[str, str], known: Mapping[str, Grantable]) -> PriceRow:
    offer = read_offer(price.metadata, known)
    listed = {*settings.TENANTRY_RECURRING_PRICES, *settings.TENANTRY_METERED_PRICES}
    return PriceRow(
        price=price,
        grants=tuple(_granted(known.get(key) or _entity(key), grant) for key, grant in offer.grants.items()),
        problems=offer.problems,
        add_on=offer.add_on,
        group=groups.get(price.id),
        by_settings=price.id in listed,
    )


def _entity(key: str) -> Grantable:
    """What a price limits before it is a feature becomes one of these."""
    return Grantable(key, entity_name(key), Kind.COUNT.value)


def _granted(feature: Grantable, grant: Grant) -> Granted:
    says = amount_in_words(feature.kind, grant.limit, grant.value)
    return Granted(feature.key, says, terms_in_words(feature, grant.terms))
