"""Where mirror, catalogue and tenants are not what Stripe makes of them.

The way in is that of every refresh: what was fetched is mirrored, published, bound and
reconciled, and the differences are what that returns. Here the transaction of it is
rolled back, so that nothing changes. Each customer is looked at as if it were the only one.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from apps.billing import drift as billing_drift
from apps.billing import services as billing_services
from apps.billing.comparing import ObjectDrift, compared
from apps.billing.drift import Look, Suspect
from apps.core.actors import Actor
from apps.core.clock import Clock
from apps.core.dry_run import rolled_back
from apps.core.locks import advisory_lock
from apps.lifecycle import services
from apps.lifecycle.attempts import Attempts
from apps.lifecycle.difference import Difference, difference
from apps.lifecycle.sweeping import every_customer
from apps.plans import selectors as plans
from apps.tenants.models import Tenant

Progress = Callable[[str], None]


@dataclass
class Drift(Attempts):
    """What is different, and what could not be looked at. False: everything looked at is what Stripe says.

    `objects` that differ, by names such as `subscription:sub_1`; all `tenants` looked at, by
    their ids; how many `customers` were looked at.
    """

    objects: dict[str, ObjectDrift] = field(default_factory=dict)
    tenants: dict[str, Difference] = field(default_factory=dict)
    customers: int = 0

    def __bool__(self) -> bool:
        return bool(self.objects or self.different)

    @property
    def different(self) -> list[Difference]:
        """The tenants that are not what they should be."""
        return [found for found in self.tenants.values() if found]

    @property
    def lost(self) -> list[str]:
        """Of what Stripe has no trace any more, although something here rests on it."""
        return [name for name, each in self.objects.items() if each.lost]

    @property
    def living_by_the_lost(self) -> list[str]:
        """The tenants that are open by a customer of whom Stripe has no trace, by their ids."""
        lost = set(self.lost)
        looked_at = [found.tenant for found in self.tenants.values()]
        return [each.tenant_id for each in looked_at if each.is_open and f"customer:{each.stripe_customer_id}" in lost]

    def add_objects(self, found: list[ObjectDrift]) -> None:
        """Note these objects; one that was noted already stays as it was."""
        self.objects |= {each.object: each for each in found if each.object not in self.objects}

    def add_tenants(self, found: list[Difference]) -> None:
        """Note these tenants; one that was noted already stays as it was."""
        self.tenants |= {each.tenant.tenant_id: each for each in found if each.tenant.tenant_id not in self.tenants}


def of_account(*, clock: Clock, progress: Progress = lambda _: None) -> Drift:
    """Compare everything: every product, price and customer there is here or in Stripe, and every tenant.

    What fails for one of them is noted and does not keep the others from being looked at.

    Raises:
        WrongAccount, StripeUnavailable, StripeRefused: when the account cannot be listed at all.
    """
    drift = Drift()
    suspects = _suspects(drift, progress)
    drift.attempt("catalogue", partial(_compare_catalogue, drift, suspects, clock))
    for customer_id in every_customer():
        progress(customer_id)
        _look_at_customer(drift, customer_id, suspects, clock)
    _look_at_tenants(drift, list(Tenant.objects.all()), clock)
    return drift


def of_customer(*, customer_id: str, clock: Clock, progress: Progress = lambda _: None) -> Drift:
    """Compare one customer, with the prices of the subscriptions and the tenants.

    Raises:
        WrongAccount, StripeUnavailable, StripeRefused: when the account cannot be listed at all.
    """
    drift = Drift()
    suspects = _suspects(drift, progress)
    _look_at_customer(drift, customer_id, suspects, clock)
    _look_at_tenants(drift, list(Tenant.objects.filter(stripe_customer_id=customer_id)), clock)
    return drift


def of_tenant(*, tenant: Tenant, clock: Clock, progress: Progress = lambda _: None) -> Drift:
    """Compare one tenant, with its customer where it has one.

    Raises:
        WrongAccount, StripeUnavailable, StripeRefused: when the account cannot be listed at all.
    """
    if tenant.stripe_customer_id:
        return of_customer(customer_id=tenant.stripe_customer_id, clock=clock, progress=progress)
    drift = Drift()
    _look_at_tenants(drift, [tenant], clock)
    return drift


def _suspects(drift: Drift, progress: Progress) -> dict[str, Suspect]:
    billing_services.check_account()
    found: dict[str, Suspect] = {}
    for name in billing_drift.catalogue_names():
        progress(name)
        drift.attempt(name, partial(_suspect, found, name))
    return found


def _suspect(found: dict[str, Suspect], name: str) -> None:
    suspect = billing_drift.look_at(name)
    if suspect:
        found[name] = suspect


def _compare_catalogue(drift: Drift, suspects: Mapping[str, Suspect], clock: Clock) -> None:
    managed = set(plans.price_groups())
    with rolled_back():
        here = _published(managed)
        found = billing_drift.write_catalogue(suspects.values())
        services.publish_prices(managed, now=clock())
        drift.add_objects([*found, *compared(here, _published(managed))])


def _published(price_ids: set[str]) -> dict[str, dict[str, Any]]:
    """The plans of these prices in their newest versions, as in `plan:starter`."""
    return {
        f"plan:{version.plan.key}": {
            "name": version.plan.name,
            "version": version.ref,
            "add_on": version.add_on,
            "limits": dict(version.allowances.values_list("feature", "limit")),
        }
        for version in plans.newest_versions(price_ids).values()
    }


def _look_at_customer(drift: Drift, customer_id: str, suspects: Mapping[str, Suspect], clock: Clock) -> None:
    drift.customers += 1
    drift.attempt(customer_id, partial(_compare_customer, drift, customer_id, suspects, clock))


def _compare_customer(drift: Drift, customer_id: str, suspects: Mapping[str, Suspect], clock: Clock) -> None:
    with advisory_lock(f"customer:{customer_id}"):
        look = billing_drift.look_at_customer(customer_id, suspects=suspects)
        if look is None:
            drift.add_objects([billing_drift.without_a_trace(f"customer:{customer_id}")])
            return
        with rolled_back():
            objects, tenants = _follow(look, suspects, clock)
    drift.add_objects(objects)
    drift.add_tenants(tenants)


def _follow(look: Look, suspects: Mapping[str, Suspect], clock: Clock) -> tuple[list[ObjectDrift], list[Difference]]:
    """What following the customer changes; for an administrator who is never made no password is needed."""
    prices = billing_services.prices_of(look.fetched)
    here = _published(prices)
    objects = billing_drift.write_customer(look, suspects=suspects)
    actor = Actor.stripe(customer_id=look.customer_id)
    tenants = services.bind_and_reconcile(customer_id=look.customer_id, passwords={}, actor=actor, now=clock())
    return [*objects, *compared(here, _published(prices))], tenants


def _look_at_tenants(drift: Drift, tenants: list[Tenant], clock: Clock) -> None:
    """Those of these tenants to which no customer has led: by what is mirrored."""
    for tenant in tenants:
        if tenant.tenant_id not in drift.tenants:
            drift.attempt(tenant.tenant_id, partial(_compare_tenant, drift, tenant, clock))


def _compare_tenant(drift: Drift, tenant: Tenant, clock: Clock) -> None:
    drift.add_tenants([difference(tenant, now=clock())])
