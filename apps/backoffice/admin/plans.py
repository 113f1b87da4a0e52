"""Plans: the versions that were published from the prices' metadata, and what each grants."""

from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import Count, Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from apps.backoffice.base import ReadOnlyModelAdmin
from apps.backoffice.site import site
from apps.core import clock
from apps.plans.models import DefaultPlan, PlanVersion
from apps.plans.terms import NUMBERED, PERIODIC, amount_in_words


@admin.register(PlanVersion, site=site)
class PlanVersionAdmin(ReadOnlyModelAdmin):
    list_display = ("shown_ref", "plan_name", "price", "limits", "tenants", "published_at")
    search_fields = ("plan__key", "plan__name", "plan__price_id")
    search_help_text = "Plan or price"
    list_select_related = ("plan",)
    empty_title = "No plan yet"
    empty_text = "Every managed price of Stripe becomes one; its metadata max-<entity> become its limits."

    def get_queryset(self, request: HttpRequest) -> QuerySet[PlanVersion]:
        counted: QuerySet[PlanVersion] = (
            super()
            .get_queryset(request)
            .annotate(held_by=Count("planassignment__tenant", filter=Q(planassignment__valid_to=None), distinct=True))
        )
        return counted.prefetch_related("allowances__feature")

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """What a version grants, with every term of it."""
        version = self.get_object(request, object_id)
        if version is None:
            raise Http404
        if not self.has_view_permission(request, version):
            raise PermissionDenied
        versions = version.plan.versions.order_by("-number")
        is_newest = versions[0].pk == version.pk
        context = {
            **self.admin_site.each_context(request),
            "title": version.ref,
            "opts": self.opts,
            "original": version,
            "version": version,
            "versions": versions,
            "allowances": version.allowances.all(),
            "held_by": self.tenants(version),
            "is_default": is_newest and DefaultPlan.objects.present().filter(plan=version.plan_id).exists(),
            "numbered": NUMBERED,
            "periodic": PERIODIC,
            "now": clock.now(),
        }
        return TemplateResponse(request, "backoffice/plan_version.html", context)

    @admin.display(description="Version", ordering="plan__key")
    def shown_ref(self, version: PlanVersion) -> SafeString:
        return format_html("<code>{}</code>{}", version.ref, " add-on" if version.add_on else "")

    @admin.display(description="Plan", ordering="plan__name")
    def plan_name(self, version: PlanVersion) -> str:
        return version.plan.name

    @admin.display(description="Stripe price", ordering="plan__price_id", empty_value="none")
    def price(self, version: PlanVersion) -> SafeString | None:
        return format_html("<code>{}</code>", version.plan.price_id) if version.plan.price_id else None

    @admin.display(description="Grants (any other entity is unlimited)", empty_value="Every entity is unlimited")
    def limits(self, version: PlanVersion) -> SafeString:
        lines = (
            (each.feature.name, amount_in_words(each.kind, each.limit, each.value)) for each in version.allowances.all()
        )
        return format_html_join("", '<span class="op-limit">{} <b>{}</b></span> ', lines)

    @admin.display(description="Held by", ordering="held_by")
    def tenants(self, version: PlanVersion) -> str:
        held_by: int = version.held_by  # type: ignore[attr-defined]
        return f"{held_by:,} tenant{'' if held_by == 1 else 's'}"
