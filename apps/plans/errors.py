"""What can be wrong with a plan, a grant or an override."""

from collections.abc import Sequence

from apps.core.errors import TenantryError
from apps.plans.pricing.refs import PlanRef


class UnknownFeature(TenantryError):
    """There is no such feature."""


class FeatureIsOfAnotherKind(TenantryError):
    """The feature is there already, as something else."""


class UnusableFeature(TenantryError):
    """The feature cannot be what it is asked to be."""


class UnknownPlan(TenantryError):
    """There is no such plan."""


class UnusablePlan(TenantryError):
    """The plan cannot be what it is asked to be."""


class UnusableGrant(TenantryError):
    """A feature of that kind cannot be granted like that."""


class UnusableOverride(TenantryError):
    """The override has no reason, or would be over before it began."""


class NoOverride(TenantryError):
    """Nothing is overridden."""


class PlanExists(TenantryError):
    """A plan version is published already, with another content."""

    def __init__(self, refs: Sequence[PlanRef]) -> None:
        self.refs = tuple(refs)
        # Tier's words.
        super().__init__(
            "illegal attempt to push features to existing plan(s); aborting. "
            f"A published plan never changes: give {', '.join(map(str, refs))} a new version."
        )
