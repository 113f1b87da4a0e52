"""What can go wrong at the HTTP API and with its keys."""

from apps.core.errors import TenantryError


class InvalidKeyName(TenantryError):
    """A key needs a name."""


class KeyNotFound(TenantryError):
    """There is no such key."""


class BadRequest(TenantryError):
    """The request cannot be understood."""
