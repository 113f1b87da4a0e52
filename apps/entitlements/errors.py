"""What can be wrong with an entity or a total."""

from apps.core.errors import TenantryError


class InvalidEntity(TenantryError):
    """That cannot be the name of an entity."""


class UnknownEntity(TenantryError):
    """Nobody has spoken of that entity before."""


class InvalidTotal(TenantryError):
    """That cannot be a total."""


class EntityIsCounted(TenantryError):
    """The entity's total is counted, not told."""


class EntityRegisteredTwice(TenantryError):
    """Another model is counted for that entity."""


class NotATenantModel(TenantryError):
    """The model has no table in the tenants' schemas."""
