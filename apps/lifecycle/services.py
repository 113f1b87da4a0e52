"""The flows that cross apps: one function per thing that happens or that somebody asks for."""

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.db.models import Q

from apps.accounts.services import NewUser, random_password_hash
from apps.audit import services as audit
from apps.audit.services import Cause
from apps.billing import gateway, inbox
from apps.billing import selectors as billing
from apps.billing import services as billing_services
from apps.billing.errors import StripeRefused
from apps.billing.types import Secret
from apps.core.actors import Actor
from apps.core.clock import Clock
from apps.core.jobs import enqueue
from apps.core.locks import advisory_lock
from apps.lifecycle import binding
from apps.lifecycle.difference import Difference, difference, is_complete
from apps.lifecycle.engine import ENDED
from apps.lifecycle.errors import NothingToResume
from apps.lifecycle.provisioning import provision
from apps.lifecycle.reconciling import reconcile
from apps.plans import selectors as plans
from apps.plans import services as plan_services
from apps.plans.models import Subscription as Binding
from apps.tenants import services as tenants
from apps.tenants.models import Tenant

PASSWORD_LEFT = "password_left_in_stripe"


def follow_customer(*, customer_id: str, actor: Actor, clock: Clock) -> list[Difference]:
    """Look at a customer in Stripe again, and make every tenant of theirs what it should be."""
    with advisory_lock(f"customer:{customer_id}"):
        return _follow_customer(customer_id, actor, clock)


def work_off_customer(*, customer_id: str, clock: Clock) -> None:
    """As `follow_customer`, in the name of the pending events about them; without any there is nothing to do."""
    work = f"customer:{customer_id}"
    with advisory_lock(work):
        events = inbox.take(work)
        if events:
            with inbox.working_off(events, work=work, clock=clock):
                _follow_customer(customer_id, inbox.cause_of(events), clock)


def _follow_customer(customer_id: str, actor: Actor, clock: Clock) -> list[Difference]:
    passwords = billing_services.refresh_customer(customer_id)
    differences = bind_and_reconcile(customer_id=customer_id, passwords=passwords, actor=actor, now=clock())
    _remove_used_passwords(passwords, clock())
    return differences


def rebind_customer(*, customer_id: str, actor: Actor, clock: Clock) -> list[Difference]:
    """Judge a customer's subscriptions anew: the catalogue has changed, not Stripe.

    What is not bound yet may become a tenant by it, and then the administrator's
    password is wanted, which only Stripe has: such a customer is looked at there, by a job.
    """
    work = f"customer:{customer_id}"
    with advisory_lock(work):
        if Binding.objects.filter(customer_id=customer_id, tenant=None).exists():
            inbox.look_again([work], now=clock())
            return []
        return bind_and_reconcile(customer_id=customer_id, passwords={}, actor=actor, now=clock())


def bind_and_reconcile(
    *, customer_id: str, passwords: Mapping[str, Secret], actor: Actor, now: datetime
) -> list[Difference]:
    """Make every tenant of a mirrored customer what it should be; the caller holds the customer's lock.

    A tenant is among them also when nothing is left of the subscriptions that it had.
    """
    customer = billing.customer(customer_id)
    if customer is None:
        return []
    subscriptions = billing.subscriptions_of(customer_id)
    publish_prices({item.price_id for each in subscriptions for item in each.items}, now=now)
    case = binding.situation(customer=customer, subscriptions=subscriptions, passwords=passwords, actor=actor, now=now)
    concerned = [*binding.bind(case), *Tenant.objects.filter(stripe_customer_id=customer_id)]
    by_key = {tenant.pk: tenant for tenant in concerned}
    return [reconcile(tenant=tenant, actor=actor, now=now) for tenant in by_key.values()]


def _remove_used_passwords(passwords: Mapping[str, Secret], now: datetime) -> None:
    """Take passwords out of Stripe that have been used, or never will be: of what is bound or has ended."""
    settled = Q(status__in=ENDED) | ~Q(tenant=None)
    found = Binding.objects.filter(settled, stripe_id__in=passwords)
    for subscription_id in found.values_list("stripe_id", flat=True):
        _remove_password(subscription_id, now)


def _remove_password(subscription_id: str, now: datetime) -> None:
    causes = []
    try:
        gateway.remove_password(subscription_id)
    except StripeRefused as error:
        message = f"The administrator's password could not be taken out of its metadata: {error} Remove it by hand."
        causes = [Cause(PASSWORD_LEFT, message)]
    audit.set_alerts(subject=f"subscription:{subscription_id}", codes=[PASSWORD_LEFT], causes=causes, now=now)


@transaction.atomic
def publish_prices(price_ids: set[str], *, now: datetime) -> None:
    """Publish the limits of those of these prices that are managed; a new version reaches every tenant on it."""
    for price_id in sorted(price_ids & plans.price_groups().keys()):
        if plan_services.publish_price(price_id=price_id, now=now):
            _rebind_customers_with(price_id)


def work_off_price(*, price_id: str, clock: Clock) -> None:
    """Look at a price in Stripe again, for the pending events about it; a new version reaches every tenant on it."""
    work = f"price:{price_id}"
    events = inbox.take(work)
    if events:
        with inbox.working_off(events, work=work, clock=clock):
            follow_price(price_id=price_id, clock=clock)


def follow_price(*, price_id: str, clock: Clock) -> None:
    """Look at a price in Stripe again; a new version reaches every tenant on it."""
    billing_services.refresh_price(price_id)
    publish_prices({price_id}, now=clock())


def work_off_product(*, product_id: str, clock: Clock) -> None:
    """Look at a product in Stripe again, for the pending events about it: its name is in its plans' names."""
    work = f"product:{product_id}"
    events = inbox.take(work)
    if events:
        with inbox.working_off(events, work=work, clock=clock):
            follow_product(product_id=product_id, clock=clock)


def follow_product(*, product_id: str, clock: Clock) -> None:
    """Look at a product in Stripe again; its plans take on its name."""
    billing_services.refresh_product(product_id)
    publish_prices(set(billing.price_ids_of_product(product_id)), now=clock())


def work_off_clock(*, clock_id: str, clock: Clock) -> None:
    """Have every customer of a test clock looked at, for the pending events about it: time has passed for them."""
    work = f"clock:{clock_id}"
    events = inbox.take(work)
    if events:
        with inbox.working_off(events, work=work, clock=clock):
            inbox.look_again([f"customer:{each}" for each in billing.customers_on_clock(clock_id)], now=clock())


def _rebind_customers_with(price_id: str) -> None:
    for customer_id in billing.customers_with_price(price_id):
        enqueue("lifecycle.rebind_customer", lock=f"customer:{customer_id}", customer_id=customer_id)


def manage_price(*, price_id: str, group: str, actor: Actor, now: datetime) -> None:
    """Manage the subscriptions of a price: those there are become tenants.

    Raises:
        StripeMissing: when the account has no such price.
        StripeUnavailable, StripeRefused: when it is not mirrored yet and Stripe does not tell.
    """
    if price_id not in billing.prices([price_id]):
        billing_services.refresh_price(price_id)
    with transaction.atomic():
        plan_services.mark_price(price_id=price_id, group=group, actor=actor, now=now)
        publish_prices({price_id}, now=now)
        _rebind_customers_with(price_id)


@transaction.atomic
def unmanage_price(*, price_id: str, actor: Actor, now: datetime) -> str | None:
    """Take back an operator's mark; tenants on the price keep what they have.

    Returns the group in which the settings still manage it, if they do.
    """
    plan_services.unmark_price(price_id=price_id, actor=actor, now=now)
    _rebind_customers_with(price_id)
    return plans.price_group(price_id)


@transaction.atomic
def create_tenant(*, tenant_id: str, name: str, administrator: NewUser, actor: Actor, now: datetime) -> Tenant:
    """Make a tenant by hand, without Stripe; it is provisioned by a job.

    Raises:
        InvalidTenantId, ReservedTenantId, TenantBuried, TenantIdTaken: see `tenants.services.create_tenant`.
    """
    tenant = tenants.create_tenant(
        tenant_id=tenant_id,
        name=name or tenant_id,
        description="",
        administrator=NewUser(
            username=administrator.username or tenant_id,
            email=administrator.email,
            full_name=administrator.full_name,
            password_hash=random_password_hash(),
        ),
        claim=None,
        actor=actor,
        now=now,
    )
    return reconcile(tenant=tenant, actor=actor, now=now).tenant


@transaction.atomic
def hold_tenant(
    *, tenant: Tenant, state: str, reason: str, until: datetime | None, actor: Actor, now: datetime
) -> Difference:
    """Suspend or reject a tenant by hand; that wins over Stripe until it is lifted or its time is up."""
    tenants.hold(tenant=tenant, state=state, reason=reason, until=until, actor=actor, now=now)
    return reconcile(tenant=tenant, actor=actor, now=now)


@transaction.atomic
def unhold_tenant(*, tenant: Tenant, reason: str, actor: Actor, now: datetime) -> Difference:
    """Lift the hold; Stripe decides again.

    Raises:
        NoHold: when there is none.
    """
    tenants.unhold(tenant=tenant, reason=reason, actor=actor, now=now)
    return reconcile(tenant=tenant, actor=actor, now=now)


def preview(*, tenant: Tenant, now: datetime) -> Difference:
    """What reconciling would change now, from what the mirror holds. Changes nothing."""
    return difference(tenant, now=now)


@transaction.atomic
def resync_tenant(*, tenant: Tenant, actor: Actor, now: datetime) -> Difference:
    """Reconcile a tenant now, and have its customer looked at again in Stripe by a job."""
    if tenant.stripe_customer_id:
        inbox.look_again([f"customer:{tenant.stripe_customer_id}"], now=now)
    return reconcile(tenant=tenant, actor=actor, now=now)


@transaction.atomic
def resume_provisioning(*, tenant: Tenant, actor: Actor, now: datetime) -> None:
    """Have a job go on with a provisioning that stopped.

    Raises:
        NothingToResume: when the tenant is closed, or nothing is missing.
    """
    if not tenant.is_open:
        raise NothingToResume(f"Tenant {tenant.tenant_id!r} is {tenant.state}; only an open one is provisioned.")
    if is_complete(tenant):
        raise NothingToResume(f"Nothing of tenant {tenant.tenant_id!r} is missing.")
    enqueue("lifecycle.provision_tenant", lock=f"tenant:{tenant.pk}", tenant_key=str(tenant.pk))
    audit.record(actor=actor, action="tenant.provisioning_resumed", subject=tenant.subject, now=now)


def provision_tenant(*, tenant_key: UUID, actor: Actor, now: datetime) -> Tenant:
    """Do what is missing of a tenant's provisioning, now."""
    tenant = provision(tenant=Tenant.objects.get(pk=tenant_key), actor=actor, now=now)
    if is_complete(tenant):
        # Nothing is left to wait for but what time brings.
        return reconcile(tenant=tenant, actor=actor, now=now).tenant
    return tenant
