"""Alerts: what needs a person, the open ones unless others are asked for."""

from collections.abc import Iterator
from typing import Any

from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString

from apps.audit.models import Alert
from apps.backoffice import badges
from apps.backoffice.base import ReadOnlyModelAdmin
from apps.backoffice.site import site


class ByOpenness(admin.SimpleListFilter):
    """Open alerts by default; the cleared ones, or all, on demand."""

    title = "state"
    parameter_name = "shown"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("cleared", "Cleared"), ("all", "All")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Alert]) -> QuerySet[Alert]:
        if self.value() == "all":
            return queryset
        return queryset.filter(cleared_at__isnull=self.value() != "cleared")

    def choices(self, changelist: ChangeList) -> Iterator[dict[str, Any]]:  # type: ignore[override]
        everything, *others = super().choices(changelist)
        yield {**everything, "display": "Open"}
        for other in others:
            yield {**other}


@admin.register(Alert, site=site)
class AlertAdmin(ReadOnlyModelAdmin):
    list_display = ("message", "shown_state", "subject", "code", "raised_at", "last_seen_at")
    list_filter = (ByOpenness, "code")
    search_fields = ("subject", "message", "code")
    search_help_text = "Subject, message or code"
    fields = ("shown_state", "message", "subject", "code", "details", "raised_at", "last_seen_at", "cleared_at")
    readonly_fields = ("shown_state",)
    empty_title = "Nothing needs you"
    empty_text = "An alert appears here when something in Stripe or here is wrong, and clears itself once it is mended."

    @admin.display(description="State", ordering="cleared_at")
    def shown_state(self, alert: Alert) -> SafeString:
        return badges.alert(alert)
