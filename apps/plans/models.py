"""The catalogue: features, plans, their versions, and what each version grants; and which tenant holds what.

Which fields of an allowance or an override have a meaning depends on the kind of its
feature. PostgreSQL checks that too: the kind is repeated in the row, and a foreign
key over (feature, kind), made in a migration, holds the two together.
"""

import uuid
from datetime import datetime
from typing import Any, ClassVar

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q

from apps.core.periods import Unit
from apps.plans.terms import (
    NUMBERED,
    PERIODIC,
    Aggregate,
    Anchor,
    Cycle,
    Enforcement,
    Kind,
    Mode,
    OnDowngrade,
    OnError,
    ResetPeriod,
    default_warning_thresholds,
)
from apps.tenants.models import Tenant

IS_NUMBERED = Q(kind__in=sorted(NUMBERED))
# A comparison with nothing is neither true nor false, and a check lets that pass: hence `isnull` beside it below.
IS_SWITCH = Q(kind=Kind.SWITCH.value)
IS_CONFIG = Q(kind=Kind.CONFIG.value)
IS_CREDITS = Q(kind=Kind.CREDITS.value)
# The intervals that Stripe has.
BILLED_BY = [Unit.DAY.value, Unit.WEEK.value, Unit.MONTH.value, Unit.YEAR.value]


class Feature(models.Model):
    """Something that a plan can grant."""

    key = models.CharField(max_length=80, primary_key=True)
    name = models.CharField(max_length=120)
    kind = models.CharField(max_length=20, choices=Kind, default=Kind.COUNT)
    aggregate = models.CharField(
        max_length=20,
        choices=Aggregate,
        default=Aggregate.SUM,
        help_text="Of what is metered; what is counted has none.",
    )
    unit = models.CharField(max_length=60, blank=True, help_text="One of it in words, such as call.")
    units = models.CharField(max_length=60, blank=True, help_text="Several of it in words, such as calls.")
    tier_name = models.CharField(
        max_length=120,
        blank=True,
        help_text="As a pricing.json calls it, without `feature:`. Empty: its key, with colons for the dashes.",
    )
    unlimited_when_absent = models.BooleanField(
        default=False,
        help_text="A plan that says nothing about it does not limit it, as The Things Stack has it for entities.",
    )

    class Meta:
        ordering: ClassVar[list[str]] = ["key"]
        constraints: ClassVar[list[Any]] = [
            # What a composite foreign key must refer to.
            models.UniqueConstraint(fields=["key", "kind"], name="plans_feature_kind"),
            models.CheckConstraint(condition=Q(kind__in=Kind.values), name="plans_feature_known_kind"),
            models.CheckConstraint(
                condition=Q(aggregate=Aggregate.SUM.value) | Q(kind=Kind.METERED.value, aggregate__in=Aggregate.values),
                name="plans_only_metered_aggregates",
            ),
            models.CheckConstraint(
                condition=Q(unlimited_when_absent=False) | Q(kind=Kind.COUNT.value),
                name="plans_only_counts_unlimited_when_absent",
            ),
        ]

    def __str__(self) -> str:
        return self.name


class Plan(models.Model):
    """What is sold under one Stripe price, or given without one."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    key = models.CharField(max_length=120, unique=True, help_text="As in plan:pro@3.")
    name = models.CharField(max_length=250)
    price_id = models.CharField(max_length=255, unique=True, null=True, blank=True)

    class Meta:
        ordering: ClassVar[list[str]] = ["key"]

    def __str__(self) -> str:
        return self.name


class PlanVersion(models.Model):
    """One published state of a plan. Immutable: whatever changes makes the next one."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    plan = models.ForeignKey(Plan, on_delete=models.PROTECT, related_name="versions")
    number = models.PositiveIntegerField()
    word = models.CharField(
        max_length=60, blank=True, help_text="The version as a pricing.json writes it. Empty: the number."
    )
    title = models.TextField(blank=True, help_text="As a pricing.json has it.")
    trial_days = models.PositiveIntegerField(default=0, help_text="How long new customers do not pay.")
    content = models.CharField(
        max_length=64, blank=True, help_text="A digest of what a pricing.json said of it. Empty: none did."
    )
    add_on = models.BooleanField(
        default=False, help_text="Its allowances are added on top of the tenant's plan, times the quantity."
    )
    published_at = models.DateTimeField()

    class Meta:
        ordering: ClassVar[list[str]] = ["plan", "-number"]
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint(fields=["plan", "number"], name="plans_version_number_once"),
            models.UniqueConstraint(fields=["plan", "word"], condition=~Q(word=""), name="plans_version_word_once"),
        ]

    def __str__(self) -> str:
        return self.ref

    @property
    def ref(self) -> str:
        """The version's name everywhere: `plan:pro@3`."""
        return f"plan:{self.plan.key}@{self.word or self.number}"


class PlanPrice(models.Model):
    """One way to pay for a plan version; the first is the one that Tier knows."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    version = models.ForeignKey(PlanVersion, on_delete=models.CASCADE, related_name="prices")
    position = models.PositiveSmallIntegerField()
    currency = models.CharField(max_length=20)
    interval = models.CharField(max_length=10)
    interval_count = models.PositiveIntegerField(default=1)

    class Meta:
        ordering: ClassVar[list[str]] = ["version", "position"]
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint(fields=["version", "position"], name="plans_price_position_once"),
            models.UniqueConstraint(
                fields=["version", "currency", "interval", "interval_count"], name="plans_price_once"
            ),
            models.CheckConstraint(
                condition=Q(interval__in=BILLED_BY, interval_count__gte=1), name="plans_price_known_period"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.currency} every {self.interval_count} {self.interval}"


class Charge(models.Model):
    """What one feature costs in one price of a plan version, in minor units, and the price that bills it in Stripe."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    price = models.ForeignKey(PlanPrice, on_delete=models.CASCADE, related_name="charges")
    feature = models.ForeignKey(Feature, on_delete=models.PROTECT)
    title = models.TextField(blank=True)
    base = models.DecimalField(max_digits=28, decimal_places=12, default=0)
    tiers = models.JSONField(default=list, blank=True, help_text="`upto`, `price` as text, `base`; empty: not by use.")
    mode = models.CharField(max_length=10, choices=Mode)
    aggregate = models.CharField(max_length=20, choices=Aggregate)
    divide_by = models.BigIntegerField(default=0)
    divide_up = models.BooleanField(default=False)
    stripe_price_id = models.CharField(max_length=255, blank=True, db_index=True)

    class Meta:
        ordering: ClassVar[list[str]] = ["price", "feature"]
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint(fields=["price", "feature"], name="plans_charge_once"),
            models.CheckConstraint(
                condition=Q(base__gte=0, divide_by__gte=0, mode__in=Mode.values), name="plans_charge_usable"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.feature_id}: {self.base}"


class Allowance(models.Model):
    """What one plan version grants for one feature.

    No row: nothing is granted, but a feature that is `unlimited_when_absent` is not limited.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    version = models.ForeignKey(PlanVersion, on_delete=models.CASCADE, related_name="allowances")
    feature = models.ForeignKey(Feature, on_delete=models.PROTECT)
    kind = models.CharField(max_length=20, choices=Kind, default=Kind.COUNT)
    limit = models.BigIntegerField(null=True, blank=True, help_text="Empty: unlimited; 0 is none at all.")
    value = models.JSONField(null=True, blank=True, help_text="Of a configuration; true for a switch.")
    reset_period = models.CharField(max_length=20, choices=ResetPeriod, default=ResetPeriod.NEVER)
    anchor = models.CharField(max_length=20, choices=Anchor, default=Anchor.SUBSCRIPTION)
    enforcement = models.CharField(max_length=10, choices=Enforcement, default=Enforcement.HARD)
    warning_thresholds = ArrayField(models.PositiveSmallIntegerField(), default=default_warning_thresholds, blank=True)
    on_error = models.CharField(max_length=10, choices=OnError, default=OnError.CLOSED)
    on_downgrade = models.CharField(max_length=10, choices=OnDowngrade, default=OnDowngrade.BLOCK)
    min_rollover = models.BigIntegerField(
        default=0, help_text="So many credits are carried over at least, also where fewer are left."
    )
    max_rollover = models.BigIntegerField(
        default=0, help_text="So many of the credits that are left are carried over at most."
    )

    class Meta:
        ordering: ClassVar[list[str]] = ["feature"]
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint(fields=["version", "feature"], name="plans_allowance_once"),
            models.CheckConstraint(condition=Q(limit__gte=0), name="plans_allowance_not_negative"),
            models.CheckConstraint(
                condition=(IS_NUMBERED & Q(value__isnull=True))
                | (IS_SWITCH & Q(limit=None, value__isnull=False, value=True))
                | (IS_CONFIG & Q(limit=None, value__isnull=False)),
                name="plans_allowance_fits_kind",
            ),
            models.CheckConstraint(condition=~IS_CREDITS | Q(limit__isnull=False), name="plans_credits_are_a_number"),
            models.CheckConstraint(
                condition=Q(kind__in=sorted(PERIODIC)) | Q(reset_period=ResetPeriod.NEVER.value),
                name="plans_only_used_up_resets",
            ),
            models.CheckConstraint(
                condition=Q(min_rollover=0, max_rollover=0)
                | (IS_CREDITS & Q(min_rollover__gte=0, max_rollover__gte=F("min_rollover"))),
                name="plans_only_credits_roll_over",
            ),
            models.CheckConstraint(
                condition=Q(reset_period__in=ResetPeriod.values)
                & Q(anchor__in=Anchor.values)
                & Q(enforcement__in=Enforcement.values)
                & Q(on_error__in=OnError.values)
                & Q(on_downgrade__in=OnDowngrade.values),
                name="plans_allowance_known_terms",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.feature_id}: {self.value if self.limit is None else self.limit}"


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


class Timed(models.QuerySet[Any]):
    """Rows that are true for a time, `valid_from` to `valid_to`, and kept afterwards."""

    def present(self) -> "Timed":
        """Those that are true until further notice."""
        return self.filter(valid_to=None)

    def at(self, moment: datetime) -> "Timed":
        """Those that were true at a moment; the end does not belong to the time."""
        return self.filter(Q(valid_to=None) | Q(valid_to__gt=moment), valid_from__lte=moment)


class PlanAssignment(models.Model):
    """That a tenant is, or was, entitled to a plan version through one item of a subscription."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    # What was held, and what an operator decided, outlives the tenant's row, and is there when it is restored.
    tenant = models.ForeignKey(Tenant, on_delete=models.DO_NOTHING, db_constraint=False, related_name="assignments")
    subscription_id = models.CharField(max_length=255)
    item_id = models.CharField(max_length=255)
    version = models.ForeignKey(PlanVersion, on_delete=models.PROTECT)
    quantity = models.PositiveBigIntegerField(default=1)
    # The subscription's billing cycle, as it was while this was held.
    anchor_at = models.DateTimeField(null=True, blank=True)
    interval = models.CharField(max_length=10, blank=True)
    interval_count = models.PositiveIntegerField(default=1)
    valid_from = models.DateTimeField()
    valid_to = models.DateTimeField(null=True, blank=True)

    objects = Timed.as_manager()

    class Meta:
        ordering: ClassVar[list[str]] = ["subscription_id", "item_id", "valid_from"]
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint(
                fields=["tenant", "item_id"], condition=Q(valid_to=None), name="plans_one_present_version_per_item"
            ),
            models.CheckConstraint(
                condition=Q(valid_to=None) | Q(valid_to__gte=F("valid_from")), name="plans_assignment_forwards"
            ),
            models.CheckConstraint(
                condition=Q(interval_count__gte=1)
                & (Q(interval="", anchor_at=None) | Q(interval__in=BILLED_BY, anchor_at__isnull=False)),
                name="plans_assignment_known_cycle",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.item_id}: {self.version_id}"

    @property
    def cycle(self) -> Cycle | None:
        """The billing cycle of its subscription; None: there is none, or it is not known."""
        if self.anchor_at is None:
            return None
        return Cycle(anchor=self.anchor_at, unit=Unit(self.interval), count=self.interval_count)


class DefaultPlan(models.Model):
    """That a plan is, or was, the one of every tenant that holds no plan of its own."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    plan = models.ForeignKey(Plan, on_delete=models.PROTECT)
    chosen_by = models.CharField(max_length=200)
    valid_from = models.DateTimeField()
    valid_to = models.DateTimeField(null=True, blank=True)

    objects = Timed.as_manager()

    class Meta:
        ordering: ClassVar[list[str]] = ["valid_from"]
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint(
                fields=["valid_to"], condition=Q(valid_to=None), nulls_distinct=False, name="plans_one_present_default"
            ),
            models.CheckConstraint(
                condition=Q(valid_to=None) | Q(valid_to__gte=F("valid_from")), name="plans_default_forwards"
            ),
        ]

    def __str__(self) -> str:
        return str(self.plan_id)


class Override(models.Model):
    """An operator's exception for one tenant and feature, which wins over every plan.

    It ends by itself at `until`, or earlier when somebody ends or replaces it; `valid_to`
    tells that. Nothing else about it ever changes.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.DO_NOTHING, db_constraint=False, related_name="overrides")
    feature = models.ForeignKey(Feature, on_delete=models.PROTECT)
    kind = models.CharField(max_length=20, choices=Kind)
    limit = models.BigIntegerField(null=True, help_text="Empty for what is counted: unlimited.")
    value = models.JSONField(null=True, help_text="Of a configuration or a switch.")
    reason = models.TextField()
    author = models.CharField(max_length=200)
    valid_from = models.DateTimeField()
    until = models.DateTimeField(null=True, help_text="From this moment on it does not count any more.")
    valid_to = models.DateTimeField(null=True, help_text="When somebody ended it.")
    ended_by = models.CharField(max_length=200, blank=True)
    ended_because = models.TextField(blank=True)

    objects = Timed.as_manager()

    class Meta:
        ordering: ClassVar[list[str]] = ["feature", "valid_from"]
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint(
                fields=["tenant", "feature"], condition=Q(valid_to=None), name="plans_one_present_override"
            ),
            models.CheckConstraint(condition=Q(limit__gte=0), name="plans_override_not_negative"),
            models.CheckConstraint(
                condition=(IS_NUMBERED & Q(value__isnull=True))
                | (IS_SWITCH & Q(limit=None, value__isnull=False) & (Q(value=True) | Q(value=False)))
                | (IS_CONFIG & Q(limit=None, value__isnull=False)),
                name="plans_override_fits_kind",
            ),
            models.CheckConstraint(
                condition=~IS_CREDITS | Q(limit__isnull=False), name="plans_override_credits_are_a_number"
            ),
            models.CheckConstraint(condition=~Q(reason=""), name="plans_override_has_reason"),
            models.CheckConstraint(
                condition=Q(until=None) | Q(until__gt=F("valid_from")), name="plans_override_forwards"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.feature_id}: {self.value if self.limit is None else self.limit}"
