"""Making a subscription. Contract: docs.stripe.com/api/subscriptions/create.

The subscription is incomplete when the charge for its first invoice will fail, or when
`payment_behavior=default_incomplete` leaves it to be paid later. Events, in this order: customer.subscription.created,
invoice.created, invoice.finalized, then invoice.paid and invoice.payment_succeeded, or invoice.payment_failed.
"""

from typing import Final

from apps.sandbox import charging, errors, metadata, methods
from apps.sandbox.billing import bill
from apps.sandbox.cards import SUCCEEDS
from apps.sandbox.contract import DAY, Body
from apps.sandbox.discounts import replaced
from apps.sandbox.errors import ApiError
from apps.sandbox.ids import new_id
from apps.sandbox.invoicing import draft
from apps.sandbox.items import add_item, first_period, of_subscription, resolve_price
from apps.sandbox.recording import record
from apps.sandbox.shapes import complete
from apps.sandbox.store import Transaction
from apps.sandbox.tariffs import currency_code
from apps.sandbox.terms import cancellation_terms

LONGEST_TRIAL: Final = 730 * DAY
TRIAL_NOTICE: Final = 3 * DAY
"""How long before its end customer.subscription.trial_will_end comes; a shorter trial has it at once."""


_BILLED_AT_TRIAL_END: Body = {"end_behavior": {"missing_payment_method": "create_invoice"}}


def subscribe(tx: Transaction, params: Body) -> Body:
    """Make a subscription of checked `params`, with its items and its first invoice."""
    for name in ("customer", "items"):
        if not params.get(name):
            raise errors.missing(name)
    customer = tx.load("customer", params["customer"], param="customer")
    subscription, sent = _draft(tx, params)
    subscription["test_clock"] = customer["test_clock"]
    tx.insert(subscription)
    for index, item in enumerate(sent):
        add_item(tx, subscription, item, path=f"items[{index}]")
    subscription |= cancellation_terms(tx, subscription, params)
    named = {"customer": subscription["customer"], "currency": subscription["currency"]}
    subscription["discounts"] = replaced(tx, subscription, params.get("discounts"), **named)
    wait = params.get("payment_behavior") == "default_incomplete"
    billed = _billed(tx, subscription, params)
    subscription["status"] = _first_status(tx, subscription, billed=billed, wait=wait)
    if subscription["status"] == "incomplete" and params.get("payment_behavior") == "error_if_incomplete":
        raise charging.refusal(charging.expect(tx, subscription))
    subscription["latest_invoice"] = new_id("in")
    tx.save(subscription)
    record(tx, "customer.subscription.created", subscription)
    if subscription["status"] == "trialing" and subscription["trial_end"] - tx.now < TRIAL_NOTICE:
        record(tx, "customer.subscription.trial_will_end", subscription)
    id = subscription["latest_invoice"]
    bill(tx, subscription, reason="subscription_create", id=id, items=billed, wait=wait)
    return tx.load("subscription", subscription["id"])


def _draft(tx: Transaction, params: Body) -> tuple[Body, list[Body]]:
    """Return the subscription without its items, and the items with their prices made."""
    prices = [resolve_price(tx, item, path=f"items[{index}]") for index, item in enumerate(params["items"])]
    sent = [_naming(item, price) for item, price in zip(params["items"], prices, strict=True)]
    currency = currency_code(params["currency"]) if "currency" in params else prices[0]["currency"]
    mode = _billing_mode(params, prices)
    method = params.get("collection_method", "charge_automatically")
    if method == "send_invoice" and "days_until_due" not in params:
        raise errors.missing("days_until_due")
    _check_anchor(params, prices, now=tx.now)
    subscription = {
        "id": new_id("sub"),
        "object": "subscription",
        **_defaults(),
        "billing_mode": mode,
        "collection_method": method,
        "created": tx.now,
        "currency": currency,
        "customer": params["customer"],
        "days_until_due": params.get("days_until_due"),
        "default_payment_method": methods.default(
            tx, params.get("default_payment_method"), customer=params["customer"], param="default_payment_method"
        ),
        "description": params.get("description"),
        "metadata": metadata.of(params),
        "start_date": tx.now,
        "trial_settings": params.get("trial_settings") or _BILLED_AT_TRIAL_END,
        **_start(params, now=tx.now),
    }
    return complete(subscription), sent


def _check_anchor(params: Body, prices: list[Body], *, now: int) -> None:
    """Raise ApiError unless the anchor lies between now and the end of what would be the first period."""
    if "billing_cycle_anchor" in params:
        latest = min(first_period(price, now=now)["current_period_end"] for price in prices)
        if not now <= params["billing_cycle_anchor"] <= latest:
            message = "billing_cycle_anchor must be in the future and no later than the next natural billing date."
            raise ApiError(message, param="billing_cycle_anchor")


def _naming(item: Body, price: Body) -> Body:
    """Return the item with its price by id: `price_data` makes a price once."""
    kept = {name: value for name, value in item.items() if name not in ("price_data", "plan")}
    return kept | {"price": price["id"]}


def _defaults() -> Body:
    return {
        "automatic_tax": {"disabled_reason": None, "enabled": False, "liability": None},
        "billing_schedules": [],
        "cancel_at_period_end": False,
        "cancellation_details": {"comment": None, "feedback": None, "reason": None},
        "default_tax_rates": [],
        "discounts": [],
        "invoice_settings": {"account_tax_ids": None, "issuer": {"type": "self"}},
        "livemode": False,
        "payment_settings": {
            "payment_method_options": None,
            "payment_method_types": None,
            "save_default_payment_method": "off",
        },
    }


def _billing_mode(params: Body, prices: list[Body]) -> Body:
    """Return the mode, flexible unless asked otherwise; the classic one refuses items of different intervals."""
    kind = params.get("billing_mode", {}).get("type", "flexible")
    if kind == "flexible":
        return {"flexible": {"proration_discounts": "included"}, "type": kind, "updated_at": None}
    intervals = {(price["recurring"]["interval"], price["recurring"]["interval_count"]) for price in prices}
    if len(intervals) > 1:
        raise ApiError("Currency and interval fields must match across all plans on this subscription.", param="items")
    return {"flexible": None, "type": kind, "updated_at": None}


def _start(params: Body, *, now: int) -> Body:
    """Return status, anchor and trial of a subscription that starts now."""
    trial_end = trial_end_of(params, now=now)
    if trial_end is not None:
        return {
            "status": "trialing",
            "billing_cycle_anchor": trial_end,
            "trial_start": now,
            "trial_end": trial_end,
        }
    return {"status": "active", "billing_cycle_anchor": params.get("billing_cycle_anchor", now)}


def trial_end_of(params: Body, *, now: int) -> int | None:
    """Return the end of the trial that `params` ask for, in Unix seconds, or None for none (or one that ends now)."""
    if "trial_end" in params and "trial_period_days" in params:
        raise errors.exclusive(first="trial_end", second="trial_period_days")
    if "trial_period_days" in params:
        days: int = params["trial_period_days"]
        return _checked_trial(now + days * DAY, now=now, param="trial_period_days") if days > 0 else None
    end: int | str = params.get("trial_end", "now")
    return _checked_trial(end, now=now, param="trial_end") if isinstance(end, int) else None


def _checked_trial(end: int, *, now: int, param: str) -> int:
    if not now < end <= now + LONGEST_TRIAL:
        raise ApiError("A trial must end in the future, and within two years.", param=param)
    return end


def _billed(tx: Transaction, subscription: Body, params: Body) -> list[Body]:
    """Return the items on the first invoice: none where the time up to the anchor is not to be prorated."""
    stub = subscription["billing_cycle_anchor"] > tx.now and subscription["status"] == "active"
    return [] if stub and params.get("proration_behavior") == "none" else of_subscription(tx, subscription)


def _first_status(tx: Transaction, subscription: Body, *, billed: list[Body], wait: bool) -> str:
    """Return `incomplete` where the first invoice will not be paid at once, else the status that was drafted."""
    automatic = subscription["collection_method"] == "charge_automatically"
    status: str = subscription["status"]
    if status != "active" or not automatic:
        return status
    invoice, _lines = draft(tx, subscription, reason="subscription_create", id="first", items=billed)
    fails = wait or charging.expect(tx, subscription) != SUCCEEDS
    return "incomplete" if fails and invoice["amount_due"] else status
