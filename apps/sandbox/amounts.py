"""What a quantity of a price costs, in the currency's minor unit.

Contract: docs.stripe.com/products-prices/pricing-models (per unit, volume, graduated, transformed quantity). Amounts
are rounded half up once, at the end.
"""

from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_UP, Decimal

from apps.sandbox.contract import Body


def cost(price: Body, *, quantity: int | Decimal, currency: str) -> int:
    """Return the amount for `quantity` units."""
    terms = _terms(price, currency=currency)
    units = _transformed(price["transform_quantity"], quantity=quantity)
    if not terms.get("tiers"):
        return _rounded(_decimal(terms, "unit_amount") * units)
    if price["tiers_mode"] == "volume":
        return _rounded(_volume(terms["tiers"], units=units))
    return _rounded(_graduated(terms["tiers"], units=units))


def _terms(price: Body, *, currency: str) -> Body:
    """Return the amounts that hold in `currency`: the price's own, or those of its currency option."""
    if currency == price["currency"]:
        return price
    terms: Body = price["currency_options"][currency]
    return terms


def _transformed(transform: Body | None, *, quantity: int | Decimal) -> Decimal:
    if transform is None:
        return Decimal(quantity)
    rounding = ROUND_CEILING if transform["round"] == "up" else ROUND_FLOOR
    divided: Decimal = Decimal(quantity) / transform["divide_by"]
    return divided.to_integral_value(rounding)


def _volume(tiers: list[Body], *, units: Decimal) -> Decimal:
    """Every unit costs what the tier of the last one says."""
    tier = next(each for each in tiers if each["up_to"] is None or units <= each["up_to"])
    return _decimal(tier, "unit_amount") * units + _decimal(tier, "flat_amount")


def _graduated(tiers: list[Body], *, units: Decimal) -> Decimal:
    """Each unit costs what its own tier says; a tier's flat amount is due once it is entered, the first always."""
    total, below = Decimal(0), Decimal(0)
    for tier in tiers:
        upper = units if tier["up_to"] is None else min(units, Decimal(tier["up_to"]))
        total += _decimal(tier, "unit_amount") * (upper - below) + _decimal(tier, "flat_amount")
        if upper == units:
            return total
        below = upper
    return total


def _decimal(terms: Body, name: str) -> Decimal:
    return Decimal(terms.get(f"{name}_decimal") or 0)


def _rounded(amount: Decimal) -> int:
    return int(amount.to_integral_value(ROUND_HALF_UP))
