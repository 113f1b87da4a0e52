"""What the credits floor takes and answers with."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from django.db.models import TextChoices

from apps.core.periods import Recurrence

# More than anybody can spend, and a sum of thousands of it still fits the columns.
MOST = 10**15
ORDINARY_PRIORITY = 50


class Category(TextChoices):
    """Where credits come from."""

    PROMOTIONAL = "promotional", "Promotional"
    ROLLOVER = "rollover", "Rolled over"
    PLAN = "plan", "Plan"
    MANUAL = "manual", "Manual"
    PAID = "paid", "Paid"


class EntryKind(TextChoices):
    """Why a balance changed."""

    GRANT = "grant", "Granted"
    BURN = "burn", "Spent"
    EXPIRE = "expire", "Expired"
    VOID = "void", "Voided"
    ADJUST = "adjust", "Adjusted"
    ROLLOVER = "rollover", "Rolled over"
    HOLD = "hold", "Set aside"
    RELEASE = "release", "Came back"
    SETTLE = "settle", "Overdraft settled"


class HoldState(TextChoices):
    """What became of credits that were set aside."""

    OPEN = "open", "Open"
    CONFIRMED = "confirmed", "Confirmed"
    RELEASED = "released", "Released"
    EXPIRED = "expired", "Expired"


class Outcome(StrEnum):
    """What came of a call."""

    BOOKED = "booked"
    REFUSED = "refused"
    REPEATED = "repeated"


@dataclass(frozen=True)
class CreditType:
    """What one action costs: SaasRock's fields, the wallet it is paid from, and the usage it may book besides."""

    value: str
    name: str
    amount: int
    description: str = ""
    feature: str = "credits"
    usage_feature: str = ""


@dataclass(frozen=True)
class PlanCredits:
    """What a tenant's plan gives of one wallet, period by period.

    `amount` comes with each period of `recurrence`, and `min(max_rollover, max(left,
    min_rollover))` of the last period's is kept for one more. `overdraft`: the balance may go
    below 0. `thresholds` are per cent of what there was to spend in the period. `ref` names
    the source, such as `plan:pro@3`. `since`: from when on the tenant has had such credits
    from its plans without interruption; None: since its last known period, or since it is
    first asked. `former`: what counted instead (None: nothing) until before a moment that has
    passed, when it ended by itself, in the order of the moments; a wallet that nobody has
    looked at since is brought to that moment by it.
    """

    amount: int
    recurrence: Recurrence
    min_rollover: int = 0
    max_rollover: int = 0
    overdraft: bool = False
    thresholds: tuple[int, ...] = ()
    ref: str = ""
    since: datetime | None = None
    former: tuple[tuple[datetime, "PlanCredits | None"], ...] = ()


@dataclass(frozen=True)
class Spent:
    """The answer to spending or setting aside, in credits.

    `balance` is what is left (below 0: overdraft), `used` what was spent or is set aside in
    the plan's period, `limit` what there was to spend: the two together, less what is set
    aside but only overdrawn when it is confirmed. `operation_id` is None where nothing was
    booked.
    """

    outcome: Outcome
    balance: int
    used: int
    limit: int
    operation_id: UUID | None = None
    reservation_id: UUID | None = None


@dataclass(frozen=True)
class Granted:
    """The answer to granting, voiding, expiring or adjusting. `grant_id` None: an adjustment took from several."""

    outcome: Outcome
    balance: int
    operation_id: UUID
    grant_id: UUID | None = None


@dataclass(frozen=True)
class LiveGrant:
    """A grant of which something is left. `is_scheduled`: it is not part of the balance yet."""

    id: UUID
    category: str
    amount: int
    remaining: int
    held: int
    priority: int
    effective_at: datetime
    expires_at: datetime | None
    reason: str
    is_scheduled: bool


@dataclass(frozen=True)
class Balance:
    """A tenant's credits of one wallet at a moment; see `Spent` for `amount`, `used` and `limit`.

    `grants` stand in the order in which they are spent, scheduled ones last. `next_expiry` is
    when the first credits expire, `next_grant_at` when the plan's next period begins.
    """

    amount: int
    used: int
    limit: int
    held: int
    grants: tuple[LiveGrant, ...]
    next_expiry: datetime | None
    next_grant_at: datetime | None


@dataclass(frozen=True)
class Discrepancy:
    """Something in the books that does not follow from the ledger."""

    tenant_uuid: UUID
    feature: str
    what: str
    expected: int
    found: int
