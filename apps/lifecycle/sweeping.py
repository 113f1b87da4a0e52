"""Looking at the whole account again, whatever events came or did not."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial

from apps.billing import gateway
from apps.billing import services as billing
from apps.core.actors import Actor
from apps.core.errors import TenantryError
from apps.lifecycle import services
from apps.lifecycle.difference import Difference


@dataclass
class Sweep:
    """What a sweep found."""

    events: int = 0
    prices: int = 0
    customers: int = 0
    differences: list[Difference] = field(default_factory=list)
    errors: dict[str, str] = field(default_factory=dict)


def mirror_account(*, now: datetime, progress: Callable[[str], None] = lambda _: None) -> Sweep:
    """Mirror every price and every customer with a subscription, and reconcile all of them.

    What fails for one of them is noted and does not keep the others from being looked at.
    """
    billing.verify_account(now=now)
    sweep = Sweep()
    for price_id in gateway.price_ids():
        progress(price_id)
        sweep.prices += 1
        _attempt(sweep, price_id, partial(services.follow_price, price_id=price_id, now=now))
    for customer_id in gateway.customer_ids():
        progress(customer_id)
        sweep.customers += 1
        _attempt(sweep, customer_id, partial(_follow, sweep, customer_id, now))
    return sweep


def catch_up(*, now: datetime, progress: Callable[[str], None] = lambda _: None) -> Sweep:
    """Accept the events that were missed, then look at everything again."""
    new = billing.catch_up_events(now=now)
    sweep = mirror_account(now=now, progress=progress)
    sweep.events = new
    return sweep


def _follow(sweep: Sweep, customer_id: str, now: datetime) -> None:
    actor = Actor.stripe(customer_id=customer_id)
    sweep.differences += [
        found for found in services.follow_customer(customer_id=customer_id, actor=actor, now=now) if found
    ]


def _attempt(sweep: Sweep, name: str, work: Callable[[], None]) -> None:
    try:
        work()
    except TenantryError as error:
        sweep.errors[name] = str(error)
