"""What can be a number of credits."""

from apps.credits.errors import UnusableAmount
from apps.credits.types import MOST


def refuse_unusable(amount: int, *, least: int = 1) -> None:
    """Refuse what is no whole number of credits within the bounds.

    Raises:
        UnusableAmount: when `amount` is not `least` to 10**15.
    """
    if not isinstance(amount, int) or isinstance(amount, bool) or not least <= amount <= MOST:
        raise UnusableAmount(f"{amount!r} is no number of credits; give a whole number from {least:,} to {MOST:,}.")
