"""Time that passes for subscriptions: renewals, ends of trials and pauses, and cancellations that fall due.

Nothing here runs by itself: the control API asks for it when it moves the clock.
"""

from heapq import heapify, heappop, heappush

from apps.sandbox.cancellation import cancel
from apps.sandbox.contract import Body
from apps.sandbox.errors import ApiError
from apps.sandbox.ids import new_id
from apps.sandbox.invoicing import bill
from apps.sandbox.items import of_subscription
from apps.sandbox.render import render
from apps.sandbox.standing import move
from apps.sandbox.statuses import roll_periods, set_status
from apps.sandbox.store import Transaction

_GOING_ON = ("active", "trialing")
_MOST_STEPS = 2_000


def advance(tx: Transaction, *, until: int) -> None:
    """Go through all that falls due until `until` (Unix seconds), in the order of time; `tx.now` ends there.

    Raises ApiError, and so changes nothing, where that is more than a test can mean.
    """
    queue = [_entry(tx, each) for status in _GOING_ON for each in tx.all("subscription", status=status)]
    heapify(queue)
    steps = 0
    while queue and queue[0][0] <= until:
        steps += 1
        if steps > _MOST_STEPS:
            raise ApiError(f"More than {_MOST_STEPS} renewals fall due; move the clock in smaller steps.", param="now")
        moment, _created, id = heappop(queue)
        tx.now = max(moment, tx.now)
        _step(tx, tx.load("subscription", id), moment=moment)
        stepped = tx.load("subscription", id)
        if stepped["status"] in _GOING_ON:
            heappush(queue, _entry(tx, stepped))
    tx.now = max(until, tx.now)


def _entry(tx: Transaction, subscription: Body) -> tuple[int, int, str]:
    """Return what sorts subscriptions by the moment that changes them next."""
    return _next_moment(tx, subscription), subscription["created"], subscription["id"]


def _next_moment(tx: Transaction, subscription: Body) -> int:
    moments: list[int] = [item["current_period_end"] for item in of_subscription(tx, subscription)]
    pause = subscription["pause_collection"] or {}
    moments += [each for each in (subscription["cancel_at"], pause.get("resumes_at")) if each is not None]
    return min(moments)


def _step(tx: Transaction, subscription: Body, *, moment: int) -> None:
    pause = subscription["pause_collection"] or {}
    cancel_at = subscription["cancel_at"]
    if cancel_at is not None and cancel_at <= moment:
        cancel(tx, subscription)
    elif pause.get("resumes_at") is not None and pause["resumes_at"] <= moment:
        move(tx, subscription, {"pause_collection": None})
    elif subscription["status"] == "trialing":
        set_status(tx, subscription, "active")
    else:
        _renew(tx, subscription)


def _renew(tx: Transaction, subscription: Body) -> None:
    """Begin the next period: customer.subscription.updated, then the invoice's events."""
    before = render(tx, subscription)
    roll_periods(tx, subscription)
    changes = {"latest_invoice": new_id("in")}
    renewed = move(tx, subscription, changes, before=before)
    bill(tx, renewed, reason="subscription_cycle", id=renewed["latest_invoice"])
