"""Features: what plans can grant."""

from django.contrib import admin
from django.db.models import Count, QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from apps.backoffice.base import ReadOnlyModelAdmin
from apps.backoffice.site import site
from apps.plans.models import Allowance, Feature
from apps.plans.terms import Aggregate, Kind, amount_in_words


@admin.register(Feature, site=site)
class FeatureAdmin(ReadOnlyModelAdmin):
    list_display = ("shown_key", "name", "shown_kind", "counts", "shown_unit", "plan_versions")
    list_display_links = ("shown_key", "name")
    list_filter = ("kind",)
    search_fields = ("key", "name")
    search_help_text = "Key or name"
    fields = ("shown_key", "name", "shown_kind", "counts", "shown_unit", "when_absent", "granted_by")
    readonly_fields = ("shown_key", "shown_kind", "counts", "shown_unit", "when_absent", "granted_by")
    empty_title = "No feature yet"
    empty_text = (
        "A price's metadata max-<entity> makes one, and so does manage.py feature_define. "
        "The Things Stack's entities are known without that."
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Feature]:
        rows: QuerySet[Feature] = super().get_queryset(request)
        return rows.annotate(versions=Count("allowance__version", distinct=True))

    @admin.display(description="Key", ordering="key")
    def shown_key(self, feature: Feature) -> SafeString:
        return format_html("<code>{}</code>", feature.key)

    @admin.display(description="Kind", ordering="kind")
    def shown_kind(self, feature: Feature) -> str:
        return Kind(feature.kind).label

    @admin.display(description="Counts", ordering="aggregate", empty_value="–")
    def counts(self, feature: Feature) -> str | None:
        return Aggregate(feature.aggregate).label if feature.kind == Kind.METERED else None

    @admin.display(description="Unit", empty_value="–")
    def shown_unit(self, feature: Feature) -> str | None:
        return ", ".join(dict.fromkeys(each for each in (feature.unit, feature.units) if each)) or None

    @admin.display(description="Granted by", ordering="versions")
    def plan_versions(self, feature: Feature) -> str:
        versions: int = feature.versions  # type: ignore[attr-defined]
        return f"{versions:,} plan version{'' if versions == 1 else 's'}" if versions else "no plan"

    @admin.display(description="A plan that says nothing about it")
    def when_absent(self, feature: Feature) -> str:
        return "does not limit it" if feature.unlimited_when_absent else "does not grant it"

    @admin.display(description="Granted by", empty_value="No plan")
    def granted_by(self, feature: Feature) -> SafeString | None:
        rows = Allowance.objects.filter(feature=feature).select_related("version__plan")
        lines = (
            (
                reverse("admin:plans_planversion_change", args=[each.version_id]),
                each.version.ref,
                amount_in_words(each.kind, each.limit, each.value),
            )
            for each in _ordered(rows)
        )
        link = '<span class="op-limit"><a href="{}"><code>{}</code></a> <b>{}</b></span>'
        return format_html_join(" ", link, lines) or None


def _ordered(rows: QuerySet[Allowance]) -> QuerySet[Allowance]:
    return rows.order_by("version__plan__key", "-version__number")
