"""What an operator does about a tenant's usage."""

from typing import Any
from urllib.parse import urlencode

from django.db import transaction
from django.http import Http404
from django.urls import reverse
from django.utils.functional import cached_property

from apps.audit import services as audit
from apps.backoffice.forms import CorrectForm
from apps.backoffice.tenant_actions import TenantAction
from apps.entitlements import ingesting
from apps.usage.models import GAUGES, Counter, UsageEvent
from apps.usage.types import Outcome


class CorrectEvent(TenantAction):
    title = "Correct an event"
    template_name = "backoffice/action_with_facts.html"
    form_class = CorrectForm
    consequence = (
        "Another event takes it back, in the period that it was booked in. The event itself stays as it is: "
        "the books are never edited. A correction cannot be corrected; what was right after all is booked anew."
    )
    button = "Take it back"
    dangerous = True

    @cached_property
    def event(self) -> UsageEvent:
        """The event that the address names.

        Raises:
            Http404: when the tenant has none of that id.
        """
        row = UsageEvent.objects.filter(tenant_uuid=self.tenant.pk, id=self.kwargs["event_id"]).first()
        if row is None:
            raise Http404
        return row

    def facts(self) -> list[tuple[str, Any]]:
        """The event as it was booked, and what is in use before and after."""
        event = self.event
        told = [("Feature", event.feature), ("When", event.at), ("By", event.actor)]
        return [
            *told,
            (event.get_kind_display(), f"{event.amount:+,}"),
            ("In use in that period", self._before_and_after()),
        ]

    def _before_and_after(self) -> str:
        event = self.event
        counter = Counter.objects.filter(
            tenant_uuid=event.tenant_uuid,
            feature=event.feature,
            period_start=event.period_start,
            period_end=event.period_end,
        ).first()
        if counter is None:
            return "not known"
        if UsageEvent.objects.filter(tenant_uuid=event.tenant_uuid, corrects=event.id).exists():
            return f"{counter.used:,}; it is corrected already"
        if counter.aggregate in GAUGES:
            return f"{counter.used:,} → what it would be, had this never been told"
        return f"{counter.used:,} → {counter.used - event.amount:,}"

    def apply(self, data: dict[str, Any]) -> None:
        with transaction.atomic():
            booking = ingesting.correct(event_id=self.event.id, reason=data["reason"], **self.by)
            if booking.outcome == Outcome.BOOKED:
                self._record(data["reason"])
        is_done = booking.outcome == Outcome.BOOKED
        told = "The event is taken back." if is_done else "The event had been taken back already."
        self.done = f"{told} {{tenant}} has {booking.used:,} of {self.event.feature} in use in that period."

    def _record(self, reason: str) -> None:
        event = self.event
        audit.record(
            action="tenant.usage_corrected",
            subject=self.tenant.subject,
            reason=reason,
            after={"event": str(event.id), event.feature: f"{-event.amount:+,}"},
            actor=self.by["actor"],
            now=self.by["now"],
        )

    def get_success_url(self) -> str:
        page = reverse("admin:tenant_usage", args=[self.tenant.pk])
        return f"{page}?{urlencode({'feature': self.event.feature})}"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(facts=self.facts(), **kwargs)


USAGE_ACTIONS: dict[str, type[TenantAction]] = {"usage/<uuid:event_id>/correct": CorrectEvent}
