"""The life of a subscription schedule: not started, active, then released, completed or canceled.

Contract: docs.stripe.com/api/subscription_schedules, docs.stripe.com/billing/subscriptions/subscription-schedules.
"""

from typing import Final

from apps.sandbox import errors, metadata, phases
from apps.sandbox.contract import LATEST, TERMINAL_STATUSES, Body
from apps.sandbox.discounts import usable
from apps.sandbox.ending import end_now
from apps.sandbox.entering import enter, item_changes
from apps.sandbox.errors import ApiError
from apps.sandbox.ids import new_id
from apps.sandbox.recording import record, save_and_record
from apps.sandbox.render import render
from apps.sandbox.shapes import complete
from apps.sandbox.standing import move
from apps.sandbox.store import Transaction
from apps.sandbox.subscribing import subscribe

KIND: Final = "subscription_schedule"
_OPEN: Final = ("not_started", "active")
_FIXED: Final = frozenset({"metadata", "expand", "from_subscription", "billing_mode"})


def make(tx: Transaction, params: Body) -> Body:
    """Make a schedule: of a running subscription, or one whose subscription begins now or later."""
    if "from_subscription" in params:
        return _from_subscription(tx, params)
    for name in ("customer", "phases", "start_date"):
        if not params.get(name):
            raise errors.missing(name)
    customer = tx.load("customer", params["customer"], param="customer")
    sent = params["start_date"]
    # A beginning in the past would bill the time since then; here it begins now.
    begin = tx.now if isinstance(sent, str) else max(sent, tx.now)
    if begin > LATEST:
        raise ApiError("Invalid timestamp.", param="start_date")
    built = phases.build(tx, params["phases"], begin=begin)
    _check_discounts(tx, built, customer=customer["id"])
    schedule = _insert(tx, params, customer=customer, phases=built, status="not_started")
    record(tx, f"{KIND}.created", schedule)
    return start(tx, schedule) if begin <= tx.now else schedule


def _check_discounts(tx: Transaction, built: list[Body], *, customer: str) -> None:
    """Raise ApiError for a coupon or promotion code that cannot be used as it is now."""
    for index, phase in enumerate(built):
        for each in phases.wanted_discounts(phase):
            if "discount" not in each:
                usable(tx, each, customer=customer, currency=phase["currency"], path=f"phases[{index}][discounts]")


def _from_subscription(tx: Transaction, params: Body) -> Body:
    if not params.keys() <= _FIXED:
        raise ApiError("No other parameters can be set together with `from_subscription`.", param="from_subscription")
    subscription = tx.load("subscription", params["from_subscription"], param="from_subscription")
    if subscription["status"] in TERMINAL_STATUSES:
        raise ApiError("The subscription has ended.", param="from_subscription")
    if subscription["schedule"]:
        message = (
            f"You cannot migrate a subscription that is already attached to a schedule: `{subscription['schedule']}`."
        )
        raise ApiError(message, param="from_subscription")
    customer = tx.load("customer", subscription["customer"])
    phase = phases.of_running(tx, subscription)
    schedule = _insert(tx, params, customer=customer, phases=[phase], status="active")
    schedule |= {"subscription": subscription["id"], "current_phase": _bounds(phase)}
    record(tx, f"{KIND}.created", tx.save(schedule))
    move(tx, subscription, {"schedule": schedule["id"]})
    return schedule


def _insert(tx: Transaction, params: Body, *, customer: Body, phases: list[Body], status: str) -> Body:
    schedule = {
        "id": new_id("sub_sched"),
        "object": KIND,
        "billing_mode": {"flexible": {"proration_discounts": "included"}, "type": "flexible", "updated_at": None},
        "created": tx.now,
        "customer": customer["id"],
        "default_settings": _DEFAULT_SETTINGS | params.get("default_settings", {}),
        "end_behavior": _end_behavior(params.get("end_behavior", "release")),
        "livemode": False,
        "metadata": metadata.of(params),
        "phases": phases,
        "status": status,
        "test_clock": customer["test_clock"],
    }
    return tx.insert(complete(schedule))


_DEFAULT_SETTINGS: Body = {
    "application_fee_percent": None,
    "automatic_tax": {"disabled_reason": None, "enabled": False, "liability": None},
    "billing_cycle_anchor": "automatic",
    "billing_thresholds": None,
    "collection_method": "charge_automatically",
    "default_payment_method": None,
    "description": None,
    "invoice_settings": {"account_tax_ids": None, "days_until_due": None, "issuer": {"type": "self"}},
    "on_behalf_of": None,
    "transfer_data": None,
}


def _end_behavior(sent: str) -> str:
    if sent not in ("release", "cancel"):
        raise errors.not_simulated(f"end_behavior={sent}")
    return sent


def _bounds(phase: Body | None) -> Body | None:
    return phase and {name: phase[name] for name in ("start_date", "end_date")}


def start(tx: Transaction, schedule: Body) -> Body:
    """Begin the schedule's subscription with its first phase."""
    phase = schedule["phases"][0]
    params = {
        "customer": schedule["customer"],
        "items": phases.wanted_items(phase),
        "currency": phase["currency"],
        "discounts": phases.usable_discounts(tx, {"customer": schedule["customer"], "discounts": []}, phase),
        "metadata": phase["metadata"],
        **({"trial_end": phase["trial_end"]} if phase["trial_end"] else {}),
        **_settings(schedule, phase),
    }
    subscription = subscribe(tx, params)
    before = render(tx, schedule)
    running = schedule | {"status": "active", "subscription": subscription["id"], "current_phase": _bounds(phase)}
    save_and_record(tx, f"{KIND}.updated", running, before=before)
    move(tx, subscription, {"schedule": schedule["id"], "cancel_at": _cancel_at(running)})
    return running


def _settings(schedule: Body, phase: Body) -> Body:
    defaults = schedule["default_settings"]
    names = ("collection_method", "default_payment_method", "description")
    chosen = {name: phase[name] or defaults[name] for name in names}
    if chosen["collection_method"] == "send_invoice":
        chosen["days_until_due"] = (defaults["invoice_settings"] or {}).get("days_until_due") or 30
    return {name: value for name, value in chosen.items() if value is not None}


def _cancel_at(schedule: Body) -> int | None:
    """Return when the schedule ends its subscription, if it is to."""
    end: int = schedule["phases"][-1]["end_date"]
    return end if schedule["end_behavior"] == "cancel" else None


def next_moment(schedule: Body) -> int:
    """Return when the schedule does something next, for its subscription or to begin it."""
    begins = schedule["status"] == "not_started"
    moment: int = schedule["phases"][0]["start_date"] if begins else schedule["current_phase"]["end_date"]
    return moment


def go_on(tx: Transaction, schedule: Body) -> None:
    """Enter the phase that begins now; after the last one, let the subscription go."""
    phase = phases.current(schedule, now=tx.now)
    if phase is None:
        release(tx, schedule)
        return
    before = render(tx, schedule)
    moved = save_and_record(tx, f"{KIND}.updated", schedule | {"current_phase": _bounds(phase)}, before=before)
    enter(tx, tx.load("subscription", moved["subscription"]), phase)


def change(tx: Transaction, schedule: Body, params: Body) -> Body:
    """Change what is to come; phases that are sent take the place of all, and the one that runs must be among them."""
    _check_open(schedule, "update")
    before, after = render(tx, schedule), dict(schedule)
    after["metadata"] = metadata.merged(schedule["metadata"], params.get("metadata"))
    after["end_behavior"] = _end_behavior(params.get("end_behavior") or schedule["end_behavior"])
    after["default_settings"] = schedule["default_settings"] | params.get("default_settings", {})
    if params.get("phases"):
        after["phases"] = phases.build(tx, params["phases"], begin=_begin(schedule, params["phases"][0], now=tx.now))
        _check_discounts(tx, after["phases"], customer=schedule["customer"])
    running = phases.current(after, now=tx.now) if schedule["status"] == "active" else None
    if schedule["status"] == "active":
        after["current_phase"] = _bounds(running) or schedule["current_phase"]
    save_and_record(tx, f"{KIND}.updated", after, before=before)
    if schedule["status"] == "active":
        _follow(tx, schedule, after, running, params)
    return tx.load(KIND, schedule["id"])


def _begin(schedule: Body, first: Body, *, now: int) -> int:
    """Return when the first phase that is sent begins: of an active schedule, where the one that runs began."""
    if schedule["status"] == "not_started":
        sent = first.get("start_date", schedule["phases"][0]["start_date"])
        return now if isinstance(sent, str) else max(int(sent), now)
    starts = {each["start_date"] for each in schedule["phases"]}
    begin = first.get("start_date", schedule["current_phase"]["start_date"])
    if begin not in starts:
        raise ApiError("You can not modify the start date of the current phase.", param="phases[0][start_date]")
    return int(begin)


def _follow(tx: Transaction, was: Body, schedule: Body, phase: Body | None, params: Body) -> None:
    """Let the subscription follow at once where the phase that it is in was changed."""
    subscription = tx.load("subscription", schedule["subscription"])
    if phase is None:
        go_on(tx, schedule)
    elif _differs(phases.current(was, now=tx.now), phase) or item_changes_needed(tx, subscription, phase):
        enter(tx, subscription, phase | {"proration_behavior": params.get("proration_behavior", "create_prorations")})
    subscription = tx.load("subscription", schedule["subscription"])
    if subscription["status"] not in TERMINAL_STATUSES:
        move(tx, subscription, {"cancel_at": _cancel_at(schedule)})


def _differs(before: Body | None, after: Body) -> bool:
    return before is None or any(before[name] != after[name] for name in ("discounts", "trial_end", "start_date"))


def item_changes_needed(tx: Transaction, subscription: Body, phase: Body) -> bool:
    """Tell whether the subscription's items are others than the phase's, in price or quantity."""
    own = {each["id"]: each for each in tx.all("subscription_item", subscription=subscription["id"])}
    changes = item_changes(tx, subscription, phase)
    return any(
        each.get("deleted") or "id" not in each or each.get("quantity") != own[each["id"]]["quantity"]
        for each in changes
    )


def _check_open(schedule: Body, verb: str) -> None:
    if schedule["status"] not in _OPEN:
        message = (
            f"You cannot {verb} a subscription schedule that is currently in the `{schedule['status']}` status. "
            "It must be one of: not_started, active."
        )
        raise ApiError(message)


def release(tx: Transaction, schedule: Body, *, keep_end: bool = False) -> Body:
    """Let the subscription go on by itself; `keep_end` leaves it the end that the schedule gave it."""
    _check_open(schedule, "release")
    subscription = schedule["subscription"]
    changes = {"status": "released", "released_at": tx.now, "subscription": None, "current_phase": None}
    released = tx.save(schedule | changes | {"released_subscription": subscription})
    record(tx, f"{KIND}.released", released)
    if subscription:
        running = tx.load("subscription", subscription)
        move(tx, running, {"schedule": None} | ({} if keep_end else {"cancel_at": None}))
    return released


def cancel(tx: Transaction, schedule: Body, *, prorate: bool, invoice_now: bool) -> Body:
    """End the schedule, and with it the subscription, if that has begun."""
    _check_open(schedule, "cancel")
    if schedule["subscription"]:
        end_now(tx, tx.load("subscription", schedule["subscription"]), prorate=prorate, invoice_now=invoice_now)
        return tx.load(KIND, schedule["id"])
    canceled = tx.save(schedule | {"status": "canceled", "canceled_at": tx.now})
    record(tx, f"{KIND}.canceled", canceled)
    return canceled
