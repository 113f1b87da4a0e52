"""The books about what tenants use. They outlive the tenant.

Every key and every unique constraint contains the tenant, so that the tables can be
distributed by it, and nothing here refers to a row elsewhere by a foreign key.
"""

import uuid
from typing import Any, ClassVar

from django.db import models
from django.db.models import F, Q

from apps.plans.terms import Aggregate

ENTITY_MAX_LENGTH = 80
FEATURE_MAX_LENGTH = 80
KEY_MAX_LENGTH = 255
ACTOR_MAX_LENGTH = 200


GAUGES = frozenset({Aggregate.MAX, Aggregate.LAST})
ADDED_UP = frozenset({Aggregate.SUM, Aggregate.PERPETUAL})


class ReportedTotal(models.Model):
    """How many of one entity a tenant has, as the vendor's app told last."""

    # The primary key too contains the tenant, so that the table can be distributed by it.
    pk = models.CompositePrimaryKey("tenant_uuid", "id")
    id = models.UUIDField(default=uuid.uuid4, editable=False)
    tenant_uuid = models.UUIDField(editable=False)
    entity = models.CharField(max_length=ENTITY_MAX_LENGTH)
    total = models.BigIntegerField()
    reported_at = models.DateTimeField()
    reported_by = models.CharField(max_length=200)

    class Meta:
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint(fields=["tenant_uuid", "entity"], name="usage_one_total_per_entity"),
            models.CheckConstraint(condition=Q(total__gte=0), name="usage_total_not_negative"),
        ]

    def __str__(self) -> str:
        return f"{self.entity}: {self.total}"


class Counter(models.Model):
    """How much of a feature a tenant has used within one period, and up to where it may.

    Written by the database's `usage_consume` and what it calls, by nobody else. What is
    set aside counts as used. A counter is what its events come to, at any time.
    """

    pk = models.CompositePrimaryKey("tenant_uuid", "id")
    id = models.UUIDField(default=uuid.uuid4, editable=False)
    tenant_uuid = models.UUIDField(editable=False)
    feature = models.CharField(max_length=FEATURE_MAX_LENGTH)
    period_start = models.DateTimeField()
    period_end = models.DateTimeField()
    aggregate = models.CharField(
        max_length=10, choices=Aggregate, help_text="As it was when the period began; a change counts from the next on."
    )
    opening = models.BigIntegerField(default=0, help_text="The level of a gauge when the period began.")
    used = models.BigIntegerField(default=0)
    level = models.BigIntegerField(null=True, help_text="What a gauge shows; empty for what adds up.")
    level_at = models.DateTimeField(null=True, help_text="When the level was told within this period.")
    limit = models.BigIntegerField(null=True, help_text="Empty: unlimited.")
    soft = models.BooleanField(default=False)
    limit_version = models.BigIntegerField(default=0, help_text="Of the entitlements that the limit comes from.")
    updated_at = models.DateTimeField()

    class Meta:
        ordering: ClassVar[list[str]] = ["feature", "period_start"]
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint(
                fields=["tenant_uuid", "feature", "period_start", "period_end"], name="usage_one_counter_per_period"
            ),
            models.CheckConstraint(condition=Q(used__gte=0), name="usage_counter_not_negative"),
            models.CheckConstraint(condition=Q(period_start__lt=F("period_end")), name="usage_counter_has_length"),
            models.CheckConstraint(
                condition=Q(aggregate__in=sorted(GAUGES), level__isnull=False)
                | Q(aggregate__in=sorted(ADDED_UP), level=None, opening=0),
                name="usage_only_gauges_have_a_level",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.feature} from {self.period_start:%Y-%m-%d %H:%M}: {self.used}"


class UsageEvent(models.Model):
    """One thing that was told about usage. Never edited, never deleted: corrected by another event."""

    class Kind(models.TextChoices):
        ADD = "add", "Used"
        SET = "set", "Told altogether"
        RELEASE = "release", "Given back"
        CORRECT = "correct", "Corrected"
        HOLD = "hold", "Set aside"
        UNHOLD = "unhold", "No longer set aside"

    pk = models.CompositePrimaryKey("tenant_uuid", "id")
    id = models.UUIDField(default=uuid.uuid4, editable=False)
    tenant_uuid = models.UUIDField(editable=False)
    feature = models.CharField(max_length=FEATURE_MAX_LENGTH)
    period_start = models.DateTimeField()
    period_end = models.DateTimeField()
    kind = models.CharField(max_length=10, choices=Kind)
    amount = models.BigIntegerField(help_text="What it changed; negative where something was given back.")
    value = models.BigIntegerField(null=True, help_text="What was told altogether; of a gauge the level after it.")
    at = models.DateTimeField(help_text="When it was used.")
    booked_at = models.DateTimeField(
        db_default=models.Func(function="clock_timestamp", output_field=models.DateTimeField()), editable=False
    )
    actor = models.CharField(max_length=ACTOR_MAX_LENGTH)
    properties = models.JSONField(default=dict)
    idempotency_key = models.CharField(max_length=KEY_MAX_LENGTH, null=True, help_text="Empty: none was given.")
    used_after = models.BigIntegerField(
        null=True, help_text="What was in use then; empty for what was told in bulk or late."
    )
    limit = models.BigIntegerField(null=True)
    soft = models.BooleanField(default=False)
    corrects = models.UUIDField(null=True, help_text="The event that this one takes back.")

    class Meta:
        ordering: ClassVar[list[str]] = ["-at", "-id"]
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint(fields=["tenant_uuid", "idempotency_key"], name="usage_one_event_per_key"),
            models.UniqueConstraint(
                fields=["tenant_uuid", "corrects"], condition=Q(corrects__isnull=False), name="usage_corrected_once"
            ),
            models.CheckConstraint(
                condition=Q(at__gte=F("period_start"), at__lt=F("period_end")), name="usage_event_within_period"
            ),
            models.CheckConstraint(
                condition=~Q(kind="set") | Q(value__isnull=False),
                name="usage_set_has_a_value",
            ),
        ]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["tenant_uuid", "feature", "at", "id"], name="usage_event_in_order"),
        ]

    def __str__(self) -> str:
        return f"{self.feature} {self.amount:+}"


class Crossing(models.Model):
    """The first time within a period that so many per cent of the limit were used, or more than all of it."""

    OVER = "over"

    pk = models.CompositePrimaryKey("tenant_uuid", "id")
    id = models.UUIDField(default=uuid.uuid4, editable=False)
    tenant_uuid = models.UUIDField(editable=False)
    feature = models.CharField(max_length=FEATURE_MAX_LENGTH)
    period_start = models.DateTimeField()
    period_end = models.DateTimeField()
    threshold = models.CharField(max_length=10, help_text="Per cent, or over.")
    at = models.DateTimeField(help_text="When that was used which crossed it.")
    recorded_at = models.DateTimeField()
    used = models.BigIntegerField()
    limit = models.BigIntegerField()

    class Meta:
        ordering: ClassVar[list[str]] = ["-recorded_at"]
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint(
                fields=["tenant_uuid", "feature", "period_start", "period_end", "threshold"],
                name="usage_crossed_once_per_period",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.feature}: {self.threshold}"


class Reservation(models.Model):
    """Units set aside: to be confirmed or released, or they come back by themselves. Its id is that of its event."""

    class State(models.TextChoices):
        OPEN = "open", "Open"
        CONFIRMED = "confirmed", "Confirmed"
        RELEASED = "released", "Released"
        EXPIRED = "expired", "Ran out"

    pk = models.CompositePrimaryKey("tenant_uuid", "id")
    id = models.UUIDField(editable=False)
    tenant_uuid = models.UUIDField(editable=False)
    feature = models.CharField(max_length=FEATURE_MAX_LENGTH)
    period_start = models.DateTimeField()
    period_end = models.DateTimeField()
    amount = models.BigIntegerField()
    key = models.CharField(max_length=KEY_MAX_LENGTH, null=True)
    state = models.CharField(max_length=10, choices=State, default=State.OPEN)
    at = models.DateTimeField(help_text="When what was set aside counts as used.")
    reserved_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    closed_at = models.DateTimeField(null=True)
    event_id = models.UUIDField(null=True, help_text="The event that booked what was confirmed.")

    class Meta:
        ordering: ClassVar[list[str]] = ["-reserved_at"]
        constraints: ClassVar[list[Any]] = [
            models.CheckConstraint(condition=Q(amount__gte=1), name="usage_reserved_something"),
            models.CheckConstraint(condition=Q(expires_at__gt=F("reserved_at")), name="usage_reserved_for_a_while"),
            models.CheckConstraint(
                condition=Q(state="open", closed_at=None) | (~Q(state="open") & Q(closed_at__isnull=False)),
                name="usage_open_or_closed",
            ),
        ]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(
                fields=["tenant_uuid", "feature", "period_start", "expires_at"],
                condition=Q(state="open"),
                name="usage_reservation_open",
            ),
            models.Index(fields=["expires_at"], condition=Q(state="open"), name="usage_reservation_runs_out"),
        ]

    def __str__(self) -> str:
        return f"{self.feature}: {self.amount} {self.state}"
