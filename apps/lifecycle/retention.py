"""How long the data of a tenant is kept whose subscriptions have ended: pure rules, no database, no clock."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

# A notice that a busy worker gives so little late does not put the deletion off: a tenth of its time, at most a day.
LATE = timedelta(days=1)


def _tolerance(notice: int) -> timedelta:
    return min(LATE, timedelta(days=notice) / 10)


@dataclass(frozen=True)
class Policy:
    """`days` after the end the data is deleted (0: never); `notices`: so many days before, longest first."""

    days: int
    notices: tuple[int, ...]


@dataclass(frozen=True)
class Retention:
    """When a tenant's data is deleted; the notice to give now, in days; and when to look again.

    `delete_at` None: never, or not yet known because the first notice must be given before.
    """

    delete_at: datetime | None = None
    notice: int | None = None
    deletion_due: bool = False
    next_at: datetime | None = None


def retention(ended_at: datetime | None, *, policy: Policy, given: Mapping[int, datetime], now: datetime) -> Retention:
    """What to do about a tenant whose last subscription ended then; nothing while one is alive.

    Whatever happened before, nothing is deleted before the first notice was given, and
    all of the time that it promised has passed.
    """
    if ended_at is None or not policy.days:
        return Retention()
    nominal = ended_at + timedelta(days=policy.days)
    if not policy.notices:
        return Retention(nominal, deletion_due=nominal <= now, next_at=nominal if nominal > now else None)
    if not given and nominal - timedelta(days=policy.notices[0]) < now - _tolerance(policy.notices[0]):
        return Retention(notice=policy.notices[0])
    return _announced(_promised(nominal, given), policy, given, now)


def _promised(nominal: datetime, given: Mapping[int, datetime]) -> datetime:
    """The planned moment, unless the first notice came so late that its time ends after that."""
    if not given:
        return nominal
    days, at = min(given.items(), key=lambda each: each[1])
    promised = at + timedelta(days=days)
    return promised if promised > nominal + _tolerance(days) else nominal


def notices_to_come(
    delete_at: datetime, *, notices: tuple[int, ...], given: Mapping[int, datetime], now: datetime
) -> dict[int, datetime]:
    """The notices that are still given, and when, by the days they leave; of several overdue ones only the last is."""
    moments = {days: delete_at - timedelta(days=days) for days in notices if days < min(given, default=days + 1)}
    overdue = [days for days, moment in moments.items() if moment <= now]
    return {days: moment for days, moment in moments.items() if moment > now or days == min(overdue)}


def _announced(delete_at: datetime, policy: Policy, given: Mapping[int, datetime], now: datetime) -> Retention:
    moments = notices_to_come(delete_at, notices=policy.notices, given=given, now=now)
    due = [days for days, moment in moments.items() if moment <= now]
    coming = [moment for moment in (*moments.values(), delete_at) if moment > now]
    return Retention(
        delete_at=delete_at,
        # Who has been told, and is deleted now, need not be told once more.
        notice=min(due, default=None) if delete_at > now or not given else None,
        deletion_due=delete_at <= now and bool(given),
        next_at=min(coming, default=None),
    )
