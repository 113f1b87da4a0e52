"""The amounts of a price as they are sent, checked and put into the shape they are kept in."""

from decimal import Decimal

from apps.sandbox import errors
from apps.sandbox.contract import Body
from apps.sandbox.errors import ApiError

_AMOUNTS = ("unit_amount", "unit_amount_decimal", "custom_unit_amount")
_LONGEST = {"day": 3 * 365, "week": 156, "month": 36, "year": 3}


def check_scheme(params: Body) -> None:
    """Raise ApiError when the billing scheme and the amounts do not fit each other."""
    sent = [name for name in _AMOUNTS if name in params]
    transform = params.get("transform_quantity")
    if transform and transform["divide_by"] < 1:
        raise errors.invalid_integer(value=str(transform["divide_by"]), param="transform_quantity[divide_by]")
    if params.get("billing_scheme") == "tiered":
        _check_tiered(params, sent)
    elif "tiers" in params or "tiers_mode" in params:
        raise ApiError("`tiers` and `tiers_mode` can only be set with `billing_scheme=tiered`.", param="tiers")
    elif len(sent) != 1:
        names = ", ".join(f"`{name}`" for name in _AMOUNTS)
        raise ApiError(f"Prices require exactly one of {names} to be set.", param=sent[-1] if sent else "unit_amount")


def _check_tiered(params: Body, sent: list[str]) -> None:
    if sent:
        raise ApiError(f"`{sent[0]}` cannot be set with `billing_scheme=tiered`.", param=sent[0])
    for name in ("tiers", "tiers_mode"):
        if not params.get(name):
            raise errors.missing(name)
    if "transform_quantity" in params:
        raise ApiError("`transform_quantity` cannot be combined with `tiers`.", param="transform_quantity")


def currency_code(text: str) -> str:
    """Return the three-letter code in lower case; which codes exist is not checked."""
    if not (len(text) == 3 and text.isascii() and text.isalpha()):
        raise ApiError(f"Invalid currency: {text}", param="currency")
    return text.lower()


def amount_pair(sent: Body, name: str) -> Body:
    """Return `<name>` and `<name>_decimal`: the whole one is null where the amount has a fraction."""
    if name in sent and f"{name}_decimal" in sent:
        raise errors.exclusive(first=name, second=f"{name}_decimal")
    amount = sent.get(f"{name}_decimal", sent.get(name))
    if amount is None:
        return {name: None, f"{name}_decimal": None}
    exact = Decimal(amount)
    if exact < 0:
        raise ApiError("Invalid non-negative integer", code="parameter_invalid_integer", param=name)
    if exact != round(exact, 12):
        raise ApiError("At most 12 decimal places are allowed.", param=f"{name}_decimal")
    whole = int(exact) if exact == exact.to_integral_value() else None
    return {name: whole, f"{name}_decimal": str(whole) if whole is not None else f"{exact.normalize():f}"}


def tier_list(sent: list[Body] | None) -> list[Body] | None:
    """Return the tiers; raises ApiError unless they rise and end without a limit (`up_to=inf`)."""
    if not sent:
        return None
    bounded = [tier["up_to"] for tier in sent if tier["up_to"] != "inf"]
    if sent[-1]["up_to"] != "inf" or len(bounded) != len(sent) - 1:
        raise ApiError("The last tier, and no other, must have `up_to` set to `inf`.", param="tiers")
    if any(lower >= upper for lower, upper in zip([0, *bounded], bounded, strict=False)):
        raise ApiError("Each tier must have a higher `up_to` than the one before it.", param="tiers")
    limits = [*bounded, None]
    return [
        {"up_to": limit, **amount_pair(tier, "unit_amount"), **amount_pair(tier, "flat_amount")}
        for tier, limit in zip(sent, limits, strict=True)
    ]


def options(params: Body) -> Body:
    """Return the amounts in other currencies by currency code."""
    return {
        currency_code(currency): {
            "custom_unit_amount": None,
            "tax_behavior": option.get("tax_behavior", "unspecified"),
            "tiers": tier_list(option.get("tiers")),
            **amount_pair(option, "unit_amount"),
        }
        for currency, option in (params.get("currency_options") or {}).items()
    }


def recurring(sent: Body | None) -> Body | None:
    """Return the interval with its defaults; raises ApiError beyond Stripe's three years."""
    if sent is None:
        return None
    count = sent.get("interval_count", 1)
    if not 1 <= count <= _LONGEST[sent["interval"]]:
        raise ApiError("The interval must be between 1 day and 3 years.", param="recurring[interval_count]")
    usage_type = sent.get("usage_type", "licensed")
    if (usage_type == "metered") != ("meter" in sent):
        raise ApiError("A metered price needs a meter, and only a metered one has it.", param="recurring[meter]")
    return {
        "interval": sent["interval"],
        "interval_count": count,
        "meter": sent.get("meter"),
        "trial_period_days": sent.get("trial_period_days"),
        "usage_type": usage_type,
    }
