"""What can go wrong between Stripe and here."""

from apps.core.errors import TenantryError


class StripeUnavailable(TenantryError):
    """Stripe could not be reached or did not answer as it should."""


class StripeBusy(StripeUnavailable):
    """Stripe's limit of requests leaves no room now."""


class StripeRefused(TenantryError):
    """Stripe refused the request."""


class WrongAccount(TenantryError):
    """The key belongs to another Stripe account or mode than this installation."""


class BadSignature(TenantryError):
    """The event is not signed with this endpoint's secret."""


class BadEvent(TenantryError):
    """The body is not a Stripe event."""


class StripeMissing(StripeRefused):
    """Stripe has no such object; `name` is that of what was asked for, such as `customer:cus_1`.

    It is empty where something else that is needed is missing, as the test clock of a customer.
    """

    def __init__(self, message: str, *, name: str = "") -> None:
        super().__init__(message)
        self.name = name
