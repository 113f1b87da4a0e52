"""Test clocks: customers that live in a time of their own. Contract: docs.stripe.com/billing/testing/test-clocks.

What a request does to an object of such a customer happens at the clock's frozen time, and only advancing the clock
lets time pass for it. An advance is done when it is answered, though the answer says `advancing` as Stripe's does:
whoever asks again finds the clock ready.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Final

from apps.sandbox import renewal
from apps.sandbox.cancellation import delete_customer
from apps.sandbox.contract import DAY, LATEST, TERMINAL_STATUSES, Body
from apps.sandbox.errors import ApiError
from apps.sandbox.ids import new_id
from apps.sandbox.items import of_subscription
from apps.sandbox.periods import boundary
from apps.sandbox.recording import record
from apps.sandbox.shapes import complete
from apps.sandbox.store import Transaction

KIND: Final = "test_helpers.test_clock"
_KEPT: Final = 30 * DAY


def make(tx: Transaction, params: Body) -> Body:
    """Make a clock that stands at `frozen_time`; records test_helpers.test_clock.created."""
    _check(params["frozen_time"] <= LATEST, "frozen_time lies too far in the future.")
    clock = {
        "id": new_id("clock"),
        "object": KIND,
        "created": tx.now,
        "deletes_after": tx.now + _KEPT,
        "frozen_time": params["frozen_time"],
        "livemode": False,
        "name": params.get("name"),
        "status": "ready",
        "status_details": {},
    }
    made = tx.insert(complete(clock))
    record(tx, f"{KIND}.created", made)
    return made


def advance(tx: Transaction, clock: Body, *, until: int) -> Body:
    """Let time pass until `until` (Unix seconds) for all that is on the clock; returns the answer, `advancing`.

    Raises ApiError backwards, and beyond two intervals of the clock's shortest subscription.
    """
    _check(until > clock["frozen_time"], "frozen_time must be after the test clock's current frozen time.")
    _check(
        until <= _latest(tx, clock),
        "frozen_time cannot be more than two intervals in the future from the shortest subscription on this test "
        "clock, or two years where there is none.",
    )
    advancing = tx.save(clock | {"status": "advancing"})
    record(tx, f"{KIND}.advancing", advancing)
    # What follows is the clock's doing: its events name no request.
    tx.request_id = tx.idempotency_key = None
    renewal.advance(tx, until=until, test_clock=clock["id"])
    ready = tx.save(clock | {"frozen_time": until})
    record(tx, f"{KIND}.ready", ready)
    return advancing


def _latest(tx: Transaction, clock: Body) -> int:
    """Return the moment up to which the clock can be advanced in one step."""
    running = [each for each in tx.all("subscription", test_clock=clock["id"]) if not _is_over(each)]
    prices = [tx.load("price", item["price"]) for each in running for item in of_subscription(tx, each)]
    intervals = [(price["recurring"]["interval"], 2 * price["recurring"]["interval_count"]) for price in prices]
    found = [boundary(clock["frozen_time"], interval=name, count=count) for name, count in intervals]
    return min(found, default=boundary(clock["frozen_time"], interval="year", count=2))


def _is_over(subscription: Body) -> bool:
    return subscription["status"] in TERMINAL_STATUSES


def _check(holds: bool, message: str) -> None:
    if not holds:
        raise ApiError(message, param="frozen_time")


def delete(tx: Transaction, clock: Body) -> None:
    """Remove the clock and its customers, whose subscriptions are canceled."""
    for customer in tx.all("customer", test_clock=clock["id"]):
        delete_customer(tx, customer)
    record(tx, f"{KIND}.deleted", clock)
    tx.delete(clock)


def enter(tx: Transaction, ids: Iterable[str]) -> None:
    """Go to the time of the first test clock that one of the objects named by `ids` is on, if any is."""
    for id in ids:
        found = tx.find(id)
        clock = None if found is None else _clock_of(tx, found)
        if clock is not None:
            tx.now = clock["frozen_time"]
            return


@contextmanager
def entered(tx: Transaction, ids: Iterable[str]) -> Iterator[None]:
    """Be in the time of those objects for the length of the block."""
    outside = tx.now
    enter(tx, ids)
    try:
        yield
    finally:
        tx.now = outside


def _clock_of(tx: Transaction, body: Body) -> Body | None:
    """Return the clock that the object is, is on, or whose customer or subscription is on."""
    if body["object"] == KIND:
        return body
    for field in ("test_clock", "customer", "subscription"):
        next_id = body.get(field)
        found = tx.find(next_id) if isinstance(next_id, str) else None
        clock = None if found is None else _clock_of(tx, found)
        if clock is not None:
            return clock
    return None
