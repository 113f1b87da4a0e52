"""Telling a tenant's administrators when its data will be deleted."""

from dataclasses import dataclass
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
from apps.lifecycle.difference import difference, retention_with, time_of
from apps.lifecycle.reconciling import reconcile
from apps.tenants import context
from apps.tenants import services as tenants
from apps.tenants.models import Provisioning, Tenant

log = structlog.get_logger(__name__)

NOTICE_FAILED = "deletion_notice_failed"
NOBODY_TOLD = "deletion_notice_without_address"
CODES = (NOTICE_FAILED, NOBODY_TOLD)


@dataclass(frozen=True)
class Notice:
    """One notice: so many days before, and to whom."""

    days: int
    delete_at: datetime
    addresses: tuple[str, ...]


def give_notice(*, tenant_key: UUID, actor: Actor, clock: Clock) -> None:
    """Send the notice that is due, if one is, and note that; its time runs from then."""
    with advisory_lock(f"notice:{tenant_key}"):
        tenant = Tenant.objects.filter(pk=tenant_key).first()
        notice = _due(tenant, clock()) if tenant else None
        if tenant is None or notice is None:
            return
        try:
            _send(tenant, notice)
        except Exception as error:
            log.exception("notice of deletion not sent", tenant=tenant.tenant_id)
            _tell_operator(tenant, NOTICE_FAILED, f"The notice of deletion could not be sent: {error}", clock())
            return
        _note(tenant, notice, actor, clock())


def _due(tenant: Tenant, now: datetime) -> Notice | None:
    found = difference(tenant, now=now)
    days = found.retention.notice
    if days is None:
        return None
    planned = retention_with(tenant, found.verdict, days=days, now=now).delete_at
    return Notice(days, planned or now, _addresses(tenant))


def _addresses(tenant: Tenant) -> tuple[str, ...]:
    """Of every active administrator; before there are any, of who was to be the first."""
    if tenant.provisioning != Provisioning.READY:
        first = tenant.first_administrator.get("email", "")
        return (first,) if first else ()
    with context.enter(tenant):
        return accounts.administrators_addresses()


def _send(tenant: Tenant, notice: Notice) -> None:
    facts = {
        "tenant": tenant,
        "delete_at": notice.delete_at,
        "days": notice.days,
        "support_contact": settings.TENANTRY_SUPPORT_CONTACT,
    }
    for address in notice.addresses:
        mail = EmailMultiAlternatives(
            subject=" ".join(render_to_string("lifecycle/email/deletion_subject.txt", facts).split()),
            body=render_to_string("lifecycle/email/deletion_body.txt", facts),
            to=[address],
        )
        mail.attach_alternative(render_to_string("lifecycle/email/deletion_body.html", facts), "text/html")
        mail.send()


@transaction.atomic
def _note(tenant: Tenant, notice: Notice, actor: Actor, now: datetime) -> None:
    tenants.note_notice(tenant=tenant, days=notice.days, now=time_of(tenant, now=now))
    after = {"days_left": notice.days, "told": len(notice.addresses)}
    audit.record(actor=actor, action="tenant.deletion_announced", subject=tenant.subject, now=now, after=after)
    if notice.addresses:
        audit.set_alerts(subject=tenant.subject, codes=CODES, causes=[], now=now)
    else:
        message = "Its data is going to be deleted, and nobody there has an e-mail address. Tell them another way."
        _tell_operator(tenant, NOBODY_TOLD, message, now)
    reconcile(tenant=tenant, actor=actor, now=now)


def _tell_operator(tenant: Tenant, code: str, message: str, now: datetime) -> None:
    audit.set_alerts(subject=tenant.subject, codes=CODES, causes=[Cause(code, message)], now=now)
