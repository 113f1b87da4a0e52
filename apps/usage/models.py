"""The books about what tenants use. They outlive the tenant."""

import uuid
from typing import Any, ClassVar

from django.db import models
from django.db.models import Q

ENTITY_MAX_LENGTH = 80


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
