"""What can be wrong with an entity or a total."""

from apps.core.errors import TenantryError
from apps.entitlements.decisions import Decision


class InvalidEntity(TenantryError):
    """That cannot be the name of an entity."""


class UnknownEntity(TenantryError):
    """Nobody has spoken of that entity before."""


class InvalidTotal(TenantryError):
    """That cannot be a total."""


class EntityIsCounted(TenantryError):
    """The entity's total is counted, not told."""


class EntityIsBooked(EntityIsCounted):
    """How many there are is booked by the vendor's app, not told."""


class EntityRegisteredTwice(TenantryError):
    """Another model is counted for that entity."""


class NotATenantModel(TenantryError):
    """The model has no table in the tenants' schemas."""


class UnsteadyFilter(TenantryError):
    """Which rows count would change without the rows being written."""


class InvalidRequest(TenantryError):
    """That cannot be asked for."""


class WrongKind(TenantryError):
    """A feature of that kind is not used like that."""


class CountedFromModel(TenantryError):
    """What is in use is counted from a model, not booked."""


class Refused(TenantryError):
    """The tenant may not do that; `decision` says why."""

    def __init__(self, decision: Decision) -> None:
        upgrade = f" More: {decision.upgrade_url}" if decision.upgrade_url else ""
        super().__init__(f"{decision.message}{upgrade}")
        self.decision = decision


class LimitReached(Refused):
    """There would be more rows than the tenant may have."""
