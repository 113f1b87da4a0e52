"""Hosted checkout of a subscription. Contract: docs.stripe.com/api/checkout/sessions, `mode=subscription`.

The session is made through the API, and completed by a person on its page, or expired. Completing makes what is
missing (the customer), attaches the card, subscribes, and ends with checkout.session.completed.
"""

from typing import Final
from urllib.parse import urlsplit

from apps.sandbox import errors, metadata, methods
from apps.sandbox.amounts import cost
from apps.sandbox.cards import NEEDS_ACTION, SUCCEEDS, Card
from apps.sandbox.contract import DAY, Body
from apps.sandbox.customers import insert_customer
from apps.sandbox.discounts import left, take_off, usable
from apps.sandbox.errors import ApiError
from apps.sandbox.ids import new_id, random_text
from apps.sandbox.items import is_metered, resolve_price
from apps.sandbox.pricing import pricing
from apps.sandbox.recording import record
from apps.sandbox.shapes import complete
from apps.sandbox.store import Transaction
from apps.sandbox.subscribing import subscribe, trial_end_of

KIND: Final = "checkout.session"
_SOONEST: Final = 30 * 60
_SUBSCRIPTION_DATA: Final = (
    "billing_cycle_anchor",
    "billing_mode",
    "description",
    "metadata",
    "proration_behavior",
    "trial_end",
    "trial_period_days",
    "trial_settings",
)


def make(tx: Transaction, params: Body) -> Body:
    """Make an open session of checked `params`, with the page that its `url` leads to."""
    if params.get("mode", "subscription") != "subscription":
        raise errors.not_simulated(f"mode={params['mode']}")
    _check(tx, params)
    items = [_item(tx, sent, index) for index, sent in enumerate(params["line_items"])]
    session = _blank() | {
        "id": "cs_test_" + random_text(58),
        **{name: params.get(name) for name in ("client_reference_id", "customer", "customer_email", "cancel_url")},
        "created": tx.now,
        "currency": items[0]["currency"],
        "expires_at": _expiry(params, now=tx.now),
        "metadata": metadata.of(params),
        "payment_method_collection": params.get("payment_method_collection", "always"),
        "success_url": params["success_url"],
        "_items": [_sold(item) for item in items],
        "_subscription_data": params.get("subscription_data", {}),
        "_test_clock": (tx.find(params.get("customer", "")) or {}).get("test_clock"),
    }
    session |= _discounts(tx, session, params.get("discounts") or [])
    session |= _totals(tx, session) | {"url": f"{tx.base}/c/pay/{session['id']}"}
    return tx.insert(complete(session))


def _discounts(tx: Transaction, session: Body, sent: list[Body]) -> Body:
    """Return the discounts of the session, as they are shown and as the subscription will have them."""
    if len(sent) > 1:
        raise ApiError("A session can have one discount.", param="discounts")
    named = {"customer": session["customer"], "currency": session["currency"]}
    found = [usable(tx, each, **named, path=f"discounts[{index}]") for index, each in enumerate(sent)]
    shown = [{"coupon": coupon["id"], "promotion_code": code["id"] if code else None} for coupon, code in found]
    return {"discounts": shown, "_discounts": sent}


def _totals(tx: Transaction, session: Body) -> Body:
    """Return what is due when the session is completed: nothing while a trial lasts."""
    items = [] if _has_trial(session, now=tx.now) else line_items(tx, session)
    sums = {name: sum(item[name] for item in items) for name in ("amount_subtotal", "amount_discount", "amount_total")}
    off = sums.pop("amount_discount")
    return sums | {"total_details": {"amount_discount": off, "amount_shipping": 0, "amount_tax": 0}}


def _check(tx: Transaction, params: Body) -> None:
    for name in ("line_items", "success_url"):
        if not params.get(name):
            raise errors.missing(name)
    if "customer" in params and "customer_email" in params:
        raise errors.exclusive(first="customer", second="customer_email")
    if "customer" in params:
        tx.load("customer", params["customer"], param="customer")
    for name in params.get("subscription_data", {}):
        if name not in _SUBSCRIPTION_DATA:
            raise errors.not_simulated(f"subscription_data[{name}]")
    for name in ("success_url", "cancel_url"):
        check_url(params.get(name), param=name)


def check_url(url: str | None, *, param: str) -> None:
    """Raise ApiError unless it is an address that a browser can be sent to."""
    if url and (urlsplit(url).scheme not in ("http", "https") or not urlsplit(url).netloc):
        message = "Not a valid URL. URLs must include a scheme, e.g. https."
        raise ApiError(message, code="url_invalid", param=param)


def _expiry(params: Body, *, now: int) -> int:
    expires_at: int = params.get("expires_at", now + DAY)
    if not now + _SOONEST <= expires_at <= now + DAY:
        message = "The `expires_at` timestamp must be between 30 minutes and 24 hours from Checkout Session creation."
        raise ApiError(message, param="expires_at")
    return expires_at


def _blank() -> Body:
    return {
        "object": KIND,
        "automatic_tax": {"enabled": False, "liability": None, "provider": None, "status": None},
        "custom_fields": [],
        "custom_text": dict.fromkeys(("after_submit", "shipping_address", "submit", "terms_of_service_acceptance")),
        "livemode": False,
        "mode": "subscription",
        "payment_method_options": {},
        "payment_method_types": ["card"],
        "payment_status": "unpaid",
        "phone_number_collection": {"enabled": False},
        "shipping_options": [],
        "status": "open",
        "ui_mode": "hosted",
    }


def _item(tx: Transaction, sent: Body, index: int) -> Body:
    """Return a line item of what is sent, in a price's own currency."""
    named = {name: value for name, value in sent.items() if name in ("price", "price_data")}
    price = resolve_price(tx, named, path=f"line_items[{index}]")
    return line_item(tx, price, quantity=None if is_metered(price) else sent.get("quantity", 1))


def _sold(item: Body) -> Body:
    """Return the item as the subscription will have it: what is metered has no quantity."""
    return {name: item[name] for name in ("price", "quantity") if item[name] is not None}


def line_item(tx: Transaction, price: Body, *, quantity: int | None) -> Body:
    """Return what a session's `line_items` show of a price; without a quantity it is billed once it was used."""
    amount = 0 if quantity is None else cost(price, quantity=quantity, currency=price["currency"])
    return {
        "id": new_id("li"),
        "object": "item",
        "amount_discount": 0,
        "amount_subtotal": amount,
        "amount_tax": 0,
        "amount_total": amount,
        "currency": price["currency"],
        "description": (tx.find(price["product"], deleted=True) or {}).get("name"),
        "price": price["id"],
        "quantity": quantity,
    }


def line_items(tx: Transaction, session: Body) -> list[Body]:
    """Return what the session sells, with what its discounts take off."""
    sold = [(tx.load("price", each["price"]), each.get("quantity")) for each in session["_items"]]
    items = [line_item(tx, price, quantity=quantity) for price, quantity in sold]
    lines = [_as_line(item, price) for item, (price, _quantity) in zip(items, sold, strict=True)]
    for each in session["discounts"] or []:
        coupon = tx.find(each["coupon"], deleted=True) or {}
        take_off(lines, each["coupon"], coupon, currency=session["currency"])
    offs = [item["amount_subtotal"] - left(line) for item, line in zip(items, lines, strict=True)]
    return [_reduced(item, off) for item, off in zip(items, offs, strict=True)]


def _as_line(item: Body, price: Body) -> Body:
    return {
        "amount": item["amount_subtotal"],
        "discount_amounts": [],
        "discountable": True,
        "pricing": pricing(price),
    }


def _reduced(item: Body, off: int) -> Body:
    return item | {"amount_discount": off, "amount_total": item["amount_subtotal"] - off}


def _has_trial(session: Body, *, now: int) -> bool:
    return trial_end_of(session["_subscription_data"], now=now) is not None


def pay(tx: Transaction, session: Body, card: Card, *, email: str, name: str, later: str | None = None) -> Body:
    """Complete the session with the card; returns it as it is then.

    The customer is present and confirms what the card asks for; `later` is the outcome of charges after this one, if
    it is another than the card's. Raises a card error, and so leaves the session open, where the card is declined.
    """
    customer = session["customer"] or _customer(tx, email=email, name=name)["id"]
    made = methods.make(tx, card, {"billing_details": {"email": email, "name": name}})
    method = methods.attach(tx, made, customer=customer)
    tx.save(method | {"_outcome": SUCCEEDS if card.outcome == NEEDS_ACTION else card.outcome})
    subscription = _subscribe(tx, session, customer=customer, method=method["id"])
    tx.save(method | {"_outcome": later or card.outcome})
    return _completed(tx, session, subscription)


def _customer(tx: Transaction, *, email: str, name: str) -> Body:
    customer = insert_customer(tx, {"email": email, "name": name})
    record(tx, "customer.created", customer)
    return customer


def _subscribe(tx: Transaction, session: Body, *, customer: str, method: str) -> Body:
    params = session["_subscription_data"] | {
        "customer": customer,
        "default_payment_method": method,
        "discounts": session.get("_discounts", []),
        "items": session["_items"],
        "payment_behavior": "error_if_incomplete",
    }
    return subscribe(tx, params)


def _completed(tx: Transaction, session: Body, subscription: Body) -> Body:
    customer = tx.load("customer", subscription["customer"])
    details = {name: customer[name] for name in ("address", "email", "name", "phone", "tax_exempt")}
    completed = session | {
        "customer": customer["id"],
        "customer_details": details | {"business_name": None, "individual_name": None, "tax_ids": []},
        "invoice": subscription["latest_invoice"],
        "payment_status": "no_payment_required" if subscription["status"] == "trialing" else "paid",
        "status": "complete",
        "subscription": subscription["id"],
        "url": None,
    }
    record(tx, "checkout.session.completed", tx.save(completed))
    return completed


def expire(tx: Transaction, session: Body) -> Body:
    """Close an open session; records checkout.session.expired. Raises ApiError for one that is not open."""
    if session["status"] != "open":
        message = (
            'Only Checkout Sessions with a status in ["open"] can be expired. '
            f"This Checkout Session has a status of `{session['status']}`."
        )
        raise ApiError(message)
    expired = tx.save(session | {"status": "expired", "url": None})
    record(tx, "checkout.session.expired", expired)
    return expired
