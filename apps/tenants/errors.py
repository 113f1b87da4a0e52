"""What can go wrong with a tenant."""

from apps.core.errors import TenantryError


class TenantNotReady(TenantryError):
    """The tenant cannot be entered."""


class TenantIdTaken(TenantryError):
    """The tenant id is in use."""


class TenantBuried(TenantryError):
    """The tenant id belonged to a tenant that is gone."""


class TenantNotFound(TenantryError):
    """There is no such tenant."""


class HostTaken(TenantryError):
    """Another tenant answers on that host."""


class HoldIsOver(TenantryError):
    """The hold would be over before it began."""


class NoHold(TenantryError):
    """The tenant is not on hold."""


class SchemaExists(TenantryError):
    """The schema exists already."""


class TenantBusy(TenantryError):
    """Somebody is at work inside the tenant's schema."""


class ArchiveExists(TenantryError):
    """There is a file of that name."""


class ArchiveUnusable(TenantryError):
    """The export of a tenant cannot be written or read."""


class UnknownMigration(TenantryError):
    """The export is of another version's tables."""


class NotRestorable(TenantryError):
    """The tenant of the export cannot come back."""
