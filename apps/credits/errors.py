"""What can be wrong with credits. A balance that does not suffice is no error: it is an answer."""

from apps.core.errors import TenantryError


class UnusableAmount(TenantryError):
    """That cannot be a number of credits."""


class UnusableKey(TenantryError):
    """The idempotency key cannot be kept."""


class UnusableText(TenantryError):
    """The text cannot be kept."""


class UnusableGrant(TenantryError):
    """Credits cannot be granted like that."""


class UnknownGrant(TenantryError):
    """The tenant has no such grant."""


class NothingLeft(TenantryError):
    """Nothing is left of the grant."""


class NotEnoughCredits(TenantryError):
    """More cannot be taken away than there is."""


class UnusableReservation(TenantryError):
    """Credits cannot be set aside like that."""


class UnknownCreditType(TenantryError):
    """There is no such credit type."""


class UnusableCreditType(TenantryError):
    """The credit type cannot be what it is asked to be."""


class CreditTypeDefinedTwice(TenantryError):
    """Another credit type of that value is defined already."""
