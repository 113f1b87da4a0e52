"""Who did what and why; and what needs a person's attention."""

import uuid
from typing import Any, ClassVar

from django.db import models
from django.db.models import Q


class Entry(models.Model):
    """One change. Never edited, never deleted."""

    # A number that grows: several changes of one moment are told in the order in which they were made.
    id = models.BigAutoField(primary_key=True)
    at = models.DateTimeField(db_index=True)
    actor_kind = models.CharField(max_length=20)
    actor_label = models.CharField(max_length=200)
    action = models.CharField(max_length=80)
    subject = models.CharField(max_length=200, help_text="What was changed, such as tenant:acme.")
    before = models.JSONField(default=dict, blank=True)
    after = models.JSONField(default=dict, blank=True)
    reason = models.TextField(blank=True)

    class Meta:
        ordering: ClassVar[list[str]] = ["-at", "-id"]
        verbose_name = "audit entry"
        verbose_name_plural = "audit entries"
        indexes: ClassVar[list[models.Index]] = [models.Index(fields=["subject", "-at"], name="audit_entry_subject")]

    def __str__(self) -> str:
        return f"{self.action} {self.subject}"


class AlertQuerySet(models.QuerySet["Alert"]):
    def open(self) -> "AlertQuerySet":
        """Those whose cause is still there."""
        return self.filter(cleared_at=None)


class Alert(models.Model):
    """Something is wrong that a person has to mend. It clears itself when its cause is gone."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    code = models.CharField(max_length=80, help_text="The stable machine name of the cause.")
    subject = models.CharField(max_length=200, help_text="What it is about, such as subscription:sub_123.")
    message = models.TextField()
    details = models.JSONField(default=dict, blank=True)
    raised_at = models.DateTimeField()
    last_seen_at = models.DateTimeField()
    cleared_at = models.DateTimeField(null=True, blank=True)

    objects = AlertQuerySet.as_manager()

    class Meta:
        ordering: ClassVar[list[str]] = ["-raised_at"]
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint(
                fields=["code", "subject"], condition=Q(cleared_at=None), name="audit_one_open_alert_per_cause"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.subject}: {self.message}"
