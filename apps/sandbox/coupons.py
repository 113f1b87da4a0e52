"""Coupons, and the promotion codes that name them to customers.

Contract: docs.stripe.com/api/coupons, docs.stripe.com/api/promotion_codes. Of a coupon's terms nothing ever changes.
"""

from decimal import Decimal

from apps.sandbox import errors, metadata
from apps.sandbox.contract import LATEST, Body
from apps.sandbox.errors import ApiError
from apps.sandbox.ids import new_id, random_text
from apps.sandbox.recording import record
from apps.sandbox.render import is_redeemable
from apps.sandbox.shapes import complete
from apps.sandbox.store import Transaction
from apps.sandbox.tariffs import currency_code


def insert_coupon(tx: Transaction, params: Body) -> Body:
    """Make a coupon of checked `params` and record coupon.created."""
    _check_terms(params)
    percent = params.get("percent_off")
    currency = currency_code(params["currency"]) if "amount_off" in params else None
    coupon = {
        "id": params.get("id") or random_text(8),
        "object": "coupon",
        "amount_off": params.get("amount_off"),
        "applies_to": params.get("applies_to"),
        "created": tx.now,
        "currency": currency,
        "currency_options": amounts_off(params, currency),
        "duration": params.get("duration", "once"),
        "duration_in_months": params.get("duration_in_months"),
        "livemode": False,
        "max_redemptions": params.get("max_redemptions"),
        "metadata": metadata.of(params),
        "name": params.get("name"),
        "percent_off": percent,
        "redeem_by": params.get("redeem_by"),
        "times_redeemed": 0,
        "valid": True,
    }
    made = tx.insert(complete(coupon) | {name: coupon[name] for name in ("applies_to", "currency_options")})
    record(tx, "coupon.created", made)
    return made


def amounts_off(params: Body, currency: str | None) -> Body | None:
    """Return what the coupon takes off in each currency, its own included."""
    if currency is None:
        return None
    own = {currency: {"amount_off": params["amount_off"]}}
    return own | {currency_code(name): option for name, option in params.get("currency_options", {}).items()}


def _check_terms(params: Body) -> None:
    if ("percent_off" in params) == ("amount_off" in params):
        raise ApiError("You must set exactly one of `percent_off` and `amount_off`.", param="percent_off")
    if "amount_off" in params and "currency" not in params:
        raise errors.missing("currency")
    if not 0 < Decimal(str(params.get("percent_off", 1))) <= 100:
        raise ApiError("Percent_off must be greater than 0 and at most 100.", param="percent_off")
    if params.get("amount_off", 1) < 1:
        raise errors.invalid_integer(value=str(params["amount_off"]), param="amount_off")
    if (params.get("duration") == "repeating") != ("duration_in_months" in params):
        raise ApiError("`duration_in_months` goes with `duration=repeating`, and with nothing else.", param="duration")
    if not 0 < params.get("redeem_by", 1) <= LATEST:
        raise ApiError("Invalid timestamp.", param="redeem_by")


def insert_code(tx: Transaction, params: Body) -> Body:
    """Make a promotion code for a coupon that is valid and record promotion_code.created."""
    coupon = tx.load("coupon", params["promotion"].get("coupon", ""), param="promotion[coupon]")
    check_coupon(tx, coupon, param="promotion[coupon]")
    if "customer" in params:
        tx.load("customer", params["customer"], param="customer")
    code = params.get("code") or random_text(8).upper()
    _check_free(tx, code, customer=params.get("customer"))
    made = {
        "id": new_id("promo"),
        "object": "promotion_code",
        "active": params.get("active", True),
        "code": code,
        "created": tx.now,
        "customer": params.get("customer"),
        "expires_at": params.get("expires_at"),
        "livemode": False,
        "max_redemptions": params.get("max_redemptions"),
        "metadata": metadata.of(params),
        "promotion": {"type": "coupon", "coupon": coupon["id"]},
        "restrictions": _restrictions(params.get("restrictions", {})),
        "times_redeemed": 0,
    }
    tx.insert(complete(made))
    record(tx, "promotion_code.created", made)
    return made


def _restrictions(sent: Body) -> Body:
    for name in sent:
        if name != "first_time_transaction":
            raise errors.not_simulated(f"restrictions[{name}]")
    first = sent.get("first_time_transaction", False)
    return {"first_time_transaction": first, "minimum_amount": None, "minimum_amount_currency": None}


def _check_free(tx: Transaction, code: str, *, customer: str | None) -> None:
    """Raise ApiError while another active code reads the same, in whatever letters, for the same customers."""
    for other in tx.all("promotion_code", customer=customer):
        if other["active"] and other["code"].lower() == code.lower():
            message = f"An active promotion code with `code: {code}` already exists."
            raise ApiError(message, code="resource_already_exists", param="code")


def check_coupon(tx: Transaction, coupon: Body, *, param: str) -> None:
    """Raise ApiError for a coupon that can be redeemed no more."""
    if not is_redeemable(coupon, until=coupon["redeem_by"], now=tx.now):
        raise ApiError(f"Coupon expired: {coupon['id']}", code="coupon_expired", param=param)


def check_code(tx: Transaction, code: Body, *, customer: str | None, param: str) -> None:
    """Raise ApiError for a promotion code that this customer cannot use."""
    if not code["active"] or not is_redeemable(code, until=code["expires_at"], now=tx.now):
        raise ApiError("This promotion code is inactive.", param=param)
    if code["customer"] not in (None, customer):
        raise ApiError("This promotion code belongs to another customer.", param=param)
    if code["restrictions"]["first_time_transaction"] and customer and tx.all("invoice", customer=customer):
        raise ApiError("This promotion code is for customers without prior transactions only.", param=param)


def count_redemption(tx: Transaction, offer: Body) -> None:
    """Count that the coupon or promotion code was used."""
    tx.save(offer | {"times_redeemed": offer["times_redeemed"] + 1})
