"""What a vendor's own app keeps in each tenant's schema: projects and their tasks."""

import uuid
from typing import Any, ClassVar

from django.db import models
from django.utils import timezone

from apps.entitlements.limiting import LimitedModel


class Project(LimitedModel):
    """A piece of work. The plan says how many there may be."""

    limited_by = "projects"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    name = models.CharField(max_length=120)
    description = models.TextField(max_length=2000, blank=True)
    created_by = models.CharField(max_length=150, blank=True, editable=False, help_text="The user name.")
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        ordering: ClassVar[list[Any]] = ["-created_at", "name"]

    def __str__(self) -> str:
        return self.name


class Task(models.Model):
    """One thing to do in a project."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="tasks")
    title = models.CharField(max_length=200)
    done = models.BooleanField(default=False)
    created_by = models.CharField(max_length=150, blank=True, editable=False, help_text="The user name.")
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        ordering: ClassVar[list[Any]] = ["done", "created_at", "title"]

    def __str__(self) -> str:
        return self.title
