"""The test cards: what each of them does when it is attached and when it is charged.

Contract: docs.stripe.com/testing. A card can be meant by its number, by a test payment method (`pm_card_visa`) or by a
test token (`tok_visa`).
"""

from typing import Final, NamedTuple

from apps.sandbox import errors
from apps.sandbox.contract import Body
from apps.sandbox.errors import ApiError

SUCCEEDS: Final = "succeeds"
DECLINED: Final = "declined"
NEEDS_ACTION: Final = "needs_action"


class Card(NamedTuple):
    """A test card; `outcome` is that of a charge, `attach` the decline code with which attaching fails, if it does."""

    number: str
    brand: str = "visa"
    funding: str = "credit"
    outcome: str = SUCCEEDS
    attach: str | None = None


_CARDS: Final = {
    "visa": Card("4242424242424242"),
    "visa_debit": Card("4000056655665556", funding="debit"),
    "mastercard": Card("5555555555554444", "mastercard"),
    "amex": Card("378282246310005", "amex"),
    "discover": Card("6011111111111117", "discover"),
    "chargeCustomerFail": Card("4000000000000341", outcome=DECLINED),
    "authenticationRequired": Card("4000002760003184", outcome=NEEDS_ACTION),
    "visa_chargeDeclined": Card("4000000000000002", outcome=DECLINED, attach="generic_decline"),
    "visa_chargeDeclinedInsufficientFunds": Card("4000000000009995", outcome=DECLINED, attach="insufficient_funds"),
    "visa_chargeDeclinedLostCard": Card("4000000000009987", outcome=DECLINED, attach="lost_card"),
}
_BY_NUMBER: Final = {card.number: card for card in _CARDS.values()}


def by_number(number: str) -> Card:
    """Return the test card; raises Stripe's card error for a number that is none, and a sentence for other cards."""
    digits = number.replace(" ", "")
    if not (digits.isascii() and digits.isdecimal() and _passes_luhn(digits)):
        raise errors.card("Your card number is incorrect.", code="incorrect_number", param="number")
    if digits not in _BY_NUMBER:
        known = ", ".join(_BY_NUMBER)
        raise ApiError(f"This stand-in takes test cards only, and of them: {known}.", param="card[number]")
    return _BY_NUMBER[digits]


def by_token(token: str) -> Card | None:
    """Return the card of a test payment method or test token, None for any other text."""
    for prefix in ("pm_card_", "tok_"):
        if token.startswith(prefix):
            return _CARDS.get(token.removeprefix(prefix))
    return None


def details(card: Card, *, exp_month: int, exp_year: int) -> Body:
    """Return the `card` hash of a payment method."""
    return {
        "brand": card.brand,
        "checks": {"address_line1_check": None, "address_postal_code_check": None, "cvc_check": "pass"},
        "country": "US",
        "display_brand": card.brand,
        "exp_month": exp_month,
        "exp_year": exp_year,
        "fingerprint": f"standin{card.number[-9:]}",
        "funding": card.funding,
        "generated_from": None,
        "last4": card.number[-4:],
        "networks": {"available": [card.brand], "preferred": None},
        "regulated_status": "unregulated",
        "three_d_secure_usage": {"supported": True},
        "wallet": None,
    }


def _passes_luhn(digits: str) -> bool:
    doubled = [int(digit) * (1 + position % 2) for position, digit in enumerate(reversed(digits))]
    return sum(value - 9 if value > 9 else value for value in doubled) % 10 == 0
