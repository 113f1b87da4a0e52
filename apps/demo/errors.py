"""What keeps the demonstration from running."""

from apps.core.errors import TenantryError


class DemoRefused(TenantryError):
    """The demonstration does not run here."""


class PortInUse(TenantryError):
    """The port is in use."""


class PartDied(TenantryError):
    """A part of the demonstration ended by itself."""


class NotSettled(TenantryError):
    """The work did not come to an end in time."""


class CutOff(TenantryError):
    """An earlier run was cut off."""
