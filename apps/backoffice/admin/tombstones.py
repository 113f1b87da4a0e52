"""Deleted tenants: what is left of each, and how it comes back."""

import shlex
from datetime import datetime
from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import Case, Value, When
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.safestring import SafeString

from apps.backoffice import badges
from apps.backoffice.base import ReadOnlyModelAdmin
from apps.backoffice.entries import latest_about
from apps.backoffice.site import site
from apps.backoffice.tenant_page import dashboard_url
from apps.core import clock
from apps.tenants import burial
from apps.tenants.models import Tenant, Tombstone

STANDING_FIRST = Case(When(restored_at=None, then=Value(0)), default=Value(1))


@admin.register(Tombstone, site=site)
class TombstoneAdmin(ReadOnlyModelAdmin):
    list_display = ("tenant_id", "shown_name", "shown_state", "deleted_at", "by", "reason")
    search_fields = ("tenant_id", "name", "stripe_customer_id", "reason", "buried_by")
    search_help_text = "Id, name, Stripe customer, reason or who did it"
    ordering = (STANDING_FIRST, "-buried_at")
    empty_title = "No tenant has been deleted"
    empty_text = (
        "A tenant that is deleted, on its page or with manage.py tenant_delete ID, leaves here where its export is "
        "and how it is restored."
    )

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        tombstone = self.get_object(request, object_id)
        if tombstone is None:
            raise Http404
        if not self.has_view_permission(request, tombstone):
            raise PermissionDenied
        context = {
            **self.admin_site.each_context(request),
            "title": str(tombstone),
            "opts": self.opts,
            "original": tombstone,
            "tombstone": tombstone,
            "badge": badges.tombstone(tombstone),
            "command": f"manage.py tenant_restore {shlex.quote(tombstone.export_path)}",
            "tenant": Tenant.objects.filter(pk=tombstone.tenant_uuid).first(),
            "dropped_after": tombstone.buried_at + burial.BEFORE_DROPPING,
            "dashboard_url": dashboard_url(tombstone.stripe_customer_id),
            "entries": latest_about([tombstone.subject]),
            "now": clock.now(),
        }
        return TemplateResponse(request, "backoffice/tombstone.html", context)

    @admin.display(description="Name", ordering="name", empty_value="–")
    def shown_name(self, tombstone: Tombstone) -> str | None:
        return tombstone.name or None

    @admin.display(description="Deleted at", ordering="buried_at")
    def deleted_at(self, tombstone: Tombstone) -> datetime:
        return tombstone.buried_at

    @admin.display(description="By", ordering="buried_by", empty_value="–")
    def by(self, tombstone: Tombstone) -> str | None:
        return tombstone.buried_by or None

    @admin.display(description="State", ordering="restored_at")
    def shown_state(self, tombstone: Tombstone) -> SafeString:
        return badges.tombstone(tombstone)
