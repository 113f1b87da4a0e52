"""Credit types that the vendor's code defines.

The vendor's app defines its own in its AppConfig:

    def ready(self) -> None:
        registry.define(CreditType("credit-project-creation", "Project", amount=2))

A row of the same value in the database wins: an operator has changed what it costs.
"""

import re
from collections.abc import Mapping
from types import MappingProxyType

from apps.credits.errors import CreditTypeDefinedTwice, UnusableCreditType
from apps.credits.types import MOST, CreditType

KEY = re.compile(r"[a-z0-9]([a-z0-9._-]*[a-z0-9])?")

_defined: dict[str, CreditType] = {}


def define(credit_type: CreditType) -> None:
    """Let there be a credit type. The same again changes nothing.

    Raises:
        UnusableCreditType: when it cannot be what it is asked to be.
        CreditTypeDefinedTwice: when its value is defined as something else.
    """
    refuse_unusable(credit_type)
    if _defined.setdefault(credit_type.value, credit_type) != credit_type:
        raise CreditTypeDefinedTwice(f"The credit type {credit_type.value!r} is defined as something else already.")


def defined() -> Mapping[str, CreditType]:
    """What is defined, by value."""
    return MappingProxyType(_defined)


def refuse_unusable(credit_type: CreditType) -> None:
    """Refuse a credit type that nobody could spend.

    Raises:
        UnusableCreditType: when its value, name, wallet or cost cannot be.
    """
    for key in (credit_type.value, credit_type.feature, credit_type.usage_feature or "none"):
        if len(key) > 80 or not KEY.fullmatch(key):
            raise UnusableCreditType(f"{key!r} is no key; use up to 80 of a-z, 0-9, '-', '_' and '.'.")
    if not 0 < len(credit_type.name.strip()) <= 120:
        raise UnusableCreditType(f"The name of {credit_type.value!r} must have 1 to 120 letters.")
    cost = credit_type.amount
    if type(cost) is not int or not 0 <= cost <= MOST:
        raise UnusableCreditType(
            f"{credit_type.value!r} cannot cost {credit_type.amount!r}; 0 to {MOST:,} credits can."
        )
