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
from apps.plans.metadata import PriceLimits, read_price_limits
from apps.plans.models import ManagedPrice


@dataclass(frozen=True)
class PriceRow:
    """A price with what its metadata limits. `group` None: its subscriptions are ignored."""

    price: Price
    limits: PriceLimits
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
    groups = plans.price_groups()
    return tuple(_row(price, groups) for price in billing.mirrored_prices())


def _row(price: Price, groups: Mapping[str, str]) -> PriceRow:
    listed = {*settings.TENANTRY_RECURRING_PRICES, *settings.TENANTRY_METERED_PRICES}
    return PriceRow(price, read_price_limits(price.metadata), groups.get(price.id), price.id in listed)
