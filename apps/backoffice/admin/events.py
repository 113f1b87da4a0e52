"""The event inbox: what Stripe told, and how far each is."""

from django.contrib import admin
from django.utils.safestring import SafeString

from apps.backoffice import badges
from apps.backoffice.base import ReadOnlyModelAdmin
from apps.backoffice.site import site
from apps.billing.models import Event


@admin.register(Event, site=site)
class EventAdmin(ReadOnlyModelAdmin):
    list_display = ("received_at", "type", "shown_state", "object_id", "customer_id", "attempts", "error")
    list_display_links = ("received_at", "type")
    list_filter = ("state", "type")
    search_fields = ("event_id", "customer_id", "object_id")
    search_help_text = "Event, customer or object"
    fields = (
        *("event_id", "type", "shown_state", "object_id", "customer_id", "account_id", "mode", "api_version"),
        *("happened_at", "received_at", "work", "attempts", "error", "retry_at", "finished_at"),
    )
    readonly_fields = ("shown_state", "mode")
    empty_title = "No event has come in"
    empty_text = (
        "Stripe sends them to /stripe/webhook/ on this host once an endpoint is set up there; "
        "manage.py stripe_catch_up reads those that were missed."
    )

    @admin.display(description="State", ordering="state")
    def shown_state(self, event: Event) -> SafeString:
        return badges.event(event.state)

    @admin.display(description="Mode", ordering="livemode")
    def mode(self, event: Event) -> str:
        return "Live" if event.livemode else "Test"
