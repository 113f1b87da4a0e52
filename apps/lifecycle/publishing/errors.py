"""What can go wrong between a pricing.json and the account."""

from collections.abc import Sequence

from apps.core.errors import TenantryError


class UnpushablePricing(TenantryError):
    """Stripe has no place for what the pricing.json says."""

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(self.problems))


class UnreadableSource(TenantryError):
    """The pricing.json could not be fetched."""
