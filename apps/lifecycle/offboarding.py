"""The end of a tenant: told before, exported, deleted; and its return."""

from copy import copy
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from uuid import UUID

import structlog
from django.conf import settings
from django.db import connection, transaction

from apps.audit import services as audit
from apps.audit.services import Cause
from apps.core.actors import Actor
from apps.core.clock import Clock
from apps.core.jobs import enqueue, is_waiting
from apps.core.locks import advisory_lock
from apps.lifecycle.difference import Difference, difference
from apps.lifecycle.engine import ENDED
from apps.lifecycle.errors import BeingDeleted, StillSubscribed
from apps.lifecycle.provisioning import STEPS
from apps.lifecycle.reconciling import reconcile
from apps.lifecycle.retention import Retention
from apps.lifecycle.services import bind_and_reconcile
from apps.plans import services as plans
from apps.plans.models import Subscription as Binding
from apps.tenants import archive, burial
from apps.tenants import services as tenants
from apps.tenants.models import Provisioning, Tenant, Tombstone

log = structlog.get_logger(__name__)

DELETION_FAILED = "deletion_failed"


@dataclass(frozen=True)
class Deletion:
    """What a deletion left behind."""

    tombstone: Tombstone
    export: Path
    rows: int


def export_path(*, tenant_id: str, now: datetime) -> Path:
    """Where an export goes when nobody says where."""
    return Path(settings.TENANTRY_EXPORT_DIR) / f"{tenant_id}-{now:%Y%m%dT%H%M%SZ}.zip"


def living_subscriptions(tenant: Tenant) -> list[str]:
    """The tenant's subscriptions that have not ended in Stripe, as far as it is known here."""
    return sorted(Binding.objects.filter(tenant=tenant).exclude(status__in=ENDED).values_list("stripe_id", flat=True))


def export_tenant(*, tenant: Tenant, path: Path, actor: Actor, clock: Clock) -> archive.Written:
    """Write everything of a tenant into a new file, while it goes on as it is.

    Raises:
        ArchiveExists, ArchiveUnusable: see `archive.write`.
    """
    with transaction.atomic():
        written = archive.write(tenant=_unchanging(tenant), path=path, now=clock())
        after = {"export": str(path), "sha256": written.sha256, "rows": written.rows}
        audit.record(actor=actor, action="tenant.exported", subject=tenant.subject, now=clock(), after=after)
    return written


def _unchanging(tenant: Tenant) -> Tenant:
    """The tenant as it is now, every further read in this transaction being of this one moment."""
    with connection.cursor() as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
    return Tenant.objects.get(pk=tenant.pk)


def delete_tenant(
    *,
    tenant: Tenant,
    reason: str,
    actor: Actor,
    clock: Clock,
    export_to: Path | None = None,
    even_if_subscribed: bool = False,
) -> Deletion:
    """Export a tenant's schema into a file, empty it, and leave a tombstone; what is booked about it stays.

    Its host is closed first. Killed at any point, either all of it is there or the
    export and the tombstone are; a second call goes on.

    Raises:
        StillSubscribed: when a subscription of it lives in Stripe, unless `even_if_subscribed`.
        TenantBusy: when somebody inside it does not come to an end.
        ArchiveExists, ArchiveUnusable: when it cannot be exported. Then nothing is deleted.
    """
    export_to = export_to or export_path(tenant_id=tenant.tenant_id, now=clock())
    if not even_if_subscribed:
        _refuse_subscribed(tenant)
    # Provisioning and deleting the same tenant at once would each undo the other.
    with advisory_lock(f"provision:{tenant.pk}"):
        current = Tenant.objects.get(pk=tenant.pk)
        before = _status_before(current)
        burial.close_for_deletion(tenant=current)
        try:
            deletion = _export_and_bury(current, export_to, reason, actor, clock, even_if_subscribed=even_if_subscribed)
        except BaseException:
            burial.open_again(tenant=current, status=before)
            raise
    log.info("tenant deleted", tenant=tenant.tenant_id, export=str(deletion.export), rows=deletion.rows)
    return deletion


def _refuse_subscribed(tenant: Tenant) -> None:
    living = living_subscriptions(tenant)
    if living:
        raise StillSubscribed(
            f"Tenant {tenant.tenant_id!r} still has a living subscription in Stripe: {', '.join(living)}. "
            "Cancel it there first, or its customer goes on paying for nothing."
        )


def _status_before(tenant: Tenant) -> str:
    """Its provisioning status; of a deletion that was killed, the one it must have had."""
    if tenant.provisioning != Provisioning.DELETING:
        return tenant.provisioning
    return Provisioning.READY if tenant.provisioning_steps.keys() >= STEPS.keys() else Provisioning.PENDING


@transaction.atomic
def _export_and_bury(
    tenant: Tenant, path: Path, reason: str, actor: Actor, clock: Clock, *, even_if_subscribed: bool
) -> Deletion:
    burial.take_everybody_out(tenant=tenant)
    written = archive.write(tenant=tenant, path=path, now=clock())
    tenants.lock_id(tenant.tenant_id)
    if not even_if_subscribed:
        # One may have come alive while the file was written.
        _refuse_subscribed(tenant)
    customers = set(Binding.objects.filter(tenant=tenant).values_list("customer_id", flat=True))
    plans.release_subscriptions(tenant=tenant, now=clock())
    buried = burial.bury(tenant=tenant, export=written, reason=reason, actor=actor, now=clock())
    for customer_id in sorted(customers):
        enqueue("lifecycle.rebind_customer", lock=f"customer:{customer_id}", customer_id=customer_id)
    return Deletion(buried.tombstone, written.path, buried.rows)


def deletion_is_requested(tenant: Tenant) -> bool:
    """Whether a job is about to delete the tenant."""
    return is_waiting("lifecycle.delete_tenant", lock=f"tenant:{tenant.pk}")


def if_kept_no_more(*, tenant: Tenant, now: datetime) -> Retention:
    """What time would bring to a tenant if it were not kept. Changes nothing."""
    unkept = copy(tenant)
    unkept.kept_because = ""
    return difference(unkept, now=now).retention


@transaction.atomic
def request_deletion(*, tenant: Tenant, reason: str, actor: Actor, now: datetime) -> None:
    """Have a job delete a tenant.

    Raises:
        StillSubscribed: when a subscription of it lives in Stripe.
    """
    _refuse_subscribed(tenant)
    audit.record(actor=actor, action="tenant.deletion_requested", subject=tenant.subject, now=now, reason=reason)
    enqueue(
        "lifecycle.delete_tenant",
        lock=f"tenant:{tenant.pk}",
        tenant_key=str(tenant.pk),
        reason=reason,
        kind=actor.kind,
        label=actor.label,
    )


def carry_out_deletion(*, tenant: Tenant, reason: str, actor: Actor, clock: Clock) -> None:
    """As `delete_tenant`, in a job: an alert tells when it could not be done."""
    try:
        delete_tenant(tenant=tenant, reason=reason, actor=actor, clock=clock)
    except Exception as error:
        message = f"The tenant could not be deleted and is as it was: {error}"
        cause = Cause(DELETION_FAILED, message)
        audit.set_alerts(subject=tenant.subject, codes=[DELETION_FAILED], causes=[cause], now=clock())
        raise


def end_retention(*, tenant_key: UUID, actor: Actor, clock: Clock) -> None:
    """Delete a tenant whose time is up, looking once more whether it is."""
    found = _close_if_due(tenant_key, clock())
    # A difference without a change is false.
    if found is not None and found.verdict.ended_at:
        days = settings.TENANTRY_RETENTION_DAYS
        reason = f"Its last subscription ended on {found.verdict.ended_at:%-d %B %Y}; data is kept for {days} days."
        carry_out_deletion(tenant=found.tenant, reason=reason, actor=actor, clock=clock)


@transaction.atomic
def _close_if_due(tenant_key: UUID, now: datetime) -> Difference | None:
    """Decide with the tenant's row locked, so that who keeps it either comes before, or is told."""
    tenant = Tenant.objects.select_for_update(no_key=True).filter(pk=tenant_key).first()
    found = difference(tenant, now=now) if tenant else None
    if found is None or not found.retention.deletion_due:
        return None
    burial.close_for_deletion(tenant=found.tenant)
    return found


@transaction.atomic
def restore_tenant(*, opened: archive.Archive, actor: Actor, now: datetime) -> Tenant:
    """Bring a deleted tenant back from its export, under the same id; Stripe decides its state.

    Raises:
        See `burial.unearth`.
    """
    tenant = burial.unearth(archive=opened, actor=actor, now=now)
    if tenant.provisioning_steps.keys() >= STEPS.keys():
        tenants.set_provisioning(tenant=tenant, status=Provisioning.READY)
    if not (tenant.kept_because or settings.TENANTRY_RETENTION_NOTICES):
        # Without any notice, the time that deleted it would do so again at once.
        tenants.keep(tenant=tenant, reason="It was restored.")
    if tenant.stripe_customer_id:
        customer_id = tenant.stripe_customer_id
        bind_and_reconcile(customer_id=customer_id, passwords={}, actor=actor, now=now)
        # The mirror may be old, or not have come along to another installation.
        enqueue("lifecycle.resync_customer", lock=f"customer:{customer_id}", customer_id=customer_id)
    return reconcile(tenant=tenant, actor=actor, now=now).tenant


@transaction.atomic
def keep_tenant(*, tenant: Tenant, reason: str, actor: Actor, now: datetime, no_more: bool = False) -> Tenant:
    """Keep a tenant's data however long ago its subscriptions ended; `no_more` lets time decide again.

    Raises:
        BeingDeleted: when it is too late.
    """
    locked = Tenant.objects.select_for_update(no_key=True).get(pk=tenant.pk)
    if locked.provisioning == Provisioning.DELETING:
        raise BeingDeleted(
            f"Tenant {tenant.tenant_id!r} is being deleted at this moment. "
            "Restore it from its export with `manage.py tenant_restore`."
        )
    before = locked.kept_because
    tenants.keep(tenant=locked, reason="" if no_more else reason)
    audit.record(
        actor=actor,
        action="tenant.kept_no_more" if no_more else "tenant.kept",
        subject=tenant.subject,
        now=now,
        before={"kept_because": before},
        after={"kept_because": locked.kept_because},
        reason=reason,
    )
    return reconcile(tenant=locked, actor=actor, now=now).tenant
