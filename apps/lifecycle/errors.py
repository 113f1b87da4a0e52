"""What can go wrong in a flow that crosses apps."""

from apps.core.errors import TenantryError


class NothingGranted(TenantryError):
    """The tenant holds no plan."""
