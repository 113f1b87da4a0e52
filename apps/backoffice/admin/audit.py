"""The audit: who did what and why."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.utils.safestring import SafeString

from apps.audit.models import Entry
from apps.backoffice.base import ReadOnlyModelAdmin
from apps.backoffice.entries import shown
from apps.backoffice.site import site
from apps.core import clock
from apps.core.actors import ActorKind

NAMES = {
    ActorKind.PERSON: "Person",
    ActorKind.COMMAND: "Command",
    ActorKind.STRIPE: "Stripe",
    ActorKind.CLOCK: "Clock",
    ActorKind.API_KEY: "API key",
}


class ByActor(admin.SimpleListFilter):
    """Entries by what kind of actor made the change."""

    title = "actor"
    parameter_name = "actor_kind"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(kind.value, NAMES[kind]) for kind in ActorKind]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Entry]) -> QuerySet[Entry]:
        return queryset.filter(actor_kind=self.value()) if self.value() else queryset


@admin.register(Entry, site=site)
class EntryAdmin(ReadOnlyModelAdmin):
    list_display = ("when", "action", "subject", "what_changed", "reason")
    list_display_links = ("when", "action")
    list_filter = (ByActor, "action")
    search_fields = ("subject", "action", "actor_label", "reason")
    search_help_text = "Subject, action, actor or reason"
    fields = ("at", "action", "subject", "what_changed", "reason", "actor_kind", "actor_label", "before", "after")
    readonly_fields = ("what_changed",)
    empty_title = "Nothing has been done yet"
    empty_text = "Every change, by a person, a command, Stripe or the clock, leaves an entry here."

    @admin.display(description="When and by whom", ordering="at")
    def when(self, entry: Entry) -> SafeString:
        return render_to_string("backoffice/includes/when.html", {"entry": entry, "now": clock.now()})

    @admin.display(description="Change")
    def what_changed(self, entry: Entry) -> SafeString:
        return render_to_string("backoffice/includes/changed.html", {"changed": shown(entry).changed})
