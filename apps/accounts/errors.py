"""What can go wrong with a user."""

from apps.core.errors import TenantryError


class UnusableUser(TenantryError):
    """No user can be made of that."""


class LastOperator(TenantryError):
    """The last active operator can be neither deactivated nor erased."""


class LastAdministrator(TenantryError):
    """A tenant's last active administrator is not erased unless that is meant."""


class UserNotFound(TenantryError):
    """There is no such user."""


class AmbiguousUser(TenantryError):
    """Several users may be meant."""


class StillReferredTo(TenantryError):
    """Rows that nobody erases refer to the user."""
