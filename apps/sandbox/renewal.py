"""Time that passes for subscriptions: renewals, ends of trials and pauses, retries of payments, cancellations.

Nothing here runs by itself: the control API asks for it when it moves the clock, and test clocks when they advance.
"""

from collections.abc import Callable
from heapq import heapify, heappop, heappush
from typing import Final, NamedTuple

from apps.sandbox import checkout, dunning, methods, schedules
from apps.sandbox.agenda import Due, all_done_at, next_due
from apps.sandbox.billing import bill
from apps.sandbox.cancellation import cancel
from apps.sandbox.changing import restart
from apps.sandbox.contract import Body
from apps.sandbox.errors import ApiError
from apps.sandbox.ids import new_id
from apps.sandbox.invoicing import draft
from apps.sandbox.items import of_subscription
from apps.sandbox.prorating import bill_all_usage, pending
from apps.sandbox.recording import record
from apps.sandbox.rehearsing import undone, watch
from apps.sandbox.render import embedded, render
from apps.sandbox.standing import move
from apps.sandbox.statuses import next_period, roll_periods, set_status
from apps.sandbox.store import Transaction

_MOST_STEPS = 50_000
_MOST_PREVIEWED = 100


def advance(tx: Transaction, *, until: int, test_clock: str | None = None) -> None:
    """Go through all that falls due until `until` (Unix seconds), in the order of time; `tx.now` ends there.

    It is about what is on `test_clock`, or without one about what is on none. Raises ApiError, and so
    changes nothing, where that is more than a test can mean.
    """
    queue = _queue(tx, test_clock)
    steps = 0
    while queue and queue[0].due.at <= until:
        steps += 1
        if steps > _MOST_STEPS:
            raise ApiError(f"More than {_MOST_STEPS} things fall due; move the clock in smaller steps.", param="now")
        entry = heappop(queue)
        due = entry.due
        tx.now = max(due.at, tx.now)
        _step(tx, due)
        following = next_due(tx, tx.load(entry.kind, entry.id), after=(due.at, due.rank))
        if due.kind == "start":
            following, entry = _of_started(tx, entry)
        if following:
            heappush(queue, _entry(following, order=entry.order, kind=entry.kind, id=entry.id))
    tx.now = max(until, tx.now)


def advance_one(tx: Transaction, subscription: str, *, until: Callable[[], bool]) -> None:
    """Go through what falls due for the subscription alone, until something is so, or nothing is left to come."""
    after = all_done_at(tx.now)
    for _ in range(_MOST_PREVIEWED):
        due = None if until() else next_due(tx, tx.load("subscription", subscription), after=after)
        if due is None:
            return
        tx.now, after = max(due.at, tx.now), (due.at, due.rank)
        _step(tx, due)


def _of_started(tx: Transaction, entry: "_Entry") -> "tuple[Due | None, _Entry]":
    """Return what falls due next for the subscription that a schedule has begun."""
    subscription = tx.load("subscription", tx.load(schedules.KIND, entry.id)["subscription"])
    due = next_due(tx, subscription, after=(entry.due.at, entry.due.rank))
    return due, entry._replace(kind="subscription", id=subscription["id"])


class _Entry(NamedTuple):
    """What falls due next for one object; sorted by moment, then rank, then the order of making."""

    at: int
    rank: int
    order: int
    due: Due
    kind: str
    id: str


def _entry(due: Due, *, order: int, kind: str, id: str) -> _Entry:
    return _Entry(due.at, due.rank, order, due, kind, id)


def _queue(tx: Transaction, test_clock: str | None) -> list[_Entry]:
    after = all_done_at(tx.now)
    subjects = [
        *tx.all("subscription", test_clock=test_clock),
        *tx.all(checkout.KIND, _test_clock=test_clock),
        *tx.all(schedules.KIND, test_clock=test_clock),
    ]
    found = [(next_due(tx, each, after=after), order, each) for order, each in enumerate(subjects)]
    queue = [_entry(due, order=order, kind=each["object"], id=each["id"]) for due, order, each in found if due]
    heapify(queue)
    return queue


def _step(tx: Transaction, due: Due) -> None:
    kind = {"retry": "invoice", "lapse": checkout.KIND, "start": schedules.KIND}.get(due.kind, "subscription")
    _STEPS[due.kind](tx, tx.load(kind, due.id))


def _resume(tx: Transaction, subscription: Body) -> None:
    move(tx, subscription, {"pause_collection": None})


def _enter_phase(tx: Transaction, subscription: Body) -> None:
    schedules.go_on(tx, tx.load(schedules.KIND, subscription["schedule"]))


def _announce_trial_end(tx: Transaction, subscription: Body) -> None:
    record(tx, "customer.subscription.trial_will_end", subscription)


def _announce_renewal(tx: Transaction, subscription: Body) -> None:
    notice = _planned(tx, subscription) if subscription["schedule"] else _upcoming(tx, subscription)
    if notice:
        record(tx, "invoice.upcoming", notice)


def _planned(tx: Transaction, subscription: Body) -> Body | None:
    """Return the notice of a subscription whose next period can be one of another phase, found by going there."""
    with undone(tx):
        issued = watch(tx)
        advance_one(tx, subscription["id"], until=lambda: issued(subscription) is not None)
        invoice = issued(subscription)
        lines = tx.all("line_item", invoice=invoice["id"]) if invoice else []
    return invoice and _notice(invoice, lines, subscription=subscription["id"], at=invoice["created"])


def _end(tx: Transaction, subscription: Body) -> None:
    """Cancel what was to end now, and bill the usage and the prorations that no invoice has taken up."""
    bill_all_usage(tx, subscription)
    ended = cancel(tx, subscription)
    if pending(tx, ended["id"]):
        invoice = bill(tx, ended, reason="subscription_cycle", items=[])
        tx.save(tx.load("subscription", ended["id"]) | {"latest_invoice": invoice["id"]})


def _renew(tx: Transaction, subscription: Body) -> None:
    """Begin the next period of the items whose one is over: customer.subscription.updated, then the invoice."""
    before = render(tx, subscription)
    rolled = roll_periods(tx, subscription)
    changes = {"latest_invoice": new_id("in")}
    renewed = move(tx, subscription, changes, before=before)
    bill(tx, renewed, reason="subscription_cycle", id=renewed["latest_invoice"], items=rolled)


def _end_trial(tx: Transaction, subscription: Body) -> None:
    """Begin the first period that is paid for; without a payment method, do what `trial_settings` say instead."""
    customer = tx.load("customer", subscription["customer"])
    missing = subscription["trial_settings"]["end_behavior"]["missing_payment_method"]
    if missing != "create_invoice" and methods.payer(tx, subscription=subscription, customer=customer) is None:
        set_status(tx, subscription, "canceled" if missing == "cancel" else "paused")
        return
    before = render(tx, subscription)
    changes = restart(tx, subscription) | {"latest_invoice": new_id("in")}
    begun = move(tx, subscription, changes, before=before)
    bill(tx, begun, reason="subscription_cycle", id=begun["latest_invoice"])


def _upcoming(tx: Transaction, subscription: Body) -> Body:
    """Return the invoice that the renewal will make, as invoice.upcoming shows it: without an id."""
    items = of_subscription(tx, subscription)
    end = min(item["current_period_end"] for item in items)
    due = [next_period(tx, subscription, item, at=end) for item in items if item["current_period_end"] == end]
    paid = subscription | {"status": "active"}
    invoice, lines = draft(tx, paid, reason="upcoming", id="upcoming", items=due)
    return _notice(invoice, lines, subscription=subscription["id"], at=end)


def _notice(invoice: Body, lines: list[Body], *, subscription: str, at: int) -> Body:
    shown = [{name: value for name, value in line.items() if name != "invoice"} for line in lines]
    url = f"/v1/invoices/upcoming/lines?subscription={subscription}"
    notice = invoice | {"lines": embedded(data=shown, url=url), "next_payment_attempt": at}
    return {name: value for name, value in notice.items() if name != "id"}


_STEPS: Final[dict[str, Callable[[Transaction, Body], object]]] = {
    "cancel": _end,
    "resume": _resume,
    "phase": _enter_phase,
    "trial_will_end": _announce_trial_end,
    "upcoming": _announce_renewal,
    "trial_end": _end_trial,
    "retry": dunning.retry,
    "renew": _renew,
    "expire": dunning.expire,
    "lapse": checkout.expire,
    "start": schedules.start,
}
"""What is done when something falls due, by its kind."""
