"""The books about credits. They outlive the tenant.

The ledger and the operations are only ever added to: the application's role may not
change or delete them (a migration takes the privileges away). In every key and unique
constraint the tenant comes first, and nothing refers by foreign key, so that the tables
can be distributed by tenant.
"""

import uuid
from typing import Any, ClassVar

from django.contrib.postgres.fields import ArrayField
from django.core.serializers.json import DjangoJSONEncoder
from django.db import models
from django.db.models import F, Func, Q

from apps.credits.types import MOST, ORDINARY_PRIORITY, Category, EntryKind, HoldState

KEY_MAX_LENGTH = 80
IDEMPOTENCY_KEY_MAX_LENGTH = 255
REF_MAX_LENGTH = 500
LABEL_MAX_LENGTH = 200


def clock_timestamp() -> Func:
    """The database's clock, at the row and not at the beginning of the transaction."""
    return Func(function="clock_timestamp", output_field=models.DateTimeField())


class CreditType(models.Model):
    """What one action costs, as an operator decided; it wins over one that the vendor's code defines."""

    value = models.CharField(max_length=KEY_MAX_LENGTH, primary_key=True)
    name = models.CharField(max_length=120)
    description = models.TextField(blank=True)
    amount = models.BigIntegerField(help_text="Credits that the action costs.")
    feature = models.CharField(max_length=KEY_MAX_LENGTH, default="credits", help_text="The wallet it is paid from.")
    usage_feature = models.CharField(
        max_length=KEY_MAX_LENGTH, blank=True, help_text="The metered feature of which one unit is booked besides."
    )

    class Meta:
        ordering: ClassVar[list[str]] = ["value"]
        constraints: ClassVar[list[Any]] = [
            models.CheckConstraint(condition=Q(amount__gte=0, amount__lte=MOST), name="credits_cost_in_bounds"),
        ]

    def __str__(self) -> str:
        return self.name


class Account(models.Model):
    """A tenant's wallet of one feature: what follows from its ledger, and how far time has been taken into account.

    `last_seq` numbers the ledger. What was spent since the entry `spent_after` is `spent`.
    """

    pk = models.CompositePrimaryKey("tenant_uuid", "id")
    id = models.UUIDField(default=uuid.uuid4, editable=False)
    tenant_uuid = models.UUIDField(editable=False)
    feature = models.CharField(max_length=KEY_MAX_LENGTH)
    balance = models.BigIntegerField(default=0)
    debt = models.BigIntegerField(default=0, help_text="What is overdrawn.")
    last_seq = models.BigIntegerField(default=0)
    settled_at = models.DateTimeField(null=True)
    period_start = models.DateTimeField(null=True, help_text="The plan's period; empty: no plan gives anything.")
    period_end = models.DateTimeField(null=True)
    granted = models.BigIntegerField(default=0, help_text="What the plan has given in its period.")
    spent = models.BigIntegerField(default=0, help_text="What was spent in that period.")
    spent_after = models.BigIntegerField(default=0)
    full = models.BigIntegerField(default=0, help_text="What there was to spend; thresholds are per cent of it.")
    full_at = models.DateTimeField(null=True, help_text="Without a plan: when something came in last.")
    crossed = ArrayField(models.CharField(max_length=10), default=list, help_text="The thresholds told in that period.")

    class Meta:
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint(fields=["tenant_uuid", "feature"], name="credits_one_account_per_feature"),
            models.CheckConstraint(condition=Q(debt__gte=0), name="credits_debt_not_negative"),
            models.CheckConstraint(condition=Q(balance__gte=-F("debt")), name="credits_negative_only_in_debt"),
        ]

    def __str__(self) -> str:
        return f"{self.feature}: {self.balance}"


class Grant(models.Model):
    """Credits that came in at once, and what is left of them.

    `counted_at` empty: they are scheduled, and not part of the balance yet.
    """

    pk = models.CompositePrimaryKey("tenant_uuid", "id")
    id = models.UUIDField(default=uuid.uuid4, editable=False)
    tenant_uuid = models.UUIDField(editable=False)
    feature = models.CharField(max_length=KEY_MAX_LENGTH)
    category = models.CharField(max_length=15, choices=Category)
    amount = models.BigIntegerField()
    remaining = models.BigIntegerField()
    held = models.BigIntegerField(default=0, help_text="What of it is set aside.")
    priority = models.PositiveSmallIntegerField(default=ORDINARY_PRIORITY, help_text="0 to 100; the lowest goes first.")
    effective_at = models.DateTimeField()
    expires_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField()
    counted_at = models.DateTimeField(null=True)
    voided_at = models.DateTimeField(null=True)
    reason = models.TextField(blank=True)
    author = models.CharField(max_length=LABEL_MAX_LENGTH)
    period_start = models.DateTimeField(null=True)
    period_end = models.DateTimeField(null=True)

    class Meta:
        constraints: ClassVar[list[Any]] = [
            models.CheckConstraint(
                condition=Q(remaining__gte=0, held__gte=0, amount__gte=F("remaining") + F("held")),
                name="credits_grant_in_bounds",
            ),
            models.CheckConstraint(condition=Q(priority__lte=100), name="credits_priority_in_bounds"),
        ]
        indexes: ClassVar[list[Any]] = [
            # However many there were, those of which something is left are few.
            models.Index(
                fields=["tenant_uuid", "feature"],
                condition=Q(remaining__gt=0) | Q(held__gt=0),
                name="credits_live_grants",
            ),
            models.Index(fields=["tenant_uuid", "feature", "-created_at"], name="credits_grants"),
        ]

    def __str__(self) -> str:
        return f"{self.remaining} of {self.amount}"


class Reservation(models.Model):
    """Credits set aside, to confirm or to give back. `parts` holds how many of which grant."""

    pk = models.CompositePrimaryKey("tenant_uuid", "id")
    id = models.UUIDField(default=uuid.uuid4, editable=False)
    tenant_uuid = models.UUIDField(editable=False)
    feature = models.CharField(max_length=KEY_MAX_LENGTH)
    amount = models.BigIntegerField()
    parts = models.JSONField(default=list)
    state = models.CharField(max_length=10, choices=HoldState, default=HoldState.OPEN)
    credit_type = models.CharField(max_length=KEY_MAX_LENGTH, blank=True)
    object_ref = models.CharField(max_length=REF_MAX_LENGTH, blank=True)
    actor = models.CharField(max_length=LABEL_MAX_LENGTH)
    reserved_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    closed_at = models.DateTimeField(null=True)

    class Meta:
        indexes: ClassVar[list[Any]] = [
            models.Index(
                fields=["tenant_uuid", "feature"], condition=Q(state=HoldState.OPEN), name="credits_open_reservations"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.amount} {self.state}"


class Operation(models.Model):
    """One call that booked something, with the answer it was given. Only ever added to."""

    pk = models.CompositePrimaryKey("tenant_uuid", "id")
    id = models.UUIDField(default=uuid.uuid4, editable=False)
    tenant_uuid = models.UUIDField(editable=False)
    feature = models.CharField(max_length=KEY_MAX_LENGTH)
    kind = models.CharField(max_length=20)
    amount = models.BigIntegerField()
    idempotency_key = models.CharField(max_length=IDEMPOTENCY_KEY_MAX_LENGTH, null=True)
    digest = models.CharField(max_length=64, help_text="Of what was asked for: the same key with another is refused.")
    answer = models.JSONField(default=dict, encoder=DjangoJSONEncoder)
    credit_type = models.CharField(max_length=KEY_MAX_LENGTH, blank=True)
    object_ref = models.CharField(max_length=REF_MAX_LENGTH, blank=True)
    reason = models.TextField(blank=True)
    actor = models.CharField(max_length=LABEL_MAX_LENGTH)
    at = models.DateTimeField()
    booked_at = models.DateTimeField(db_default=clock_timestamp())

    class Meta:
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint(fields=["tenant_uuid", "idempotency_key"], name="credits_one_operation_per_key"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.amount}"


class LedgerEntry(models.Model):
    """One change of a balance. Only ever added to; a correction is a new one.

    `grant_id` empty: into or out of the overdraft. `operation_id` empty: time brought it.
    """

    pk = models.CompositePrimaryKey("tenant_uuid", "id")
    id = models.UUIDField(default=uuid.uuid4, editable=False)
    tenant_uuid = models.UUIDField(editable=False)
    feature = models.CharField(max_length=KEY_MAX_LENGTH)
    seq = models.BigIntegerField()
    kind = models.CharField(max_length=10, choices=EntryKind)
    amount = models.BigIntegerField(help_text="Below 0: out of the balance.")
    balance_after = models.BigIntegerField()
    grant_id = models.UUIDField(null=True)
    operation_id = models.UUIDField(null=True)
    credit_type = models.CharField(max_length=KEY_MAX_LENGTH, blank=True)
    object_ref = models.CharField(max_length=REF_MAX_LENGTH, blank=True)
    actor = models.CharField(max_length=LABEL_MAX_LENGTH)
    note = models.TextField(blank=True)
    at = models.DateTimeField()
    booked_at = models.DateTimeField(db_default=clock_timestamp())

    class Meta:
        verbose_name_plural = "ledger entries"
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint(fields=["tenant_uuid", "feature", "seq"], name="credits_ledger_numbered"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.amount:+}"


class LowBalance(models.Model):
    """That a threshold was reached: per cent of what there was to spend, or `over`.

    Once per period of the plan; without one, once after each time that credits have come in.
    """

    pk = models.CompositePrimaryKey("tenant_uuid", "id")
    id = models.UUIDField(default=uuid.uuid4, editable=False)
    tenant_uuid = models.UUIDField(editable=False)
    feature = models.CharField(max_length=KEY_MAX_LENGTH)
    period_start = models.DateTimeField(help_text="Without a plan: when credits came in last.")
    threshold = models.CharField(max_length=10)
    balance = models.BigIntegerField()
    used = models.BigIntegerField()
    limit = models.BigIntegerField()
    at = models.DateTimeField()

    class Meta:
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint(
                fields=["tenant_uuid", "feature", "period_start", "threshold"], name="credits_told_once_per_period"
            ),
        ]
        indexes: ClassVar[list[Any]] = [models.Index(fields=["tenant_uuid", "-at"], name="credits_low_balances")]

    def __str__(self) -> str:
        return f"{self.feature}: {self.threshold}"
