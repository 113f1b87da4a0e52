"""What all of the operator's lists and pages have in common."""

from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import urlencode

from django.db.models import Model, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse

from apps.audit import services as audit
from apps.backoffice.people import actor_of
from apps.core import clock

if TYPE_CHECKING:
    from django.contrib import admin

    # Unfold comes without types; its classes are Django's own, dressed.
    ModelAdmin = admin.ModelAdmin[Any]
else:
    from unfold.admin import ModelAdmin


class OperatorModelAdmin(ModelAdmin):
    """An admin whose changes go into Tenantry's own audit, and into no second log beside it."""

    actions = None
    list_per_page = 50
    list_max_show_all = 200
    list_filter_submit = False
    list_select_related: ClassVar[Any] = ()
    # What an empty list tells: what would be here, and how it comes to be.
    empty_title = "Nothing here yet"
    empty_text = ""

    def log_addition(self, request: HttpRequest, obj: Model, message: Any) -> None:  # type: ignore[override]
        self._record(request, obj, "added")

    def log_change(self, request: HttpRequest, obj: Model, message: Any) -> None:  # type: ignore[override]
        self._record(request, obj, "changed", message if isinstance(message, str) else "")

    def log_deletions(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:  # type: ignore[override]
        for obj in queryset:
            self._record(request, obj, "deleted")

    def _record(self, request: HttpRequest, obj: Model, verb: str, reason: str = "") -> None:
        audit.record(
            actor=actor_of(request),
            action=f"{self.opts.model_name}.{verb}",
            subject=self.subject(obj),
            now=clock.now(),
            reason=reason,
        )

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        """Only the filters that are shown: with any other one, hashes could be guessed letter by letter."""
        shown = {each if isinstance(each, str) else getattr(each, "parameter_name", "") for each in self.list_filter}
        return lookup.split("__", maxsplit=1)[0] in shown and super().lookup_allowed(lookup, value, request)

    def subject(self, obj: Any) -> str:
        """How the audit names an object."""
        return str(getattr(obj, "subject", "")) or f"{self.opts.model_name}:{obj.pk}"

    def history_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Django's history reads its own log; ours is the audit."""
        obj = self.get_object(request, object_id)
        if obj is None:
            raise Http404
        return redirect(f"{reverse('admin:audit_entry_changelist')}?{urlencode({'q': self.subject(obj)})}")


class ReadOnlyModelAdmin(OperatorModelAdmin):
    """A list and pages to look at: what is shown is written elsewhere."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False
