"""The catalogue: features, plans, their versions, and what each version grants; and which tenant holds which plan."""

import uuid
from typing import Any, ClassVar

from django.db import models
from django.db.models import Q

from apps.tenants.models import Tenant


class Feature(models.Model):
    """Something that a plan can grant."""

    class Kind(models.TextChoices):
        COUNT = "count", "Count"

    key = models.CharField(max_length=80, primary_key=True)
    name = models.CharField(max_length=120)
    kind = models.CharField(max_length=20, choices=Kind, default=Kind.COUNT)

    class Meta:
        ordering: ClassVar[list[str]] = ["key"]

    def __str__(self) -> str:
        return self.name


class Plan(models.Model):
    """What is sold under one Stripe price."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    key = models.CharField(max_length=120, unique=True, help_text="As in plan:pro@3.")
    name = models.CharField(max_length=250)
    price_id = models.CharField(max_length=255, unique=True)

    class Meta:
        ordering: ClassVar[list[str]] = ["key"]

    def __str__(self) -> str:
        return self.name


class PlanVersion(models.Model):
    """One published state of a plan. Immutable: a change of the price's metadata makes the next one."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    plan = models.ForeignKey(Plan, on_delete=models.PROTECT, related_name="versions")
    number = models.PositiveIntegerField()
    published_at = models.DateTimeField()

    class Meta:
        ordering: ClassVar[list[str]] = ["plan", "-number"]
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint(fields=["plan", "number"], name="plans_version_number_once"),
        ]

    def __str__(self) -> str:
        return self.ref

    @property
    def ref(self) -> str:
        """The version's name everywhere: `plan:pro@3`."""
        return f"plan:{self.plan.key}@{self.number}"


class Allowance(models.Model):
    """What one plan version grants for one feature. No row: the entity is unlimited."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    version = models.ForeignKey(PlanVersion, on_delete=models.CASCADE, related_name="allowances")
    feature = models.ForeignKey(Feature, on_delete=models.PROTECT)
    limit = models.BigIntegerField(help_text="How many may exist at the same time; 0 is none at all.")

    class Meta:
        ordering: ClassVar[list[str]] = ["feature"]
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint(fields=["version", "feature"], name="plans_allowance_once"),
            models.CheckConstraint(condition=Q(limit__gte=0), name="plans_allowance_not_negative"),
        ]

    def __str__(self) -> str:
        return f"{self.feature_id}: {self.limit}"


class ManagedPrice(models.Model):
    """A price whose subscriptions become tenants, marked by an operator."""

    class Group(models.TextChoices):
        RECURRING = "recurring", "Recurring"
        METERED = "metered", "Metered"

    price_id = models.CharField(max_length=255, primary_key=True)
    group = models.CharField(max_length=10, choices=Group)
    marked_by = models.CharField(max_length=200)
    marked_at = models.DateTimeField()

    class Meta:
        ordering: ClassVar[list[str]] = ["price_id"]

    def __str__(self) -> str:
        return f"{self.price_id} ({self.group})"


class Subscription(models.Model):
    """What Tenantry makes of one Stripe subscription: whose it is, and why if nobody's.

    The tenant is recorded once and never changed: that is the binding.
    """

    class Outcome(models.TextChoices):
        BOUND = "bound", "Bound to a tenant"
        WAITING = "waiting", "Waiting for a tenant-id"
        UNMANAGED = "unmanaged", "Ignored: price not managed"
        INCOMPLETE = "incomplete", "Ignored: first payment missing"
        REFUSED = "refused", "Refused"

    stripe_id = models.CharField(max_length=255, primary_key=True)
    customer_id = models.CharField(max_length=255, db_index=True)
    tenant = models.ForeignKey(Tenant, null=True, on_delete=models.PROTECT, related_name="subscriptions")
    bound_at = models.DateTimeField(null=True)
    former_tenant = models.UUIDField(
        null=True, editable=False, help_text="Whose it was when that tenant was deleted; it becomes nobody else's."
    )
    status = models.CharField(max_length=30)
    outcome = models.CharField(max_length=12, choices=Outcome)
    note = models.TextField(blank=True)
    created_at = models.DateTimeField()

    class Meta:
        ordering: ClassVar[list[str]] = ["-created_at"]

    def __str__(self) -> str:
        return self.stripe_id


class PlanAssignment(models.Model):
    """That a tenant is entitled to a plan version through one item of a subscription."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="assignments")
    subscription_id = models.CharField(max_length=255)
    item_id = models.CharField(max_length=255)
    version = models.ForeignKey(PlanVersion, on_delete=models.PROTECT)
    quantity = models.PositiveBigIntegerField(default=1)

    class Meta:
        ordering: ClassVar[list[str]] = ["subscription_id", "item_id"]
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint(fields=["tenant", "item_id"], name="plans_one_version_per_item"),
        ]

    def __str__(self) -> str:
        return f"{self.item_id}: {self.version_id}"
