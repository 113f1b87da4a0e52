"""The root of every anticipated error.

An anticipated error is one that a person or an API client can do something
about. Its class docstring is the default message; a concrete error says what was
wrong, with which value, and what to do.
"""


class TenantryError(Exception):
    """Something Tenantry expected to be able to do could not be done."""

    def __init__(self, message: str = "") -> None:
        super().__init__(message or (type(self).__doc__ or "").strip())


class IdempotencyKeyReused(TenantryError):
    """The idempotency key belongs to another call."""


class UnknownReservation(TenantryError):
    """The tenant has no such reservation."""


class ReservationClosed(TenantryError):
    """The reservation was confirmed, released, or has run out."""
