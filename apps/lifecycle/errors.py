"""What can go wrong in a flow that crosses apps."""

from apps.core.errors import TenantryError


class NothingGranted(TenantryError):
    """The tenant holds no plan."""


class NothingToResume(TenantryError):
    """There is no provisioning to go on with."""
