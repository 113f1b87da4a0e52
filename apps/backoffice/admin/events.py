"""The event inbox: what Stripe told, and how far each is."""

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.loader import render_to_string
from django.urls import URLPattern, path
from django.utils.safestring import SafeString
from django.views.decorators.http import require_POST

from apps.backoffice import badges
from apps.backoffice.base import ReadOnlyModelAdmin
from apps.backoffice.people import actor_of
from apps.backoffice.site import site
from apps.billing import replaying, selectors
from apps.billing.models import Event
from apps.core import clock


class ByWork(admin.SimpleListFilter):
    """The events whose work has failed so far, and is tried again."""

    title = "work"
    parameter_name = "work"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("failing", "Failing")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Event]) -> QuerySet[Event]:
        if self.value() != "failing":
            return queryset
        return queryset.filter(pk__in=selectors.failing_events().order_by().values("pk"))


@admin.register(Event, site=site)
class EventAdmin(ReadOnlyModelAdmin):
    list_display = ("received_at", "type", "shown_state", "trouble", "object_id", "customer_id")
    list_display_links = ("received_at", "type")
    list_filter = (ByWork, "state", "type")
    list_before_template = "backoffice/includes/replay_failing.html"
    change_form_outer_before_template = "backoffice/includes/replay_one.html"
    actions = ("replay_selected",)  # type: ignore[assignment]
    search_fields = ("event_id", "customer_id", "object_id")
    search_help_text = "Event, customer or object"
    fields = (
        *("event_id", "type", "shown_state", "trouble", "object_id", "customer_id", "account_id", "mode"),
        *("api_version", "happened_at", "received_at", "work", "attempts", "retry_at", "finished_at"),
    )
    readonly_fields = ("shown_state", "trouble", "mode")
    empty_title = "No event has come in"
    empty_text = (
        "Stripe sends them to /stripe/webhook/ on this host once an endpoint is set up there; "
        "manage.py stripe_catch_up reads those that were missed."
    )

    def get_urls(self) -> list[URLPattern]:
        own: list[tuple[str, Any, str]] = [
            ("replay_failing/", self.replay_failing_view, "event_replay_failing"),
            ("<uuid:object_id>/replay/", self.replay_view, "event_replay"),
        ]
        paths = [path(where, self.admin_site.admin_view(require_POST(view)), name=name) for where, view, name in own]
        return [*paths, *super().get_urls()]

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        failing = {"failing": selectors.failing_events().count()}
        return super().changelist_view(request, {**(extra_context or {}), **failing})

    def replay_view(self, request: HttpRequest, object_id: Any) -> HttpResponse:
        """Have one event worked off once more."""
        event = get_object_or_404(Event, pk=object_id)
        self._replay(request, Event.objects.filter(pk=event.pk))
        return redirect("admin:billing_event_change", event.pk)

    def replay_failing_view(self, request: HttpRequest) -> HttpResponse:
        """Have every event worked off once more whose work has failed so far."""
        self._replay(request, selectors.failing_events())
        return redirect("admin:billing_event_changelist")

    @admin.action(description="Work off again", permissions=["view"])
    def replay_selected(self, request: HttpRequest, queryset: QuerySet[Event]) -> None:
        self._replay(request, Event.objects.filter(pk__in=queryset.order_by().values("pk")))

    def _replay(self, request: HttpRequest, events: QuerySet[Event]) -> None:
        if not self.has_view_permission(request):
            raise PermissionDenied
        replayed = replaying.replay(events, actor=actor_of(request), now=clock.now())
        if not replayed.events:
            messages.warning(request, "Nothing is to be worked off: none of these events asks for any work.")
            return
        told = f"{replayed.events:,} event{'' if replayed.events == 1 else 's'}"
        works = replaying.in_words(replayed.works)
        messages.success(request, f"A worker takes up {told} again, and looks anew at {works}.")

    @admin.display(description="State", ordering="state")
    def shown_state(self, event: Event) -> SafeString:
        return badges.event(event)

    @admin.display(description="Error or note", ordering="attempts", empty_value="–")
    def trouble(self, event: Event) -> SafeString | None:
        if not event.error and not event.attempts:
            return None
        return render_to_string("backoffice/includes/trouble.html", {"event": event, "now": clock.now()})

    @admin.display(description="Mode", ordering="livemode")
    def mode(self, event: Event) -> str:
        return "Live" if event.livemode else "Test"
