"""What a subscription is told about its end, and about collecting meanwhile."""

from apps.sandbox import errors
from apps.sandbox.contract import LATEST, Body
from apps.sandbox.errors import ApiError
from apps.sandbox.items import of_subscription
from apps.sandbox.store import Transaction

_NOT_ENDING: Body = {"cancel_at": None, "cancel_at_period_end": False, "canceled_at": None}


def cancellation_terms(tx: Transaction, subscription: Body, params: Body) -> Body:
    """Return the changes that `cancel_at` or `cancel_at_period_end` ask for.

    `canceled_at` becomes the moment of the request, not of the end (docs.stripe.com/api/subscriptions/object).
    """
    if "cancel_at" in params and "cancel_at_period_end" in params:
        raise errors.exclusive(first="cancel_at", second="cancel_at_period_end")
    if "cancel_at_period_end" in params:
        at_end: bool = params["cancel_at_period_end"]
        end = max(item["current_period_end"] for item in of_subscription(tx, subscription))
        return _ending(tx, subscription, at=end, at_period_end=True) if at_end else _going_on(subscription)
    if "cancel_at" in params:
        at = _moment(tx, subscription, params["cancel_at"])
        return _going_on(subscription) if at is None else _ending(tx, subscription, at=at, at_period_end=False)
    return {}


def pause_terms(params: Body) -> Body:
    """Return the change that `pause_collection` asks for; empty ends the pause."""
    if "pause_collection" not in params:
        return {}
    sent = params["pause_collection"]
    if sent == "":
        return {"pause_collection": None}
    return {"pause_collection": {"behavior": sent["behavior"], "resumes_at": sent.get("resumes_at")}}


def _ending(tx: Transaction, subscription: Body, *, at: int, at_period_end: bool) -> Body:
    details = subscription["cancellation_details"] | {"reason": "cancellation_requested"}
    return {
        "cancel_at": at,
        "cancel_at_period_end": at_period_end,
        "canceled_at": tx.now,
        "cancellation_details": details,
    }


def _going_on(subscription: Body) -> Body:
    return _NOT_ENDING | {"cancellation_details": subscription["cancellation_details"] | {"reason": None}}


def _moment(tx: Transaction, subscription: Body, sent: int | str) -> int | None:
    if sent == "":
        return None
    ends: list[int] = [item["current_period_end"] for item in of_subscription(tx, subscription)]
    if sent in ("min_period_end", "max_period_end"):
        return min(ends) if sent == "min_period_end" else max(ends)
    if not isinstance(sent, int):
        raise errors.not_simulated(f"cancel_at={sent}")
    if not tx.now < sent <= LATEST:
        raise ApiError("Invalid timestamp: must be an integer Unix timestamp in the future.", param="cancel_at")
    return sent
