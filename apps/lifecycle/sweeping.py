"""Looking at the whole account again, whatever events came or did not."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

import structlog

from apps.audit import services as audit
from apps.audit.services import Cause
from apps.billing import gateway, inbox
from apps.billing import selectors as mirrored
from apps.billing import services as billing
from apps.billing.errors import StripeMissing
from apps.core.actors import Actor
from apps.core.clock import Clock
from apps.core.errors import TenantryError
from apps.lifecycle import services
from apps.lifecycle.attempts import Attempts
from apps.lifecycle.difference import Difference
from apps.plans.models import Subscription as Binding
from apps.tenants.models import Tenant

log = structlog.get_logger(__name__)

SWEEP_FAILED = "sweep_failed"
CUSTOMER_GONE = "customer_gone"
# So many failures the alert names; of a whole account there may be thousands.
TOLD = 10


@dataclass
class Sweep(Attempts):
    """What a sweep found."""

    events: int = 0
    prices: int = 0
    customers: int = 0
    differences: list[Difference] = field(default_factory=list)


def mirror_account(*, clock: Clock, progress: Callable[[str], None] = lambda _: None) -> Sweep:
    """Mirror every product, price and customer there is here or in Stripe, and reconcile all of them.

    What fails for one of them is noted and does not keep the others from being looked at.
    Once Stripe is away, the rest is left to be looked at as soon as it is back.

    Raises:
        WrongAccount, StripeUnavailable, StripeRefused: when the account cannot be listed at all.
    """
    billing.verify_account(now=clock())
    sweep = Sweep()
    try:
        _look_at_all(sweep, clock, progress)
    finally:
        inbox.look_again(sweep.unanswered, now=clock(), at_once=False)
    return sweep


def _look_at_all(sweep: Sweep, clock: Clock, progress: Callable[[str], None]) -> None:
    for product_id in _here_too("product", gateway.product_ids()):
        progress(product_id)
        follow = partial(services.follow_product, product_id=product_id, clock=clock)
        _look_at(sweep, f"product:{product_id}", follow)
    for price_id in _here_too("price", gateway.price_ids()):
        progress(price_id)
        sweep.prices += 1
        _look_at(sweep, f"price:{price_id}", partial(services.follow_price, price_id=price_id, clock=clock))
    for customer_id in every_customer():
        progress(customer_id)
        sweep.customers += 1
        _look_at(sweep, f"customer:{customer_id}", partial(_follow, sweep, customer_id, clock))


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
    sweep.attempt("events", partial(_catch_up_events, sweep, clock))
    return sweep


def nightly(*, clock: Clock) -> None:
    """Catch up; an alert tells when that failed, wholly or in part."""
    try:
        told = catch_up(clock=clock).told(at_most=TOLD)
    except TenantryError as error:
        told = f"account: {error}"
    message = "The nightly look at the Stripe account failed for " + told.replace("\n", "; ")
    causes = [Cause(SWEEP_FAILED, message)] if told else []
    audit.set_alerts(subject="stripe", codes=[SWEEP_FAILED], causes=causes, now=clock())


def _catch_up_events(sweep: Sweep, clock: Clock) -> None:
    sweep.events = billing.catch_up_events(now=clock())


def _follow(sweep: Sweep, customer_id: str, clock: Clock) -> None:
    actor = Actor.stripe(customer_id=customer_id)
    try:
        found = services.follow_customer(customer_id=customer_id, actor=actor, clock=clock)
    except StripeMissing as error:
        if error.name == f"customer:{customer_id}":
            _tell_whether_gone(customer_id, gone=True, clock=clock)
        raise
    _tell_whether_gone(customer_id, gone=False, clock=clock)
    sweep.differences += [each for each in found if each]


def _tell_whether_gone(customer_id: str, *, gone: bool, clock: Clock) -> None:
    """An alert for each tenant that stays open by a customer of whom Stripe has no trace: nothing there ends it."""
    for tenant in Tenant.objects.filter(stripe_customer_id=customer_id):
        causes = [_gone(customer_id, tenant)] if gone and tenant.is_open else []
        audit.set_alerts(subject=tenant.subject, codes=[CUSTOMER_GONE], causes=causes, now=clock())


def _gone(customer_id: str, tenant: Tenant) -> Cause:
    message = (
        f"Stripe has no trace of customer {customer_id} any more, so nothing there will ever end this tenant. "
        f"Suspend it with `manage.py tenant_hold {tenant.tenant_id}`, or delete it with "
        f"`manage.py tenant_delete {tenant.tenant_id} --even-if-subscribed`."
    )
    return Cause(CUSTOMER_GONE, message)


def _look_at(sweep: Sweep, name: str, work: Callable[[], None]) -> None:
    """What Stripe does not have any more is no failure; `drift` tells of it as long as it is here."""

    def unless_gone() -> None:
        try:
            work()
        except StripeMissing as error:
            if error.name != name:
                raise
            log.info("not in Stripe any more", subject=name, error=str(error))

    sweep.attempt(name, unless_gone)
