"""The inbox of Stripe's events: accepted, worked off, taken up again."""

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from uuid import UUID, uuid4

import structlog
from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet

from apps.audit import services as audit
from apps.audit.services import Cause
from apps.billing import gateway, selectors
from apps.billing.errors import BadEvent, BadSignature, StripeMissing, StripeRefused, StripeUnavailable
from apps.billing.heads import EventHead, event_head
from apps.billing.models import Event
from apps.core.actors import Actor
from apps.core.clock import Clock, from_timestamp
from apps.core.jobs import AFTER_OTHERS, absorb_twins, enqueue, hold_back

log = structlog.get_logger(__name__)

# The job that looks again, by what an event is about. Its lock is the work itself,
# so that what concerns one customer is done by one worker at a time.
JOBS = {
    "customer": "lifecycle.follow_customer",
    "price": "lifecycle.follow_price",
    "product": "lifecycle.follow_product",
    "clock": "lifecycle.follow_clock",
    "subscription": "lifecycle.follow_subscription",
    "invoice": "lifecycle.follow_invoice",
}
FIRST_RETRY = timedelta(minutes=1)
LONGEST_RETRY = timedelta(hours=1)
# Somebody is told when both have passed.
ATTEMPTS_BEFORE_ALERT = 5
TIME_BEFORE_ALERT = timedelta(minutes=15)
STUCK = "stripe_work_stuck"
# The type of events of our own: they ask for work without Stripe having sent anything.
LOOK_AGAIN = "tenantry.look_again"
# Stripe lists events of 30 days; one that is forgotten here must not come in anew.
KEPT_FOR = timedelta(days=35)
FORGOTTEN_AT_ONCE = 5_000


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
        return event_head(json.loads(body))
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
    if head.account_id and not _is_our_own(head.account_id):
        return "", "It belongs to a connected account."
    return head.work, head.reason


def _is_our_own(account_id: str) -> bool:
    installation = selectors.installation()
    return installation is not None and installation.account_id == account_id


@transaction.atomic
def look_again(works: Iterable[str], *, now: datetime, at_once: bool = True) -> None:
    """Have this looked at in Stripe without an event having come, as surely as if one had.

    It is pending like any event's work: tried again while Stripe is away, and told of.
    Unless `at_once`, it is taken up like what has failed, after a minute.
    """
    asked = list(dict.fromkeys(works))
    Event.objects.bulk_create([_own_event(work, now) for work in asked], batch_size=500)
    for work in asked if at_once else ():
        enqueue_work(work)


def _own_event(work: str, now: datetime) -> Event:
    kind, _, identifier = work.partition(":")
    return Event(
        event_id=f"tenantry_{uuid4().hex}",
        type=LOOK_AGAIN,
        object_id=identifier,
        customer_id=identifier if kind == "customer" else "",
        livemode=settings.STRIPE_LIVE_MODE,
        happened_at=now,
        received_at=now,
        work=work,
        retry_at=now + FIRST_RETRY,
    )


def enqueue_work(work: str) -> None:
    """Have a worker look again at what the work names, in the caller's transaction.

    What does not need Stripe comes first: with a Stripe that does not answer, this may take long.
    """
    if not hold_back(_job_of(work), lock=work):
        kind, _, identifier = work.partition(":")
        enqueue(JOBS[kind], lock=work, priority=AFTER_OTHERS, **{f"{kind}_id": identifier})


def _job_of(work: str) -> str:
    return JOBS[work.partition(":")[0]]


def take(work: str) -> list[UUID]:
    """The pending events about this work. They stay pending until `finish`, whatever happens to the worker.

    A burst of events about one customer is worked off at once: the jobs of those
    after the first are taken back.
    """
    absorb_twins(_job_of(work), lock=work)
    return list(Event.objects.filter(work=work, state=Event.State.PENDING).values_list("id", flat=True))


def _locked(rows: QuerySet[Event]) -> list[UUID]:
    """Lock these rows, in one order everywhere, or two that change many of them could wait for each other."""
    return list(rows.select_for_update().order_by("id").values_list("id", flat=True))


def cause_of(events: list[UUID]) -> Actor:
    """In whose name the work is done that these events ask for."""
    asking = Event.objects.filter(id__in=events).order_by("happened_at", "received_at", "event_id")
    sent = list(asking.exclude(type=LOOK_AGAIN).values_list("type", "event_id"))
    if not sent:
        return Actor.stripe(customer_id=asking[0].object_id)
    return Actor.stripe_events(newest=" ".join(sent[-1]), others=len(sent) - 1)


@transaction.atomic
def readdress(events: list[UUID], *, customer_id: str, now: datetime) -> None:
    """These events turned out to be about this customer: they are worked off with all others about them."""
    work = f"customer:{customer_id}"
    Event.objects.filter(id__in=_locked(Event.objects.filter(id__in=events))).update(
        work=work, customer_id=customer_id, attempts=0, error="", retry_at=now + FIRST_RETRY
    )
    enqueue_work(work)


@transaction.atomic
def finish(events: list[UUID], *, work: str, now: datetime, note: str = "") -> None:
    """These events are worked off, but for those that were readdressed meanwhile."""
    Event.objects.filter(id__in=_locked(Event.objects.filter(id__in=events, work=work))).update(
        state=Event.State.DONE, finished_at=now, error=note, retry_at=None
    )
    audit.set_alerts(subject=work, codes=[STUCK], causes=[], now=now)


@transaction.atomic
def postpone(events: list[UUID], *, work: str, error: str, now: datetime, longest: timedelta = LONGEST_RETRY) -> None:
    """These events could not be worked off; they are taken up again, later each time up to `longest`, for ever."""
    rows = list(Event.objects.filter(id__in=_locked(Event.objects.filter(id__in=events, work=work))))
    for event in rows:
        event.retry_at = now + min(FIRST_RETRY * 2 ** min(event.attempts, 10), longest)
        event.attempts += 1
        event.error = error
    Event.objects.bulk_update(rows, ["attempts", "error", "retry_at"], batch_size=500)
    stuck = [event.attempts for event in rows if _is_stuck(event, now)]
    if stuck:
        message = f"Stripe's events about it could not be worked off {max(stuck)} times, last because: {error}"
        audit.set_alerts(subject=work, codes=[STUCK], causes=[Cause(STUCK, message)], now=now)


def _is_stuck(event: Event, now: datetime) -> bool:
    return event.attempts >= ATTEMPTS_BEFORE_ALERT and event.received_at <= now - TIME_BEFORE_ALERT


@transaction.atomic
def replay(events: QuerySet[Event], *, now: datetime) -> list[str]:
    """Work these events off once more, whatever became of them; returns what is looked at again."""
    asking = events.exclude(work="")
    works = sorted(set(asking.values_list("work", flat=True)))
    asking.update(state=Event.State.PENDING, attempts=0, error="", finished_at=None, retry_at=now + FIRST_RETRY)
    for work in works:
        enqueue_work(work)
    return works


@transaction.atomic
def requeue(*, work: str, now: datetime) -> None:
    """Enqueue pending work again whose time has come, and put its next time off."""
    pending = Event.objects.filter(work=work, state=Event.State.PENDING)
    Event.objects.filter(id__in=_locked(pending)).update(retry_at=now + FIRST_RETRY)
    enqueue_work(work)


def forget_old(*, now: datetime) -> int:
    """Delete the events that were worked off or ignored long ago; tells how many there were."""
    old = Event.objects.exclude(state=Event.State.PENDING).filter(finished_at__lt=now - KEPT_FOR)
    forgotten = 0
    while batch := list(old.order_by("finished_at").values_list("id", flat=True)[:FORGOTTEN_AT_ONCE]):
        # One that somebody has replayed meanwhile stays.
        forgotten += old.filter(id__in=batch).delete()[0]
    return forgotten


@contextmanager
def working_off(events: list[UUID], *, work: str, clock: Clock) -> Iterator[None]:
    """Run the block as the work that these events ask for: they are finished with it, or postponed.

    What Stripe keeps us from doing is postponed quietly; what nobody anticipated is
    raised besides, so that the job shows it. What Stripe no longer has needs no work,
    unless it is only something besides that is missing, which may be there the next time.
    """
    try:
        yield
    except StripeUnavailable as error:
        log.warning("stripe work postponed", error=str(error))
        # Once Stripe is back, all is well within minutes, however long it was away.
        postpone(events, work=work, error=str(error), now=clock(), longest=FIRST_RETRY)
    except StripeRefused as error:
        if isinstance(error, StripeMissing) and error.name == work:
            finish(events, work=work, now=clock(), note=str(error))
            return
        log.warning("stripe work postponed", error=str(error))
        postpone(events, work=work, error=str(error), now=clock())
    except Exception as error:
        postpone(events, work=work, error=f"{type(error).__name__}: {error}", now=clock())
        raise
    else:
        finish(events, work=work, now=clock())
