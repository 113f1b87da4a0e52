"""Moving a subscription to any status on demand, with the invoices and events that Stripe would make of it.

Events about invoices come first, then customer.subscription.updated (or .deleted).
"""

from collections.abc import Callable
from typing import Final

from apps.sandbox.cancellation import cancel
from apps.sandbox.changing import restart
from apps.sandbox.contract import DAY, TERMINAL_STATUSES, Body
from apps.sandbox.invoicing import fail, finalize, issue, open_invoices, pay, stop_collecting, void
from apps.sandbox.items import of_subscription, period_at
from apps.sandbox.render import render
from apps.sandbox.standing import move
from apps.sandbox.store import Transaction

TRIAL: Final = 14 * DAY
"""How long a trial lasts that nobody gave an end."""

_RUNNING: Body = {"ended_at": None, "canceled_at": None, "cancel_at": None, "cancel_at_period_end": False}


def set_status(tx: Transaction, subscription: Body, status: str) -> Body:
    """Move the subscription to `status` at the transaction's `now`; returns it as it is then.

    Periods that are over are left for those that run now. Nothing happens when it has that status already, but
    for `past_due`, where each call means one more invoice that was not paid. An ended subscription, which Stripe
    would not revive, runs again.
    """
    was = subscription["status"]
    if was == status != "past_due":
        return subscription
    before = render(tx, subscription)
    roll_periods(tx, subscription)
    if status == "canceled":
        return cancel(tx, subscription, reason="payment_failed" if was in _OWING else "cancellation_requested")
    changes = _MOVES[status](tx, subscription) | {"status": status}
    revived = _RUNNING if was in TERMINAL_STATUSES and status not in TERMINAL_STATUSES else {}
    return move(tx, subscription | revived, changes, before=before)


_OWING = ("past_due", "unpaid")


def roll_periods(tx: Transaction, subscription: Body) -> list[Body]:
    """Put every item whose period is over into the one that runs now, and return those items."""
    over = [item for item in of_subscription(tx, subscription) if item["current_period_end"] <= tx.now]
    return [tx.save(next_period(tx, subscription, item, at=tx.now)) for item in over]


def next_period(tx: Transaction, subscription: Body, item: Body, *, at: int) -> Body:
    """Return the item in the period that runs at the moment, after the one it is in; nothing is kept."""
    anchor, price = subscription["billing_cycle_anchor"], tx.load("price", item["price"])
    return item | period_at(price, anchor=anchor, moment=at, begin=item["current_period_end"])


def _active(tx: Transaction, subscription: Body) -> Body:
    """Pay what is owed; a trial or a pause ends with a new period that is billed now."""
    for invoice in open_invoices(tx, subscription["id"]):
        pay(tx, invoice)
    if subscription["status"] not in ("trialing", "paused"):
        return {}
    restarted = subscription | {"status": "active"} | restart(tx, subscription)
    return restarted | {"latest_invoice": _paid_invoice(tx, restarted)["id"]}


def _paid_invoice(tx: Transaction, subscription: Body) -> Body:
    """Return an invoice that is paid whatever the customer's payment method would do."""
    return pay(tx, finalize(tx, issue(tx, subscription, reason="subscription_cycle")))


def _past_due(tx: Transaction, subscription: Body) -> Body:
    return {"latest_invoice": _failed_invoice(tx, subscription)["id"]}


def _failed_invoice(tx: Transaction, subscription: Body) -> Body:
    """Return an invoice whose charge failed on demand; what is noted on it keeps retries from undoing that."""
    return fail(tx, tx.save(_unpaid_invoice(tx, subscription) | {"_failed_on_demand": True}))


def _unpaid_invoice(tx: Transaction, subscription: Body) -> Body:
    """Return a finalised invoice for the period that runs now, which is no trial."""
    return finalize(tx, issue(tx, subscription | {"status": "active"}, reason="subscription_cycle"))


def _unpaid(tx: Transaction, subscription: Body) -> Body:
    """Collection was given up: the invoices stay open, a missing one is made."""
    owed = open_invoices(tx, subscription["id"]) or [_failed_invoice(tx, subscription)]
    for invoice in owed:
        stop_collecting(tx, invoice)
    return {"latest_invoice": owed[-1]["id"]}


def _trialing(tx: Transaction, subscription: Body) -> Body:
    end = tx.now + TRIAL
    for item in of_subscription(tx, subscription):
        tx.save(item | {"current_period_start": tx.now, "current_period_end": end})
    return {"trial_start": tx.now, "trial_end": end, "billing_cycle_anchor": end}


def _paused(tx: Transaction, subscription: Body) -> Body:
    return {"trial_end": tx.now} if subscription["status"] == "trialing" else {}


def _incomplete(tx: Transaction, subscription: Body) -> Body:
    owed = open_invoices(tx, subscription["id"]) or [_unpaid_invoice(tx, subscription)]
    return {"latest_invoice": owed[-1]["id"]}


def _incomplete_expired(tx: Transaction, subscription: Body) -> Body:
    for invoice in open_invoices(tx, subscription["id"]):
        void(tx, invoice)
    return {"ended_at": tx.now}


_MOVES: Final[dict[str, Callable[[Transaction, Body], Body]]] = {
    "incomplete": _incomplete,
    "incomplete_expired": _incomplete_expired,
    "trialing": _trialing,
    "active": _active,
    "past_due": _past_due,
    "unpaid": _unpaid,
    "paused": _paused,
}
