"""Tenants, their hosts, and the tombstones of those that are gone."""

import uuid
from typing import Any, ClassVar, Never

from django.db import models
from django.db.models import Q
from django_tenants.models import DomainMixin, TenantMixin

from apps.tenants import ids


class State(models.TextChoices):
    """The Things Stack's five states."""

    REQUESTED = "requested", "Requested"
    APPROVED = "approved", "Approved"
    FLAGGED = "flagged", "Flagged"
    SUSPENDED = "suspended", "Suspended"
    REJECTED = "rejected", "Rejected"


# In these a tenant's host refuses every page.
CLOSED_STATES = frozenset({State.SUSPENDED, State.REJECTED})
# In these a tenant is provisioned and its host serves.
OPEN_STATES = frozenset({State.APPROVED, State.FLAGGED})


class Provisioning(models.TextChoices):
    PENDING = "pending", "Pending"
    RUNNING = "running", "Running"
    READY = "ready", "Ready"
    FAILED = "failed", "Failed"
    DELETING = "deleting", "Being deleted"


class Tenant(TenantMixin):
    """A customer of the vendor, with a PostgreSQL schema of its own."""

    NAME_MAX_LENGTH = 50
    DESCRIPTION_MAX_LENGTH = 2000
    STATE_DESCRIPTION_MAX_LENGTH = 128
    KEPT_BECAUSE_MAX_LENGTH = 200

    # Schemas are made by `tenants.schema` alone, never as a side effect of saving a row.
    auto_create_schema = False
    auto_drop_schema = False

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    tenant_id = models.CharField(max_length=ids.MAX_LENGTH, unique=True)
    name = models.CharField(max_length=NAME_MAX_LENGTH, blank=True)
    description = models.TextField(max_length=DESCRIPTION_MAX_LENGTH, blank=True)
    described_by_operator = models.BooleanField(
        default=False, help_text="Name and description were set by an operator and no longer follow Stripe."
    )
    created_at = models.DateTimeField()

    state = models.CharField(max_length=20, choices=State, default=State.REQUESTED, editable=False)
    state_description = models.CharField(max_length=STATE_DESCRIPTION_MAX_LENGTH, blank=True, editable=False)

    provisioning = models.CharField(max_length=20, choices=Provisioning, default=Provisioning.PENDING, editable=False)
    provisioning_steps = models.JSONField(default=dict, blank=True, editable=False)
    provisioning_error = models.TextField(blank=True, editable=False)
    first_administrator = models.JSONField(
        default=dict, blank=True, editable=False, help_text="Username, e-mail, full name and password hash."
    )

    stripe_customer_id = models.CharField(max_length=255, blank=True, db_index=True, editable=False)
    claimed_at = models.DateTimeField(null=True, editable=False, help_text="When the claiming subscription was made.")
    claimed_by = models.CharField(max_length=255, blank=True, editable=False, help_text="The claiming subscription.")

    entitlements_version = models.BigIntegerField(default=0, editable=False)
    schema_version = models.CharField(max_length=64, blank=True, editable=False)
    next_reconcile_at = models.DateTimeField(null=True, blank=True, db_index=True, editable=False)

    delete_at = models.DateTimeField(
        null=True, blank=True, editable=False, help_text="When its data is deleted, its subscriptions having ended."
    )
    notices = models.JSONField(
        default=dict, blank=True, editable=False, help_text="When it was told of that, by the days it had left."
    )
    kept_because = models.CharField(
        max_length=KEPT_BECAUSE_MAX_LENGTH,
        blank=True,
        editable=False,
        help_text="Why it is not deleted by itself. Empty: it is.",
    )

    objects: ClassVar[models.Manager["Tenant"]] = models.Manager()

    # Told by `selectors.by_host`, which asks in the same query.
    schema_present: bool

    class Meta:
        ordering: ClassVar[list[str]] = ["tenant_id"]

    def __str__(self) -> str:
        return self.name or self.tenant_id

    @property
    def subject(self) -> str:
        """How the audit and the alerts name this tenant."""
        return f"tenant:{self.tenant_id}"

    @property
    def is_open(self) -> bool:
        """Whether the tenant is to be served, once it is provisioned."""
        return self.state in OPEN_STATES

    @property
    def is_closed(self) -> bool:
        """Whether the tenant's host refuses every page."""
        return self.state in CLOSED_STATES

    def set_state(self, state: str, description: str = "") -> None:
        """Move to a state; a description that is not given again is cleared with the move."""
        self.state = state
        self.state_description = description[: self.STATE_DESCRIPTION_MAX_LENGTH]

    def __enter__(self) -> Never:
        """Refuse `with tenant:`, whose list of previous tenants is shared between threads."""
        raise TypeError("Use tenants.context.enter(tenant), not `with tenant:`.")

    def activate(self) -> Never:
        """Refuse to enter the schema without looking whether it is there."""
        raise TypeError("Use tenants.context.enter(tenant), not tenant.activate().")


class HoldQuerySet(models.QuerySet["Hold"]):
    def open(self) -> "HoldQuerySet":
        """Those that nobody has lifted; one whose `until` has passed no longer counts."""
        return self.filter(lifted_at=None)


class Hold(models.Model):
    """An operator's decision that wins over Stripe."""

    class State(models.TextChoices):
        SUSPENDED = "suspended", "Suspended"
        REJECTED = "rejected", "Rejected"

    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="holds")
    state = models.CharField(max_length=20, choices=State)
    reason = models.CharField(max_length=Tenant.STATE_DESCRIPTION_MAX_LENGTH)
    author = models.CharField(max_length=200)
    created_at = models.DateTimeField()
    until = models.DateTimeField(null=True, blank=True, help_text="Empty: until somebody lifts it.")
    lifted_at = models.DateTimeField(null=True, blank=True)

    objects = HoldQuerySet.as_manager()

    class Meta:
        ordering: ClassVar[list[str]] = ["-created_at"]
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint(
                fields=["tenant"], condition=Q(lifted_at=None), name="tenants_one_open_hold_per_tenant"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.state}: {self.reason}"


class Domain(DomainMixin):
    """A host name on which a tenant answers."""

    class Meta:
        ordering: ClassVar[list[str]] = ["domain"]


class TombstoneQuerySet(models.QuerySet["Tombstone"]):
    def standing(self) -> "TombstoneQuerySet":
        """Those whose tenant has not been restored."""
        return self.filter(restored_at=None)


class Tombstone(models.Model):
    """A tenant that is gone. Its schema name is never used again, its id for its own restoration alone."""

    tenant_id = models.CharField(max_length=ids.MAX_LENGTH)
    tenant_uuid = models.UUIDField()
    schema_name = models.CharField(max_length=63, unique=True)
    name = models.CharField(max_length=Tenant.NAME_MAX_LENGTH, blank=True)
    stripe_customer_id = models.CharField(max_length=255, blank=True)
    hosts = models.JSONField(default=list)
    buried_at = models.DateTimeField()
    buried_by = models.CharField(max_length=200, blank=True)
    reason = models.TextField(blank=True)
    export_path = models.CharField(max_length=1000, blank=True, help_text="The file with what its schema held.")
    export_sha256 = models.CharField(max_length=64, blank=True)
    schema_dropped_at = models.DateTimeField(null=True, blank=True)
    restored_at = models.DateTimeField(null=True, blank=True)

    objects = TombstoneQuerySet.as_manager()

    class Meta:
        verbose_name = "deleted tenant"
        ordering: ClassVar[list[str]] = ["-buried_at"]
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint(
                fields=["tenant_id"], condition=Q(restored_at=None), name="tenants_one_standing_tombstone_per_id"
            ),
            models.UniqueConstraint(
                fields=["tenant_uuid"], condition=Q(restored_at=None), name="tenants_one_standing_tombstone_per_tenant"
            ),
        ]

    def __str__(self) -> str:
        return self.tenant_id

    @property
    def subject(self) -> str:
        """How the audit named the tenant."""
        return f"tenant:{self.tenant_id}"
