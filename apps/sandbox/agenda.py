"""What falls due for a subscription, a schedule or a session, and when: the calendar that the clock moves through.

Announcements (`trial_will_end`, `upcoming`) change nothing, so they are told once by looking only at moments after
the one that the clock has reached; everything else is due until it is done.
"""

from collections.abc import Iterator
from typing import Final, NamedTuple

from apps.sandbox import charging, checkout, methods, schedules
from apps.sandbox.contract import TERMINAL_STATUSES, Body
from apps.sandbox.invoicing import open_invoices
from apps.sandbox.items import of_subscription
from apps.sandbox.store import Transaction
from apps.sandbox.subscribing import TRIAL_NOTICE

FIRST_PAYMENT: Final = 23 * 3600
"""Seconds within which the first invoice must be paid, or that of resuming (docs.stripe.com/api/subscriptions)."""

_ORDER: Final = (
    "cancel",
    "resume",
    "phase",
    "trial_will_end",
    "upcoming",
    "trial_end",
    "retry",
    "renew",
    "expire",
    "lapse",
    "start",
)
_ANNOUNCEMENTS: Final = frozenset({"trial_will_end", "upcoming"})


class Due(NamedTuple):
    """Something that falls due `at` a moment; of what falls due at the same one, the lowest `rank` comes first.

    `id` is the invoice of a retry, the session that lapses, the schedule that starts, else the subscription.
    """

    at: int
    rank: int
    id: str

    @property
    def kind(self) -> str:
        return _ORDER[self.rank]


Position = tuple[int, int]
"""How far the clock has come: a moment (Unix seconds), and the rank of what was done last at it."""


def all_done_at(moment: int) -> Position:
    return moment, len(_ORDER)


def next_due(tx: Transaction, subject: Body, *, after: Position) -> Due | None:
    """Return what falls due next for a subscription, schedule or session; announcements only later than `after`."""
    if subject["object"] == checkout.KIND:
        open_until = subject["expires_at"] if subject["status"] == "open" else None
        return None if open_until is None else Due(open_until, _ORDER.index("lapse"), subject["id"])
    if subject["object"] == schedules.KIND:
        waits = subject["status"] == "not_started"
        return Due(schedules.next_moment(subject), _ORDER.index("start"), subject["id"]) if waits else None
    if subject["status"] in TERMINAL_STATUSES:
        return None
    found = [Due(at, _ORDER.index(kind), id) for kind, at, id in _moments(tx, subject)]
    ahead = [due for due in found if due.kind not in _ANNOUNCEMENTS or (due.at, due.rank) > after]
    return min(ahead, key=lambda due: (due.at, due.rank), default=None)


def _moments(tx: Transaction, subscription: Body) -> Iterator[tuple[str, int, str]]:
    id, status = subscription["id"], subscription["status"]
    resumes_at = (subscription["pause_collection"] or {}).get("resumes_at")
    if subscription["cancel_at"] is not None:
        yield "cancel", subscription["cancel_at"], id
    if resumes_at is not None:
        yield "resume", resumes_at, id
    if subscription["schedule"]:
        yield "phase", schedules.next_moment(tx.load(schedules.KIND, subscription["schedule"])), id
    if status in ("incomplete", "paused"):
        latest = tx.load("invoice", subscription["latest_invoice"])
        if latest["status"] == "open":
            yield "expire", latest["created"] + FIRST_PAYMENT, id
    elif status == "trialing":
        yield "trial_will_end", subscription["trial_end"] - TRIAL_NOTICE, id
        yield "trial_end", subscription["trial_end"], id
    else:
        yield "renew", min(item["current_period_end"] for item in of_subscription(tx, subscription)), id
        yield from (("retry", each["next_payment_attempt"], each["id"]) for each in _retried(tx, subscription))
    yield from _upcoming(tx, subscription)


def _upcoming(tx: Transaction, subscription: Body) -> Iterator[tuple[str, int, str]]:
    """Yield the notice of the next renewal, unless the period is too short for it or the last one."""
    notice = charging.settings(tx).upcoming
    if not notice or subscription["status"] not in ("active", "past_due", "trialing"):
        return
    item = min(of_subscription(tx, subscription), key=lambda each: int(each["current_period_end"]))
    end = item["current_period_end"]
    moment = end - notice
    ends = subscription["cancel_at"] is not None and subscription["cancel_at"] <= end
    if moment > item["current_period_start"] and not ends:
        yield "upcoming", moment, subscription["id"]


def _retried(tx: Transaction, subscription: Body) -> list[Body]:
    """Return the unpaid invoices that are charged again, none while collection is paused."""
    if subscription["pause_collection"] or subscription["collection_method"] == "send_invoice":
        return []
    customer = tx.load("customer", subscription["customer"])
    # Without a payment method every charge succeeds, which would undo a failure that was asked for.
    pays = methods.payer(tx, subscription=subscription, customer=customer) is not None
    owed = [each for each in open_invoices(tx, subscription["id"]) if each["next_payment_attempt"] is not None]
    return [each for each in owed if pays or not each.get("_failed_on_demand")]
