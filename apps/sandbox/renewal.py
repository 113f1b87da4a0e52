"""Time that passes for subscriptions: renewals, ends of trials and pauses, retries of payments, cancellations.

Nothing here runs by itself: the control API asks for it when it moves the clock, and test clocks when they advance.
"""

from heapq import heapify, heappop, heappush
from typing import NamedTuple

from apps.sandbox import checkout, dunning, methods
from apps.sandbox.agenda import Due, all_done_at, next_due
from apps.sandbox.billing import bill
from apps.sandbox.cancellation import cancel
from apps.sandbox.changing import restart
from apps.sandbox.contract import Body
from apps.sandbox.errors import ApiError
from apps.sandbox.ids import new_id
from apps.sandbox.invoicing import draft
from apps.sandbox.items import of_subscription
from apps.sandbox.prorating import pending
from apps.sandbox.recording import record
from apps.sandbox.render import embedded, render
from apps.sandbox.standing import move
from apps.sandbox.statuses import next_period, roll_periods, set_status
from apps.sandbox.store import Transaction

_MOST_STEPS = 50_000


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
        if following:
            heappush(queue, _entry(following, order=entry.order, kind=entry.kind, id=entry.id))
    tx.now = max(until, tx.now)


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
    subjects = [*tx.all("subscription", test_clock=test_clock), *tx.all(checkout.KIND, _test_clock=test_clock)]
    found = [(next_due(tx, each, after=after), order, each) for order, each in enumerate(subjects)]
    queue = [_entry(due, order=order, kind=each["object"], id=each["id"]) for due, order, each in found if due]
    heapify(queue)
    return queue


def _step(tx: Transaction, due: Due) -> None:
    kind = {"retry": "invoice", "lapse": checkout.KIND}.get(due.kind, "subscription")
    subject = tx.load(kind, due.id)
    match due.kind:
        case "retry":
            dunning.retry(tx, subject)
        case "lapse":
            checkout.expire(tx, subject)
        case "cancel":
            _end(tx, subject)
        case "resume":
            move(tx, subject, {"pause_collection": None})
        case "trial_will_end":
            record(tx, "customer.subscription.trial_will_end", subject)
        case "upcoming":
            record(tx, "invoice.upcoming", _upcoming(tx, subject))
        case "trial_end":
            _end_trial(tx, subject)
        case "renew":
            _renew(tx, subject)
        case "expire":
            dunning.expire(tx, subject)


def _end(tx: Transaction, subscription: Body) -> None:
    """Cancel what was to end now, and bill the prorations that are still pending."""
    ended = cancel(tx, subscription)
    if pending(tx, ended["id"]):
        tx.save(ended | {"latest_invoice": bill(tx, ended, reason="subscription_cycle", items=[])["id"]})


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
    shown = [{name: value for name, value in line.items() if name != "invoice"} for line in lines]
    url = f"/v1/invoices/upcoming/lines?subscription={subscription['id']}"
    notice = invoice | {"lines": embedded(data=shown, url=url), "next_payment_attempt": end}
    return {name: value for name, value in notice.items() if name != "id"}
