"""What can be wrong with what is told about usage. A refusal by a limit is none of these: it is an answer."""

from apps.core.errors import TenantryError


class TooOld(TenantryError):
    """It was used too long ago to be booked."""


class TooFarAhead(TenantryError):
    """It has not been used yet."""


class UnusableMoment(TenantryError):
    """It is not said when it was used."""


class OutsidePeriod(TenantryError):
    """The moment does not lie within the period it is to be counted in."""


class UnusableAmount(TenantryError):
    """The amount cannot be booked."""


class UnusableKey(TenantryError):
    """The idempotency key cannot be kept."""


class UnusableProperties(TenantryError):
    """The properties cannot be kept as JSON."""


class TooManyEvents(TenantryError):
    """There are more events than are taken at once."""


class NotReleasable(TenantryError):
    """There is not as much in use as is to be released."""


class UnknownEvent(TenantryError):
    """There is no such event."""


class NotCorrectable(TenantryError):
    """The event cannot be corrected."""


class NotReservable(TenantryError):
    """Of a gauge nothing can be set aside."""


class TooMuchHistory(TenantryError):
    """The history asked for is longer than what is told at once."""
