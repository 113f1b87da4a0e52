"""What can be wrong with projects and tasks."""

from apps.core.errors import TenantryError


class AlreadyMade(TenantryError):
    """That form has made something else already."""
