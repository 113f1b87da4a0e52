"""The jobs that run the flows. Only here do they read the clock."""

from pathlib import Path
from uuid import UUID

from django.conf import settings

from apps.billing import inbox
from apps.billing import selectors as billing
from apps.core import clock
from apps.core.actors import CLOCK, WORKER, Actor, ActorKind
from apps.core.jobs import enqueue, every_minute, every_night, job, purge, retry_stalled
from apps.entitlements import settling
from apps.entitlements.limiting import ceilings
from apps.lifecycle import addressing, notices, offboarding, services, sweeping
from apps.lifecycle.reconciling import reconcile
from apps.tenants import archive, burial
from apps.tenants import selectors as tenants
from apps.tenants import services as tenant_services
from apps.tenants.models import Tenant
from apps.usage import services as usage


@job(name="lifecycle.follow_customer")
def follow_customer(customer_id: str) -> None:
    """Work off the pending events about a customer."""
    services.work_off_customer(customer_id=customer_id, clock=clock.now)


@job(name="lifecycle.rebind_customer")
def rebind_customer(customer_id: str) -> None:
    """Judge a customer's subscriptions anew because the catalogue has changed."""
    services.rebind_customer(customer_id=customer_id, actor=Actor.stripe(customer_id=customer_id), clock=clock.now)


@job(name="lifecycle.follow_price")
def follow_price(price_id: str) -> None:
    """Work off the pending events about a price."""
    services.work_off_price(price_id=price_id, clock=clock.now)


@job(name="lifecycle.follow_product")
def follow_product(product_id: str) -> None:
    """Work off the pending events about a product."""
    services.work_off_product(product_id=product_id, clock=clock.now)


@job(name="lifecycle.follow_clock")
def follow_clock(clock_id: str) -> None:
    """Work off the pending events about a test clock."""
    services.work_off_clock(clock_id=clock_id, clock=clock.now)


@job(name="lifecycle.follow_subscription")
def follow_subscription(subscription_id: str) -> None:
    """Find whose a subscription is that events name, and have them looked at."""
    addressing.address_events_of_subscription(subscription_id=subscription_id, clock=clock.now)


@job(name="lifecycle.follow_invoice")
def follow_invoice(invoice_id: str) -> None:
    """Find whose an invoice is that events name, and have them looked at."""
    addressing.address_events_of_invoice(invoice_id=invoice_id, clock=clock.now)


@job(name="lifecycle.reconcile_tenant")
def reconcile_tenant(tenant_key: str) -> None:
    """Reconcile a tenant because time has passed."""
    tenant = Tenant.objects.filter(pk=tenant_key).first()
    if tenant:
        reconcile(tenant=tenant, actor=CLOCK, now=clock.now())


@job(name="lifecycle.provision_tenant")
def provision_tenant(tenant_key: str) -> None:
    """Do what is missing of a tenant's provisioning, unless the tenant is gone."""
    if Tenant.objects.filter(pk=tenant_key).exists():
        services.provision_tenant(tenant_key=UUID(tenant_key), actor=WORKER, now=clock.now())


@job(name="lifecycle.give_notice")
def give_notice(tenant_key: str) -> None:
    """Tell a tenant's administrators when its data will be deleted, if it is time to."""
    notices.give_notice(tenant_key=UUID(tenant_key), actor=CLOCK, clock=clock.now)


@job(name="lifecycle.end_retention")
def end_retention(tenant_key: str) -> None:
    """Delete a tenant whose time is up, unless something has changed since."""
    offboarding.end_retention(tenant_key=UUID(tenant_key), actor=CLOCK, clock=clock.now)


@job(name="lifecycle.delete_tenant")
def delete_tenant(tenant_key: str, reason: str, kind: str, label: str) -> None:
    """Delete a tenant because somebody has asked for it."""
    tenant = Tenant.objects.filter(pk=tenant_key).first()
    if tenant:
        actor = Actor(ActorKind(kind), label)
        offboarding.carry_out_deletion(tenant=tenant, reason=reason, actor=actor, clock=clock.now)


@every_minute(name="lifecycle.every_minute")
def every_minute_job() -> None:
    """Take up again what was left lying: jobs of dead workers, pending events, tenants whose time has come."""
    now = clock.now()
    retry_stalled()
    for work in billing.pending_work(now):
        inbox.requeue(work=work, now=now)
    for tenant in tenants.due_for_reconcile(now):
        tenant_services.put_off(tenant=tenant, now=now)
        enqueue("lifecycle.reconcile_tenant", lock=f"tenant:{tenant.pk}", tenant_key=str(tenant.pk))
    usage.expire_reservations(now=now)
    offboarding.give_up_dead_deletions(now=now)
    burial.drop_emptied_schemas(now=now)


@every_night(name="lifecycle.every_night")
def every_night_job() -> None:
    """Look at the whole account again, so that a lost event costs a day at most."""
    sweeping.nightly(clock=clock.now)
    archive.sweep_drafts(folder=Path(settings.TENANTRY_EXPORT_DIR), now=clock.now())
    inbox.forget_old(now=clock.now())
    ceilings.keep_all(now=clock.now())
    settling.settle(tenants=Tenant.objects.iterator(), now=clock.now())
    purge()
