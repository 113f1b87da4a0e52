"""Looking at the whole account again, whatever events came or did not."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

import structlog

from apps.audit import services as audit
from apps.audit.services import Cause
from apps.billing import gateway
from apps.billing import selectors as mirrored
from apps.billing import services as billing
from apps.billing.errors import StripeMissing
from apps.core.actors import Actor
from apps.core.clock import Clock
from apps.core.errors import TenantryError
from apps.lifecycle import services
from apps.lifecycle.difference import Difference
from apps.plans.models import Subscription as Binding

log = structlog.get_logger(__name__)

SWEEP_FAILED = "sweep_failed"


@dataclass
class Sweep:
    """What a sweep found."""

    events: int = 0
    prices: int = 0
    customers: int = 0
    differences: list[Difference] = field(default_factory=list)
    errors: dict[str, str] = field(default_factory=dict)


def mirror_account(*, clock: Clock, progress: Callable[[str], None] = lambda _: None) -> Sweep:
    """Mirror every product, price and customer there is here or in Stripe, and reconcile all of them.

    What fails for one of them is noted and does not keep the others from being looked at.

    Raises:
        WrongAccount, StripeUnavailable, StripeRefused: when the account cannot be listed at all.
    """
    billing.verify_account(now=clock())
    sweep = Sweep()
    for product_id in _here_too("product", gateway.product_ids()):
        progress(product_id)
        _look_at(sweep, product_id, partial(services.follow_product, product_id=product_id, clock=clock))
    for price_id in _here_too("price", gateway.price_ids()):
        progress(price_id)
        sweep.prices += 1
        _look_at(sweep, price_id, partial(services.follow_price, price_id=price_id, clock=clock))
    for customer_id in every_customer():
        progress(customer_id)
        sweep.customers += 1
        _look_at(sweep, customer_id, partial(_follow, sweep, customer_id, clock))
    return sweep


def every_customer() -> list[str]:
    """The customers that Stripe lists with a subscription, then the others that are known here.

    Its lists leave out what Stripe does not have any more.
    """
    bound = Binding.objects.order_by("customer_id").values_list("customer_id", flat=True)
    return list(dict.fromkeys([*_here_too("customer", gateway.customer_ids()), *bound]))


def _here_too(kind: str, listed: list[str]) -> list[str]:
    """What Stripe lists, then what only the mirror has."""
    return list(dict.fromkeys([*listed, *mirrored.mirrored_ids(kind)]))


def catch_up(*, clock: Clock, progress: Callable[[str], None] = lambda _: None) -> Sweep:
    """Look at everything again, and accept the events that were missed.

    The events come last and are the lesser part: they only tell what was looked at anyway.
    """
    sweep = mirror_account(clock=clock, progress=progress)
    attempt(sweep.errors, "events", partial(_catch_up_events, sweep, clock))
    return sweep


def nightly(*, clock: Clock) -> None:
    """Catch up; an alert tells when that failed, wholly or in part."""
    try:
        errors = catch_up(clock=clock).errors
    except TenantryError as error:
        errors = {"account": str(error)}
    told = "; ".join(f"{name}: {error}" for name, error in errors.items())
    causes = [Cause(SWEEP_FAILED, f"The nightly look at the Stripe account failed for {told}")] if errors else []
    audit.set_alerts(subject="stripe", codes=[SWEEP_FAILED], causes=causes, now=clock())


def _catch_up_events(sweep: Sweep, clock: Clock) -> None:
    sweep.events = billing.catch_up_events(now=clock())


def _follow(sweep: Sweep, customer_id: str, clock: Clock) -> None:
    actor = Actor.stripe(customer_id=customer_id)
    found = services.follow_customer(customer_id=customer_id, actor=actor, clock=clock)
    sweep.differences += [each for each in found if each]


def _look_at(sweep: Sweep, name: str, work: Callable[[], None]) -> None:
    """What Stripe does not have any more is no failure; `drift` tells of it as long as it is here."""

    def unless_gone() -> None:
        try:
            work()
        except StripeMissing as error:
            log.info("not in Stripe any more", subject=name, error=str(error))

    attempt(sweep.errors, name, unless_gone)


def attempt(errors: dict[str, str], name: str, work: Callable[[], None]) -> None:
    """Look at one of many; what fails is noted in `errors`."""
    try:
        work()
    except TenantryError as error:
        errors[name] = str(error)
    except Exception as error:
        # One customer nobody anticipated must not keep all the others from being looked at.
        log.exception("look at Stripe failed", subject=name)
        errors[name] = f"{type(error).__name__}: {error}"
