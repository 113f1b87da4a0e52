"""What one feature costs, as Tier writes it: `base`, or `tiers`, and `divide`. Pure."""

from decimal import ROUND_HALF_EVEN, Context, Decimal
from itertools import pairwise

from apps.plans.pricing.fields import TOO_MUCH, Fields, Place
from apps.plans.pricing.hujson import Node
from apps.plans.pricing.types import INFINITE, Divide, Rate, Tier

RATE_FIELDS = ("base", "tiers", "divide")
TIER_FIELDS = ("upto", "price", "base")
DIVIDE_FIELDS = ("by", "rounding")
MAX_DECIMALS = 12
# Tier shows a price that has too many decimals with one more than there may be.
SHOWN = Decimal(1).scaleb(-MAX_DECIMALS - 1)


def read_rate(fields: Fields) -> Rate:
    """What a feature costs. What is wrong with it is noted with the fields' report."""
    base, tiers = fields.amount("base"), _tiers(fields)
    if base > 0 and tiers:
        fields.place.refuse("base must be zero with tiers")
    if base < 0:
        fields.place.refuse("base must be positive")
    if _has_too_many_decimals(base):
        fields.place.refuse(f"invalid base: {_shown(base)}; base must not exceed {MAX_DECIMALS} decimal places")
    return Rate(base=base, tiers=tiers, divide=_divide(fields))


def _tiers(fields: Fields) -> tuple[Tier, ...]:
    report = fields.place.report
    problems_before = len(report.problems)
    placed = [(_tier(node, place), place) for node, place in fields.items("tiers")]
    if len(report.problems) == problems_before:
        for (lower, place), (higher, next_place) in pairwise(placed):
            _refuse_unless_ascending(lower, place, higher, next_place)
    return tuple(tier for tier, _ in placed)


def _tier(node: Node, place: Place) -> Tier:
    fields = Fields(node, place, TIER_FIELDS)
    upto, price, base = fields.integer("upto"), fields.amount("price"), fields.integer("base") or 0
    if upto is not None and upto < 1:
        place.refuse("upto must be greater than zero")
    if price < 0:
        place.refuse("price must be positive")
    if _has_too_many_decimals(price):
        place.refuse(f"invalid price: {_shown(price)}; tier prices must not exceed {MAX_DECIMALS} decimal places")
    if base < 0:
        place.refuse("base must be positive")
    if base >= TOO_MUCH:
        place.refuse(f"base must be less than {TOO_MUCH}")
    return Tier(upto=None if upto == INFINITE else upto, price=price, base=base)


def _refuse_unless_ascending(lower: Tier, place: Place, higher: Tier, next_place: Place) -> None:
    if lower.upto is None:
        place.refuse("only the last tier may go without upto")
    elif higher.upto is not None and higher.upto <= lower.upto:
        next_place.refuse(f"upto must be greater than {lower.upto}, that of the tier before")


def _divide(fields: Fields) -> Divide | None:
    divide = fields.nested("divide", DIVIDE_FIELDS)
    by, rounding = divide.integer("by") or 0, divide.text("rounding")
    if by < 0:
        divide.place.refuse("by must be positive")
    return Divide(by=by, round_up=rounding == "up") if by > 0 else None


def _has_too_many_decimals(amount: Decimal) -> bool:
    return int(amount.as_tuple().exponent) < -MAX_DECIMALS


def _shown(amount: Decimal) -> str:
    return f"{amount.quantize(SHOWN, context=Context(prec=50, rounding=ROUND_HALF_EVEN)):f}"
