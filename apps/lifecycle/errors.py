"""What can go wrong in a flow that crosses apps."""

from apps.core.errors import TenantryError


class NothingGranted(TenantryError):
    """The tenant holds no plan."""


class NothingToResume(TenantryError):
    """There is no provisioning to go on with."""


class AdministratorStillNeeded(TenantryError):
    """Provisioning has steps left for which it needs the first administrator."""


class NoFirstAdministrator(TenantryError):
    """The tenant's first administrator has been erased."""


class StillSubscribed(TenantryError):
    """The tenant still has a living subscription."""


class ReasonMissing(TenantryError):
    """A reason is needed: say why, in a few words."""


class NotDue(TenantryError):
    """It is not time to delete the tenant."""


class Kept(TenantryError):
    """Somebody wants the tenant kept."""


class BeingDeleted(TenantryError):
    """The tenant is being deleted."""
