"""The limits on the tenants' own models, as the database itself enforces them."""

from typing import Any, ClassVar

from django.db import models
from django.db.models import Q


class Ceiling(models.Model):
    """Up to how many rows a tenant may have of what is counted from a model.

    Worked out from the entitlements whenever these become newer, see `limiting.ceilings`.
    `limit` holds before `until`, `limit_after` from then on, by the database's clock; None:
    not limited. No row: not limited either, but for a feature that was defined since and
    that nobody grants.
    """

    # The primary key contains the tenant, so that the table can be distributed by it.
    pk = models.CompositePrimaryKey("tenant_uuid", "feature")
    tenant_uuid = models.UUIDField(editable=False)
    feature = models.CharField(max_length=80)
    limit = models.BigIntegerField(null=True)
    soft = models.BooleanField(default=False, help_text="More than the limit is let pass.")
    source = models.TextField(blank=True, help_text="What the limit comes from; empty: nothing grants any.")
    until = models.DateTimeField(null=True, help_text="From this moment on the other three hold.")
    limit_after = models.BigIntegerField(null=True)
    soft_after = models.BooleanField(default=False)
    source_after = models.TextField(blank=True)
    reason = models.CharField(max_length=40, help_text="Why there may be none where nothing grants any.")
    plan = models.TextField(blank=True, help_text="The first plan that the tenant holds.")
    version = models.BigIntegerField(help_text="Of the entitlements that brought the last change.")

    class Meta:
        constraints: ClassVar[list[Any]] = [
            models.CheckConstraint(
                condition=(Q(limit=None) | Q(limit__gte=0)) & (Q(limit_after=None) | Q(limit_after__gte=0)),
                name="entitlements_ceiling_not_negative",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.feature}: {'unlimited' if self.limit is None else self.limit}"
