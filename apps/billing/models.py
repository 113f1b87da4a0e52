"""The event inbox, which Stripe account this installation belongs to, and how fast it may be asked."""

import uuid
from typing import Any, ClassVar

from django.db import models
from django.db.models import Q


class Event(models.Model):
    """That something changed in Stripe: a reason to look again, never what to believe.

    The body is not kept: what an event says may be old, and `previous_attributes`
    may hold a password.
    """

    class State(models.TextChoices):
        PENDING = "pending", "Pending"
        DONE = "done", "Done"
        IGNORED = "ignored", "Ignored"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    event_id = models.CharField(max_length=255, unique=True)
    type = models.CharField(max_length=120)
    object_id = models.CharField(max_length=255, blank=True)
    customer_id = models.CharField(max_length=255, blank=True)
    account_id = models.CharField(max_length=255, blank=True, help_text="Set on events of connected accounts.")
    api_version = models.CharField(max_length=40, blank=True)
    livemode = models.BooleanField()
    happened_at = models.DateTimeField(help_text="By Stripe's clock, to the second.")
    received_at = models.DateTimeField()
    state = models.CharField(max_length=10, choices=State, default=State.PENDING)
    work = models.CharField(
        max_length=300, blank=True, help_text="What is looked at again because of it, such as customer:cus_123."
    )
    attempts = models.PositiveIntegerField(default=0)
    error = models.TextField(blank=True)
    retry_at = models.DateTimeField(null=True, help_text="When it is taken up again, should it still be pending.")
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering: ClassVar[list[str]] = ["-received_at"]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["work"], condition=Q(state="pending"), name="billing_event_pending_work"),
            models.Index(fields=["retry_at"], condition=Q(state="pending"), name="billing_event_pending_retry"),
            models.Index(fields=["-happened_at"], name="billing_event_happened"),
            models.Index(fields=["finished_at"], condition=~Q(state="pending"), name="billing_event_finished"),
        ]

    def __str__(self) -> str:
        return f"{self.type} {self.event_id}"


class Installation(models.Model):
    """The one Stripe account and mode whose objects are in this database."""

    only = models.BooleanField(primary_key=True, default=True, editable=False)
    account_id = models.CharField(max_length=255)
    livemode = models.BooleanField()
    api_base = models.URLField(help_text="Where the account lives: Stripe itself, or a stand-in.")
    bound_at = models.DateTimeField()
    events_seen_until = models.DateTimeField(null=True, help_text="How far the account's event list has been read.")

    class Meta:
        constraints: ClassVar[list[Any]] = [
            models.CheckConstraint(condition=Q(only=True), name="billing_one_installation"),
        ]

    def __str__(self) -> str:
        return self.account_id


class Pace(models.Model):
    """From when on an endpoint of Stripe, or the account as a whole, is free for the next request."""

    name = models.CharField(primary_key=True, max_length=255, help_text="Such as GET /v1/prices/*; or «account».")
    free_at = models.DateTimeField(help_text="When the next request is due, were they even.")
    blocked_until = models.DateTimeField(null=True, help_text="Stripe has refused, and nothing begins before.")

    def __str__(self) -> str:
        return self.name
