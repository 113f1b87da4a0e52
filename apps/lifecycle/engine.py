"""What a tenant's state should be: pure rules, no database, no clock.

Source: The Things Stack's tenant lifecycle (section 1.5 of its contract) and the
first flow of the design.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import IntEnum

from apps.billing.types import Subscription
from apps.tenants.models import OPEN_STATES, State

PAST_DUE = "Stripe subscription past due"
PAST_DUE_TOO_LONG = "Stripe subscription past due for more than {days} days"
UNPAID = "Stripe subscription unpaid"
PAUSED = "Stripe subscription paused"
HAS_ENDED = "Stripe subscription ended"

# Nothing has come of these: the first payment was never made.
WITHOUT_EFFECT = frozenset({"incomplete", "incomplete_expired"})
# Nothing will come of these any more.
ENDED = frozenset({"canceled", "incomplete_expired"})


class Rank(IntEnum):
    """Active beats past due beats stopped beats ended."""

    ENDED = 0
    STOPPED = 1
    PAST_DUE = 2
    ACTIVE = 3


@dataclass(frozen=True)
class Standing:
    """What one subscription says about its tenant. `until`: when the clock alone changes that."""

    subscription: Subscription
    rank: Rank
    state: State
    description: str
    until: datetime | None

    @property
    def ended_at(self) -> datetime | None:
        """When it ended; one that has run out did at the moment that was set, before Stripe says so."""
        if self.rank != Rank.ENDED:
            return None
        return self.subscription.ended_at or self.subscription.cancel_at or self.subscription.created

    @property
    def order(self) -> tuple[Rank, datetime, str]:
        """Best first when sorted descending: by rank, then the one that ended or began last."""
        return self.rank, self.ended_at or self.subscription.created, self.subscription.id


@dataclass(frozen=True)
class HoldInForce:
    """An operator's decision, which wins."""

    state: State
    reason: str
    until: datetime | None


@dataclass(frozen=True)
class Verdict:
    """The state a tenant should have, through which subscriptions, and when to look again.

    `ended_at`: when the last of its subscriptions ended; None while one has not.
    """

    state: State
    description: str
    granting: tuple[Subscription, ...]
    next_at: datetime | None
    ended_at: datetime | None


def standing(
    subscription: Subscription, *, overdue_since: datetime | None, past_due_days: int, now: datetime
) -> Standing | None:
    """What one subscription says; None when nothing has come of it.

    `overdue_since` is when the first of its open invoices was due.
    """
    if subscription.status in WITHOUT_EFFECT:
        return None
    if subscription.status == "canceled" or _has_run_out(subscription, now):
        return Standing(subscription, Rank.ENDED, State.SUSPENDED, HAS_ENDED, None)
    if subscription.status in {"active", "trialing"}:
        return Standing(subscription, Rank.ACTIVE, State.APPROVED, "", subscription.cancel_at)
    if subscription.status == "past_due":
        return _past_due(subscription, overdue_since, past_due_days, now)
    description = PAUSED if subscription.status == "paused" else UNPAID
    return Standing(subscription, Rank.STOPPED, State.SUSPENDED, description, subscription.cancel_at)


def _has_run_out(subscription: Subscription, now: datetime) -> bool:
    return subscription.cancel_at is not None and subscription.cancel_at <= now


def _past_due(subscription: Subscription, since: datetime | None, days: int, now: datetime) -> Standing:
    deadline = since + timedelta(days=days) if since else None
    if deadline and deadline <= now:
        description = PAST_DUE_TOO_LONG.format(days=days)
        return Standing(subscription, Rank.STOPPED, State.SUSPENDED, description, subscription.cancel_at)
    return Standing(subscription, Rank.PAST_DUE, State.FLAGGED, PAST_DUE, _earliest(deadline, subscription.cancel_at))


def verdict(
    standings: Iterable[Standing], *, hold: HoldInForce | None, has_billing: bool, has_lived: bool, now: datetime
) -> Verdict:
    """What all subscriptions and the operator's hold together make of a tenant.

    A tenant that was made by an operator and has no subscription is approved; one
    whose subscriptions have come to nothing yet is requested, and one that has lived
    by subscriptions of which Stripe knows nothing any more is suspended.
    """
    ordered = sorted(standings, key=lambda each: each.order, reverse=True)
    best = ordered[0] if ordered else None
    state, description = (best.state, best.description) if best else _without_subscription(has_billing, has_lived)
    return Verdict(
        state=hold.state if hold else state,
        description=hold.reason if hold else description,
        granting=_granting(ordered),
        next_at=_earliest(*(each.until for each in ordered), hold.until if hold else None, after=now),
        ended_at=best.ended_at if best else None,
    )


def _without_subscription(has_billing: bool, has_lived: bool) -> tuple[State, str]:
    if not has_billing:
        return State.APPROVED, ""
    return (State.SUSPENDED, HAS_ENDED) if has_lived else (State.REQUESTED, "")


def _granting(ordered: list[Standing]) -> tuple[Subscription, ...]:
    """Those whose plans count: all of the best live rank, or the last one that was left."""
    if not ordered:
        return ()
    best = ordered[0]
    if best.state not in OPEN_STATES:
        return (best.subscription,)
    return tuple(each.subscription for each in ordered if each.rank == best.rank)


def _earliest(*moments: datetime | None, after: datetime | None = None) -> datetime | None:
    known = [moment for moment in moments if moment and (after is None or moment > after)]
    return min(known, default=None)
