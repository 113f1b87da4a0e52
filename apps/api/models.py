"""The operator's keys to the HTTP API."""

import uuid
from typing import ClassVar

from django.db import models

NAME_MAX_LENGTH = 100


class ApiKey(models.Model):
    """A key by which a program of the operator may use the API. The secret itself is kept nowhere."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    name = models.CharField(max_length=NAME_MAX_LENGTH)
    prefix = models.CharField(max_length=16, unique=True, help_text="The part of the key that may be shown.")
    secret_sha256 = models.CharField(max_length=64)
    created_at = models.DateTimeField()
    created_by = models.CharField(max_length=200)
    last_used_at = models.DateTimeField(null=True, help_text="To the hour: it is not written at each use.")
    revoked_at = models.DateTimeField(null=True)

    class Meta:
        ordering: ClassVar[list[str]] = ["created_at", "prefix"]

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix})"

    @property
    def subject(self) -> str:
        """How the audit names this key."""
        return f"api_key:{self.prefix}"
