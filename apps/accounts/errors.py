"""What can go wrong with a user."""

from apps.core.errors import TenantryError


class UnusableUser(TenantryError):
    """No user can be made of that."""


class LastOperator(TenantryError):
    """The last active operator cannot be deactivated."""
