"""Tenants: the list, and the page of one with its actions."""

from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied, ValidationError
from django.db.models import Prefetch, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from apps.backoffice import badges, overview
from apps.backoffice.asking import asked
from apps.backoffice.base import OperatorModelAdmin
from apps.backoffice.credits_actions import CREDITS_ACTIONS
from apps.backoffice.credits_page import CreditsView
from apps.backoffice.end_actions import END_ACTIONS
from apps.backoffice.override_actions import OVERRIDE_ACTIONS
from apps.backoffice.site import site
from apps.backoffice.tenant_actions import TENANT_ACTIONS, TenantAction
from apps.backoffice.tenant_page import tenant_page
from apps.backoffice.tenant_view import TenantView
from apps.backoffice.usage_actions import USAGE_ACTIONS
from apps.backoffice.usage_page import UsageView
from apps.core import clock
from apps.plans.models import PlanAssignment
from apps.tenants.models import Tenant, Tombstone

TABS: dict[str, type[TenantView]] = {"credits": CreditsView, "usage": UsageView}
BOOK_ACTIONS: dict[str, type[TenantAction]] = CREDITS_ACTIONS | USAGE_ACTIONS


def _name(where: str) -> str:
    """What a page is called, from its address below the tenant's: `credits_void` for `credits/<uuid:grant_id>/void`."""
    return "_".join(part for part in where.split("/") if not part.startswith("<"))


class ByEnd(admin.SimpleListFilter):
    """Tenants by what time is going to do to their data."""

    title = "end"
    parameter_name = "end"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        days = overview.SOON.days
        return [("soon", f"Deleted within {days} days"), ("planned", "Deletion planned"), ("kept", "Kept")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Tenant]) -> QuerySet[Tenant]:
        if self.value() == "soon":
            return queryset.filter(delete_at__lte=clock.now() + overview.SOON)
        if self.value() == "planned":
            return queryset.exclude(delete_at=None)
        return queryset.exclude(kept_because="") if self.value() == "kept" else queryset


@admin.register(Tenant, site=site)
class TenantAdmin(OperatorModelAdmin):
    list_display = ("tenant_id", "shown_name", "shown_state", "shown_provisioning", "plans", "customer", "created_at")
    list_filter = ("state", "provisioning", ByEnd)
    search_fields = ("tenant_id", "name", "stripe_customer_id")
    search_help_text = "Id, name or Stripe customer"
    empty_title = "No tenant yet"
    empty_text = (
        "A tenant appears when a subscription to a managed price gets the metadata tenant-id in Stripe, "
        "or with manage.py tenant_create ID."
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Tenant]:
        return (
            super()
            .get_queryset(request)
            .prefetch_related(Prefetch("assignments", PlanAssignment.objects.present().select_related("version__plan")))
        )

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Tenant | None = None) -> bool:
        return False

    def get_urls(self) -> list[URLPattern]:
        views: dict[str, Any] = {**TABS, **TENANT_ACTIONS, **OVERRIDE_ACTIONS, **END_ACTIONS, **BOOK_ACTIONS}
        pages = [
            path(f"<uuid:object_id>/{where}/", self._wrapped(view), name=f"tenant_{_name(where)}")
            for where, view in views.items()
        ]
        return [*pages, *super().get_urls()]

    def _wrapped(self, view: Any) -> Any:
        return self.admin_site.admin_view(view.as_view(model_admin=self))

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        tenant = self.get_object(request, object_id)
        if tenant is None:
            return self._what_is_left(object_id)
        if not self.has_view_permission(request, tenant):
            raise PermissionDenied
        now = clock.now()
        context = {
            **self.admin_site.each_context(request),
            "title": str(tenant),
            "opts": self.opts,
            "original": tenant,
            "page": tenant_page(tenant=tenant, now=now),
            "asked": asked(tenant=tenant, given=request.GET, now=now),
            "can_act": self.has_change_permission(request, tenant),
            "now": now,
            "tab": "overview",
            "tenant": tenant,
        }
        return TemplateResponse(request, "backoffice/tenant.html", context)

    def _what_is_left(self, object_id: str) -> HttpResponse:
        """Whoever watches a tenant being deleted is led to its tombstone."""
        try:
            left = Tombstone.objects.standing().get(tenant_uuid=object_id)
        except (Tombstone.DoesNotExist, ValidationError) as error:
            raise Http404 from error
        return redirect("admin:tenants_tombstone_change", left.pk)

    @admin.display(description="Name", ordering="name", empty_value="–")
    def shown_name(self, tenant: Tenant) -> str | None:
        return tenant.name or None

    @admin.display(description="State", ordering="state")
    def shown_state(self, tenant: Tenant) -> SafeString:
        whys = [tenant.state_description] if tenant.state_description else []
        if tenant.delete_at:
            whys.append(f"Its data is deleted on {tenant.delete_at:%-d %B %Y}.")
        lines = format_html_join("", ' <span class="op-why">{}</span>', ((why,) for why in whys))
        return format_html('<span class="op-cell">{}{}</span>', badges.state(tenant.state), lines)

    @admin.display(description="Provisioning", ordering="provisioning")
    def shown_provisioning(self, tenant: Tenant) -> SafeString:
        return badges.provisioning(tenant.provisioning)

    @admin.display(description="Plans", empty_value="–")
    def plans(self, tenant: Tenant) -> SafeString | None:
        refs = sorted({each.version.ref for each in tenant.assignments.all()})
        return format_html_join(" ", "<code>{}</code>", ((ref,) for ref in refs)) or None

    @admin.display(description="Stripe customer", ordering="stripe_customer_id", empty_value="–")
    def customer(self, tenant: Tenant) -> SafeString | None:
        return format_html("<code>{}</code>", tenant.stripe_customer_id) if tenant.stripe_customer_id else None
