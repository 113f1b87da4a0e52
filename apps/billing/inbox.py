"""The inbox of Stripe's events: accepted, worked off, taken up again."""

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from uuid import UUID

import structlog
from django.conf import settings
from django.db import transaction
from django.db.models import F, QuerySet

from apps.audit import services as audit
from apps.audit.services import Cause
from apps.billing import gateway
from apps.billing.errors import BadEvent, BadSignature, StripeMissing, StripeRefused, StripeUnavailable
from apps.billing.gateway import EventHead
from apps.billing.models import Event
from apps.core.clock import Clock, from_timestamp
from apps.core.jobs import absorb_twins, enqueue

log = structlog.get_logger(__name__)

# The job that looks again, by what an event is about. Its lock is the work itself,
# so that what concerns one customer is done by one worker at a time.
JOBS = {
    "customer": "lifecycle.follow_customer",
    "price": "lifecycle.follow_price",
    "product": "lifecycle.follow_product",
    "clock": "lifecycle.follow_clock",
}
FIRST_RETRY = timedelta(minutes=1)
LONGEST_RETRY = timedelta(hours=1)
# With the pauses above: after about half an hour.
ATTEMPTS_BEFORE_ALERT = 5
STUCK = "stripe_work_stuck"


def receive(*, body: bytes, signature: str, now: datetime) -> None:
    """Accept one delivery of a webhook.

    Raises:
        BadSignature: when no configured secret has signed it in the last five minutes.
        BadEvent: when the signed body is not a Stripe event.
    """
    if not any(
        gateway.verify_signature(body=body, header=signature, secret=secret)
        for secret in settings.STRIPE_WEBHOOK_SECRETS
    ):
        raise BadSignature
    accept([_head_of(body)], now=now)


def _head_of(body: bytes) -> EventHead:
    try:
        return gateway.event_head(json.loads(body))
    except (ValueError, RecursionError) as error:
        raise BadEvent("That is not a Stripe event: the body is not JSON.") from error


@transaction.atomic
def accept(heads: Iterable[EventHead], *, now: datetime) -> int:
    """Store events and enqueue the work they ask for; tells how many were new."""
    rows = [_row(head, now) for head in heads]
    known = set(Event.objects.filter(event_id__in=[row.event_id for row in rows]).values_list("event_id", flat=True))
    new = [row for row in rows if row.event_id not in known]
    # Two deliveries of one event at once: the second is a duplicate, not an error.
    Event.objects.bulk_create(new, ignore_conflicts=True)
    for work in dict.fromkeys(row.work for row in new if row.state == Event.State.PENDING):
        enqueue_work(work)
    return len(new)


def _row(head: EventHead, now: datetime) -> Event:
    work, reason = _work_of(head)
    return Event(
        event_id=head.event_id,
        type=head.type,
        object_id=head.object_id,
        customer_id=head.customer_id,
        account_id=head.account_id,
        api_version=head.api_version,
        livemode=head.livemode,
        happened_at=from_timestamp(head.created),
        received_at=now,
        work=work,
        error=reason,
        state=Event.State.PENDING if work else Event.State.IGNORED,
        retry_at=now + FIRST_RETRY if work else None,
        finished_at=None if work else now,
    )


def _work_of(head: EventHead) -> tuple[str, str]:
    """What to look at again because of an event; or nothing, and why."""
    if head.livemode != settings.STRIPE_LIVE_MODE:
        return "", "It belongs to the other mode (live or test) of the account."
    if head.account_id:
        return "", "It belongs to a connected account."
    if not head.type.startswith(gateway.EVENTS_THAT_MATTER):
        return "", "Nothing here depends on events of this type."
    work = _what_it_is_about(head)
    return work, "" if work else "It names no customer."


def _what_it_is_about(head: EventHead) -> str:
    for prefix, kind in (("price.", "price"), ("product.", "product"), ("test_helpers.test_clock.", "clock")):
        if head.type.startswith(prefix) and head.object_id:
            return f"{kind}:{head.object_id}"
    return f"customer:{head.customer_id}" if head.customer_id else ""


def enqueue_work(work: str) -> None:
    """Have a worker look again at a customer, price or product."""
    kind, _, identifier = work.partition(":")
    enqueue(JOBS[kind], lock=work, **{f"{kind}_id": identifier})


def take(work: str) -> list[UUID]:
    """The pending events about this work. They stay pending until `finish`, whatever happens to the worker.

    A burst of events about one customer is worked off at once: the jobs of those
    after the first are taken back.
    """
    absorb_twins(JOBS[work.partition(":")[0]], lock=work)
    return list(Event.objects.filter(work=work, state=Event.State.PENDING).values_list("id", flat=True))


@transaction.atomic
def finish(events: list[UUID], *, work: str, now: datetime, note: str = "") -> None:
    """These events are worked off."""
    Event.objects.filter(id__in=events).update(state=Event.State.DONE, finished_at=now, error=note, retry_at=None)
    audit.set_alerts(subject=work, codes=[STUCK], causes=[], now=now)


@transaction.atomic
def postpone(events: list[UUID], *, work: str, error: str, now: datetime) -> None:
    """These events could not be worked off; they are taken up again, later each time, for ever."""
    most = 0
    for event in Event.objects.filter(id__in=events):
        most = max(most, event.attempts + 1)
        pause = min(FIRST_RETRY * 2 ** min(event.attempts, 10), LONGEST_RETRY)
        Event.objects.filter(id=event.id).update(attempts=F("attempts") + 1, error=error, retry_at=now + pause)
    if most >= ATTEMPTS_BEFORE_ALERT:
        message = f"Stripe's events about it could not be worked off {most} times, last because: {error}"
        audit.set_alerts(subject=work, codes=[STUCK], causes=[Cause(STUCK, message)], now=now)


@transaction.atomic
def replay(events: QuerySet[Event], *, now: datetime) -> list[str]:
    """Work these events off once more, whatever became of them; returns what is looked at again."""
    asking = events.exclude(work="")
    works = sorted(set(asking.values_list("work", flat=True)))
    asking.update(state=Event.State.PENDING, finished_at=None, retry_at=now + FIRST_RETRY)
    for work in works:
        enqueue_work(work)
    return works


@transaction.atomic
def requeue(*, work: str, now: datetime) -> None:
    """Enqueue pending work again whose time has come, and put its next time off."""
    Event.objects.filter(work=work, state=Event.State.PENDING).update(retry_at=now + FIRST_RETRY)
    enqueue_work(work)


@contextmanager
def working_off(events: list[UUID], *, work: str, clock: Clock) -> Iterator[None]:
    """Run the block as the work that these events ask for: they are finished with it, or postponed.

    What Stripe keeps us from doing is postponed quietly; what nobody anticipated is
    raised besides, so that the job shows it. What Stripe no longer has needs no work.
    """
    try:
        yield
    except StripeMissing as error:
        finish(events, work=work, now=clock(), note=str(error))
    except (StripeUnavailable, StripeRefused) as error:
        log.warning("stripe work postponed", error=str(error))
        postpone(events, work=work, error=str(error), now=clock())
    except Exception as error:
        postpone(events, work=work, error=f"{type(error).__name__}: {error}", now=clock())
        raise
    else:
        finish(events, work=work, now=clock())
