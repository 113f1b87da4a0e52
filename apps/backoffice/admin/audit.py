"""The audit: who did what and why."""

from django.contrib import admin
from django.template.loader import render_to_string
from django.utils.html import format_html
from django.utils.safestring import SafeString

from apps.audit.models import Entry
from apps.backoffice.base import ReadOnlyModelAdmin
from apps.backoffice.site import site
from apps.backoffice.tenant_page import shown


@admin.register(Entry, site=site)
class EntryAdmin(ReadOnlyModelAdmin):
    list_display = ("at", "action", "subject", "what_changed", "reason", "by")
    list_display_links = ("at", "action")
    list_filter = ("actor_kind", "action")
    search_fields = ("subject", "action", "actor_label", "reason")
    search_help_text = "Subject, action, actor or reason"
    fields = ("at", "action", "subject", "what_changed", "reason", "actor_kind", "actor_label", "before", "after")
    readonly_fields = ("what_changed",)
    empty_title = "Nothing has been done yet"
    empty_text = "Every change, by a person, a command, Stripe or the clock, leaves an entry here."

    @admin.display(description="By", ordering="actor_label")
    def by(self, entry: Entry) -> SafeString:
        return format_html('{} <span class="op-quiet">{}</span>', entry.actor_label, entry.actor_kind)

    @admin.display(description="Change")
    def what_changed(self, entry: Entry) -> SafeString:
        return render_to_string("backoffice/includes/changed.html", {"changed": shown(entry).changed})
