"""Telling a tenant's administrators when its data will be deleted."""

from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

import structlog
from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.db import transaction
from django.template.loader import render_to_string

from apps.accounts import selectors as accounts
from apps.audit import services as audit
from apps.audit.services import Cause
from apps.core.actors import Actor
from apps.core.clock import Clock
from apps.core.locks import advisory_lock
from apps.lifecycle.alerts import NOBODY_TOLD, NOTICE_FAILED, NOTICES
from apps.lifecycle.difference import difference, retention_with, time_of
from apps.lifecycle.reconciling import reconcile
from apps.tenants import context
from apps.tenants import services as tenants
from apps.tenants.errors import TenantNotReady
from apps.tenants.models import Provisioning, Tenant

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Notice:
    """One notice: so many days before the deletion."""

    days: int
    delete_at: datetime


@dataclass
class Sending:
    """Who was told, and whom a mail server did not want to tell, and why."""

    told: list[str] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)


def give_notice(*, tenant_key: UUID, actor: Actor, clock: Clock) -> None:
    """Send the notice that is due, if one is, and note that; its time runs from then.

    It is given once somebody there was told, or nobody there can be. Else it is tried again.
    """
    with advisory_lock(f"notice:{tenant_key}"):
        tenant = Tenant.objects.filter(pk=tenant_key).first()
        notice = _due(tenant, clock()) if tenant else None
        if tenant is None or notice is None:
            return
        sending = _send(tenant, notice)
        if sending.told or not sending.failed:
            _note(tenant, notice, sending, actor, clock())
        else:
            audit.set_alerts(subject=tenant.subject, codes=NOTICES, causes=_causes(sending), now=clock())


def _due(tenant: Tenant, now: datetime) -> Notice | None:
    found = difference(tenant, now=now)
    days = found.retention.notice
    if days is None:
        return None
    return Notice(days, retention_with(tenant, found.verdict, days=days, now=now).delete_at or now)


def _send(tenant: Tenant, notice: Notice) -> Sending:
    """Tell each by themselves: an address that does not work must not keep the others from being told."""
    sending = Sending()
    try:
        addresses = _addresses(tenant)
    except TenantNotReady as error:
        return Sending(failed={tenant.tenant_id: str(error)})
    for address in addresses:
        try:
            _mail(tenant, notice, address)
            sending.told.append(address)
        except Exception as error:
            log.exception("notice of deletion not sent", tenant=tenant.tenant_id)
            sending.failed[address] = str(error)
    return sending


def _addresses(tenant: Tenant) -> tuple[str, ...]:
    """Of every active administrator; before there are any, of who was to be the first."""
    if tenant.provisioning != Provisioning.READY:
        first = tenant.first_administrator.get("email", "")
        return (first,) if first else ()
    with context.enter(tenant):
        return accounts.administrators_addresses()


def _mail(tenant: Tenant, notice: Notice, address: str) -> None:
    facts = {
        "tenant": tenant,
        "delete_at": notice.delete_at,
        "days": notice.days,
        "support_contact": settings.TENANTRY_SUPPORT_CONTACT,
    }
    mail = EmailMultiAlternatives(
        subject=" ".join(render_to_string("lifecycle/email/deletion_subject.txt", facts).split()),
        body=render_to_string("lifecycle/email/deletion_body.txt", facts),
        to=[address],
    )
    mail.attach_alternative(render_to_string("lifecycle/email/deletion_body.html", facts), "text/html")
    mail.send()


@transaction.atomic
def _note(tenant: Tenant, notice: Notice, sending: Sending, actor: Actor, now: datetime) -> None:
    tenants.note_notice(tenant=tenant, days=notice.days, now=time_of(tenant, now=now))
    after = {"days_left": notice.days, "told": len(sending.told)}
    audit.record(actor=actor, action="tenant.deletion_announced", subject=tenant.subject, now=now, after=after)
    audit.set_alerts(subject=tenant.subject, codes=NOTICES, causes=_causes(sending), now=now)
    reconcile(tenant=tenant, actor=actor, now=now)


def _causes(sending: Sending) -> list[Cause]:
    if sending.failed:
        told = "; ".join(f"{whom}: {why}" for whom, why in sending.failed.items())
        return [Cause(NOTICE_FAILED, f"The notice of deletion could not be sent to everybody. {told}")]
    if not sending.told:
        message = "Its data is going to be deleted, and nobody there has an e-mail address. Tell them another way."
        return [Cause(NOBODY_TOLD, message)]
    return []
