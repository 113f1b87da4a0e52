"""What the plans floor answers with."""

from dataclasses import dataclass


@dataclass(frozen=True)
class EntityLimit:
    """How many of one entity a tenant may have at the same time. `limit` None: unlimited."""

    entity: str
    name: str
    limit: int | None


@dataclass(frozen=True)
class HeldPlan:
    """A plan version that a tenant is entitled to, and through what."""

    ref: str
    name: str
    price_id: str
    subscription_id: str
    quantity: int
