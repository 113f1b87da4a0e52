"""Previews of invoices. Contract: docs.stripe.com/api/invoices/create_preview.

What is asked about is really done, up to the moment of the next invoice, and then undone: so a preview cannot differ
from what will be billed. Nothing of it is kept, and nobody is told.
"""

from collections.abc import Callable
from typing import Final

from apps.sandbox import errors, resuming, schedules
from apps.sandbox.changing import change
from apps.sandbox.contract import TERMINAL_STATUSES, Body
from apps.sandbox.customers import insert_customer
from apps.sandbox.ending import end_now
from apps.sandbox.errors import ApiError
from apps.sandbox.ids import random_text
from apps.sandbox.prorating import drop_pending
from apps.sandbox.rehearsing import undone, watch
from apps.sandbox.renewal import advance_one
from apps.sandbox.store import Transaction
from apps.sandbox.subscribing import subscribe

_CHANGES: Final = (
    "billing_cycle_anchor",
    "cancel_at",
    "cancel_at_period_end",
    "items",
    "metadata",
    "proration_behavior",
    "proration_date",
    "trial_end",
)
_ENDINGS: Final = ("cancel_now", "resume_at")
_BEGINNINGS: Final = ("billing_mode",)


def preview(tx: Transaction, params: Body) -> Body:
    """Return the invoice that would come next; raises ApiError where none would, or for what is not simulated."""
    details = params.get("subscription_details", {})
    for name in details:
        if name not in (*_CHANGES, *_ENDINGS, *_BEGINNINGS):
            raise errors.not_simulated(f"subscription_details[{name}]")
    with undone(tx):
        if "schedule" in params or "schedule_details" in params:
            return _of_schedule(tx, params)
        if "subscription" in params:
            running = tx.load("subscription", params["subscription"], param="subscription")
            return _of_change(tx, running, params)
        if details.get("items"):
            return _of_beginning(tx, params)
        return _of_customer(tx, params)


def _of_change(tx: Transaction, subscription: Body, params: Body) -> Body:
    """Preview a subscription that there is, with the changes that `subscription_details` ask for."""
    if subscription["status"] in TERMINAL_STATUSES:
        raise _none(subscription["customer"])
    details, recurring = params.get("subscription_details", {}), params.get("preview_mode") == "recurring"
    issued = watch(tx)
    if details.get("cancel_now"):
        end_now(tx, subscription, prorate=details.get("proration_behavior") != "none", invoice_now=True)
    elif details.get("resume_at"):
        resuming.resume(tx, subscription)
    else:
        changes = _changes(params) | _discounts(params)
        change(tx, subscription, changes | ({"proration_behavior": "none"} if recurring else {}))
    if recurring:
        drop_pending(tx, subscription)
        issued = watch(tx)
    return _next(tx, subscription, issued)


def _changes(params: Body) -> Body:
    """Return what is to be changed of a subscription."""
    details = params.get("subscription_details", {})
    changes = {name: details[name] for name in _CHANGES if name in details}
    if changes.get("billing_cycle_anchor") == "unchanged":
        del changes["billing_cycle_anchor"]
    return changes


def _discounts(params: Body) -> Body:
    return {"discounts": params["discounts"]} if "discounts" in params else {}


def _of_beginning(tx: Transaction, params: Body) -> Body:
    """Preview the first invoice of a subscription that would begin now, or with `recurring` the one after it."""
    customer = params.get("customer") or insert_customer(tx, {})["id"]
    details = params["subscription_details"]
    terms = {name: details[name] for name in (*_CHANGES, *_BEGINNINGS) if name in details}
    terms |= {name: params[name] for name in ("currency", "discounts") if name in params}
    issued = watch(tx)
    made = subscribe(tx, terms | {"customer": customer, "payment_behavior": "default_incomplete"})
    if params.get("preview_mode") == "recurring":
        tx.save(made | {"status": "active"} if made["status"] == "incomplete" else made)
        issued = watch(tx)
    return _next(tx, made, issued)


def _of_schedule(tx: Transaction, params: Body) -> Body:
    """Preview a schedule, with the changes that `schedule_details` ask for, or one that would be made of them."""
    details = params.get("schedule_details", {})
    for name in ("subscription", "subscription_details"):
        if name in params:
            raise errors.exclusive(first="schedule", second=name)
    issued = watch(tx)
    if "schedule" in params:
        schedule = schedules.change(tx, tx.load(schedules.KIND, params["schedule"], param="schedule"), details)
    else:
        begin = details.get("phases", [{}])[0].get("start_date", "now")
        schedule = schedules.make(tx, details | {"customer": params.get("customer"), "start_date": begin})
    if schedule["status"] == "not_started":
        tx.now = schedules.next_moment(schedule)
        schedule = schedules.start(tx, schedule)
    return _next(tx, tx.load("subscription", schedule["subscription"]), issued)


def _of_customer(tx: Transaction, params: Body) -> Body:
    """Preview what comes first of all that the customer has subscribed to."""
    if "customer" not in params:
        raise errors.missing("customer")
    customer = tx.load("customer", params["customer"], param="customer")
    found = [each for each in tx.all("subscription", customer=customer["id"]) if _runs(each)]
    previews = [each for subscription in found if (each := _try(tx, subscription, params)) is not None]
    if not previews:
        raise _none(customer["id"])
    return min(previews, key=lambda each: int(each["created"]))


def _runs(subscription: Body) -> bool:
    return subscription["status"] not in TERMINAL_STATUSES


def _try(tx: Transaction, subscription: Body, params: Body) -> Body | None:
    try:
        with undone(tx):
            return _of_change(tx, subscription, params)
    except ApiError as error:
        if error.code == "invoice_upcoming_none":
            return None
        raise


def _none(customer: str) -> ApiError:
    return ApiError(f"No upcoming invoices for customer: {customer}", status=404, code="invoice_upcoming_none")


def _next(tx: Transaction, subscription: Body, issued: Callable[[Body], Body | None]) -> Body:
    advance_one(tx, subscription["id"], until=lambda: issued(subscription) is not None)
    invoice = issued(subscription)
    if invoice is None:
        raise _none(subscription["customer"])
    return _shown(tx, invoice)


def _shown(tx: Transaction, invoice: Body) -> Body:
    """Return the invoice as a preview, with all of its lines: there is nowhere to ask for the next page of them."""
    id = f"upcoming_in_{random_text(24)}"
    lines = [line | {"invoice": id} for line in tx.all("line_item", invoice=invoice["id"])]
    listed = {"object": "list", "data": lines, "has_more": False, "url": f"/v1/invoices/{id}/lines"}
    return invoice | {"id": id, "lines": listed, "next_payment_attempt": invoice["created"]}
