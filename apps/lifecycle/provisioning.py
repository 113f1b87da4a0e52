"""Making a tenant usable: recorded, resumable, idempotent steps."""

from collections.abc import Callable
from datetime import datetime

import structlog
from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.db import transaction
from django.template.loader import render_to_string

from apps.accounts import services as accounts
from apps.accounts.models import User
from apps.accounts.services import NewUser
from apps.accounts.tokens import welcome_path
from apps.audit import services as audit
from apps.audit.services import Cause
from apps.core.actors import Actor
from apps.core.locks import advisory_lock
from apps.entitlements.limiting.admitting import first_administrator
from apps.lifecycle.errors import NoFirstAdministrator, NothingGranted
from apps.plans.models import PlanAssignment
from apps.tenants import context, links, schema
from apps.tenants import services as tenants
from apps.tenants.models import Provisioning, Tenant

log = structlog.get_logger(__name__)

FAILED = "provisioning_failed"
WELCOME_FAILED = "welcome_failed"


def provision(*, tenant: Tenant, actor: Actor, now: datetime) -> Tenant:
    """Do the steps that are missing, one after another; each is done once, however often this is called.

    Returns the tenant as it is then. A step that fails leaves the tenant `failed`
    with the error on it; the next call goes on from there.
    """
    with advisory_lock(f"provision:{tenant.pk}"):
        started = _start(tenant)
        if started is None:
            return Tenant.objects.filter(pk=tenant.pk).first() or tenant
        try:
            _run_steps(started, actor=actor, now=now)
        except Exception as error:
            _fail(started, error=error, now=now)
            raise
        _welcome(started, now=now)
        return started


def _start(tenant: Tenant) -> Tenant | None:
    """The tenant as it is now, marked as running; None when it is not to be provisioned (any more)."""
    with transaction.atomic():
        locked = Tenant.objects.select_for_update(no_key=True).filter(pk=tenant.pk).first()
        if locked is None or not locked.is_open or locked.provisioning == Provisioning.DELETING:
            return None
        if locked.provisioning != Provisioning.READY:
            tenants.set_provisioning(tenant=locked, status=Provisioning.RUNNING)
        return locked


def _run_steps(tenant: Tenant, *, actor: Actor, now: datetime) -> None:
    for name, step in STEPS.items():
        if name not in tenant.provisioning_steps:
            # The step's work and the record of it are one transaction: killed in between, neither is there.
            with transaction.atomic():
                step(tenant)
                tenants.finish_step(tenant=tenant, step=name, now=now)
            log.info("provisioning step done", tenant=tenant.tenant_id, step=name)
    if tenant.provisioning != Provisioning.READY:
        _open(tenant, actor=actor, now=now)


@transaction.atomic
def _open(tenant: Tenant, *, actor: Actor, now: datetime) -> None:
    tenants.set_provisioning(tenant=tenant, status=Provisioning.READY)
    audit.set_alerts(subject=tenant.subject, codes=[FAILED], causes=[], now=now)
    after = {"schema": tenant.schema_name}
    audit.record(actor=actor, action="tenant.provisioned", subject=tenant.subject, now=now, after=after)


def _make_domain(tenant: Tenant) -> None:
    tenants.add_domain(tenant=tenant, host=links.default_host(tenant.tenant_id))


def _make_administrator(tenant: Tenant) -> None:
    # Before the limit on users is held: whoever renews entitlements takes the two in this order.
    Tenant.objects.select_for_update(no_key=True).get(pk=tenant.pk)
    with context.enter_unfinished(tenant), first_administrator(tenant):
        accounts.create_administrator(new=tenants.first_administrator(tenant))
    tenants.forget_password(tenant=tenant)


def _check_entitlements(tenant: Tenant) -> None:
    """A tenant of a paying customer must hold a plan before anybody is let in: no plan limits nothing."""
    if tenant.stripe_customer_id and not PlanAssignment.objects.present().filter(tenant=tenant).exists():
        raise NothingGranted(f"Tenant {tenant.tenant_id!r} has a Stripe customer but holds no plan yet.")


STEPS: dict[str, Callable[[Tenant], None]] = {
    "schema": schema.create,
    "domain": _make_domain,
    "administrator": _make_administrator,
    "entitlements": _check_entitlements,
}


def steps_of(tenant: Tenant) -> dict[str, str | None]:
    """Every step in the order in which they are done, with when it was; None: not yet."""
    return {name: tenant.provisioning_steps.get(name) for name in (*STEPS, "welcome")}


@transaction.atomic
def _fail(tenant: Tenant, *, error: Exception, now: datetime) -> None:
    current = Tenant.objects.get(pk=tenant.pk)
    tenants.set_provisioning(tenant=current, status=Provisioning.FAILED, error=f"{type(error).__name__}: {error}")
    message = f"Provisioning stopped: {error} It is tried again by itself; see the tenant's steps."
    audit.set_alerts(subject=tenant.subject, codes=[FAILED], causes=[Cause(FAILED, message)], now=now)


def _welcome(tenant: Tenant, *, now: datetime) -> None:
    """Send the first administrator their link.

    The tenant is usable without it, so a mail server that is down does not keep it
    closed: the step stays open and the next reconcile tries again. Killed between
    sending and recording, it sends a second mail rather than none.
    """
    if "welcome" in tenant.provisioning_steps:
        return
    try:
        send_welcome(tenant)
    except Exception as error:
        log.exception("welcome e-mail not sent", tenant=tenant.tenant_id)
        cause = Cause(WELCOME_FAILED, f"The welcome e-mail could not be sent: {error}. It is tried again by itself.")
        audit.set_alerts(subject=tenant.subject, codes=[WELCOME_FAILED], causes=[cause], now=now)
        return
    _finish_welcome(tenant, now=now)


@transaction.atomic
def _finish_welcome(tenant: Tenant, *, now: datetime) -> None:
    tenants.finish_step(tenant=tenant, step="welcome", now=now)
    audit.set_alerts(subject=tenant.subject, codes=[WELCOME_FAILED], causes=[], now=now)


def send_welcome(tenant: Tenant) -> None:
    """E-mail the first administrator a fresh one-time link; without an address, or erased, nothing is sent."""
    if not tenant.first_administrator:
        return
    administrator = tenants.first_administrator(tenant)
    if not administrator.email:
        return
    facts = {"tenant": tenant, "administrator": administrator, "link": welcome_link(tenant)}
    facts |= {"days": settings.PASSWORD_RESET_TIMEOUT // 86400, "support_contact": settings.TENANTRY_SUPPORT_CONTACT}
    mail = EmailMultiAlternatives(
        subject=" ".join(render_to_string("lifecycle/email/welcome_subject.txt", facts).split()),
        body=render_to_string("lifecycle/email/welcome_body.txt", facts),
        to=[administrator.email],
    )
    mail.attach_alternative(render_to_string("lifecycle/email/welcome_body.html", facts), "text/html")
    mail.send()


def welcome_link(tenant: Tenant) -> str:
    """A fresh one-time link for the first administrator.

    Raises:
        TenantNotReady: when the tenant cannot be entered.
        NoFirstAdministrator: when they have been erased.
    """
    with context.enter(tenant):
        path = welcome_path(user=_first_administrator(tenant))
    return links.tenant_url(tenant, path)


@transaction.atomic
def hand_out_link(*, tenant: Tenant, actor: Actor, now: datetime) -> str:
    """As `welcome_link`, for whoever asks for it: the audit tells who let themselves be shown a way in.

    Raises:
        TenantNotReady, NoFirstAdministrator: see `welcome_link`.
    """
    link = welcome_link(tenant)
    audit.record(actor=actor, action="tenant.link_handed_out", subject=tenant.subject, now=now)
    return link


@transaction.atomic
def add_administrator(*, tenant: Tenant, new: NewUser, actor: Actor, now: datetime) -> str:
    """Make somebody an administrator of a tenant; returns a one-time link for them.

    Raises:
        TenantNotReady: when the tenant cannot be entered.
        UnusableUser: when the user name or the address is malformed, or somebody's already.
    """
    accounts.refuse_unusable(new)
    with context.enter(tenant):
        path = welcome_path(user=accounts.add_administrator(new=new))
    after = {"role": User.Role.ADMINISTRATOR.value}
    audit.record(actor=actor, action="tenant.administrator_added", subject=tenant.subject, now=now, after=after)
    return links.tenant_url(tenant, path)


def _first_administrator(tenant: Tenant) -> User:
    username = tenant.first_administrator.get("username", "")
    user = User.objects.filter(username__iexact=username).first()
    if user is None:
        raise NoFirstAdministrator(
            f"The first administrator of tenant {tenant.tenant_id!r} has been erased. "
            "Another administrator signs in, or asks for a new password, on the tenant's own host; "
            f"where there is none, `manage.py tenant_administrator {tenant.tenant_id} USERNAME` makes one."
        )
    return user
