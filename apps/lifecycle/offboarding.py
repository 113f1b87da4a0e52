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
from apps.billing import inbox
from apps.billing.errors import StripeMissing
from apps.core.actors import Actor
from apps.core.clock import Clock
from apps.core.errors import TenantryError
from apps.core.jobs import absorb_twins, enqueue, is_waiting
from apps.core.locks import advisory_lock, free_advisory_lock
from apps.lifecycle.alerts import DELETION_FAILED, END_OF_TENANT
from apps.lifecycle.difference import difference
from apps.lifecycle.engine import ENDED
from apps.lifecycle.errors import BeingDeleted, Kept, NotDue, ReasonMissing, StillSubscribed
from apps.lifecycle.provisioning import STEPS
from apps.lifecycle.reconciling import reconcile
from apps.lifecycle.retention import Retention
from apps.lifecycle.services import bind_and_reconcile, follow_customer
from apps.plans import services as plans
from apps.plans.models import Subscription as Binding
from apps.tenants import archive, burial, contents
from apps.tenants import services as tenants
from apps.tenants.errors import TenantNotFound
from apps.tenants.models import Provisioning, Tenant, Tombstone

log = structlog.get_logger(__name__)


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
        BeingDeleted: when it is.
        TenantNotFound: when it was deleted meanwhile.
    """
    tables = contents.every_table(tenant.schema_name)
    with transaction.atomic():
        _stand_still(tenant, tables)
        current = _present(tenant)
        _refuse_being_deleted(current)
        written = archive.write(tenant=current, path=path, now=clock())
        after = {"export": str(path), "sha256": written.sha256, "rows": written.rows}
        audit.record(actor=actor, action="tenant.exported", subject=tenant.subject, now=clock(), after=after)
        audit.set_alerts(subject=tenant.subject, codes=[DELETION_FAILED], causes=[], now=clock())
    return written


def _stand_still(tenant: Tenant, tables: list[str]) -> None:
    """Every further read in this transaction is of one moment, and of tables that nobody empties or remakes."""
    with connection.cursor() as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
    contents.keep_as_they_are(tenant.schema_name, tables=tables)


def _present(tenant: Tenant) -> Tenant:
    found = Tenant.objects.filter(pk=tenant.pk).first()
    if found is None:
        raise TenantNotFound(f"Tenant {tenant.tenant_id!r} was deleted meanwhile.")
    return found


def _refuse_being_deleted(tenant: Tenant) -> None:
    if tenant.provisioning == Provisioning.DELETING:
        raise BeingDeleted(
            f"Tenant {tenant.tenant_id!r} is being deleted at this moment. "
            "Restore it from its export with `manage.py tenant_restore`."
        )


def delete_tenant(
    *,
    tenant: Tenant,
    reason: str,
    actor: Actor,
    clock: Clock,
    export_to: Path | None = None,
    even_if_subscribed: bool = False,
    only_if_due: bool = False,
) -> Deletion:
    """Export a tenant's schema into a file, empty it, and leave a tombstone; what is booked about it stays.

    Stripe is asked first whether it is still subscribed. Its host is closed before its
    schema is touched. Killed at any point, either all of it is there, and opened again by
    the minute's job, or the export and the tombstone are. `only_if_due`: if time still
    wants it, by what is known once nobody else can change that.

    Raises:
        ReasonMissing: when the reason is blank.
        NotDue: when `only_if_due`, and it does not.
        StillSubscribed: when a subscription of it lives in Stripe, unless `even_if_subscribed`.
        StripeUnavailable, StripeRefused: when Stripe does not say, unless `even_if_subscribed`.
        Kept: when somebody wants it kept.
        TenantBusy: when somebody inside it does not come to an end.
        TenantNotFound: when it was deleted meanwhile.
        ArchiveExists, ArchiveUnusable: when it cannot be exported. Then nothing is deleted.
    """
    _refuse_no_reason(reason)
    export_to = export_to or export_path(tenant_id=tenant.tenant_id, now=clock())
    if not even_if_subscribed:
        _ask_stripe(tenant, actor, clock)
    # Provisioning and deleting the same tenant at once would each undo the other.
    with advisory_lock(f"provision:{tenant.pk}"):
        current, before = _close(tenant, even_if_subscribed=even_if_subscribed, only_if_due=only_if_due, now=clock())
        try:
            deletion = _export_and_bury(current, export_to, reason, actor, clock, even_if_subscribed=even_if_subscribed)
        except BaseException:
            burial.open_again(tenant=current, status=before, now=clock())
            raise
    log.info("tenant deleted", tenant=tenant.tenant_id, export=str(deletion.export), rows=deletion.rows)
    return deletion


def _refuse_no_reason(reason: str) -> None:
    if not reason.strip():
        raise ReasonMissing


def _ask_stripe(tenant: Tenant, actor: Actor, clock: Clock) -> None:
    """What is mirrored may be older than the outage that hid a new subscription."""
    bound = Binding.objects.filter(tenant=tenant).values_list("customer_id", flat=True)
    for customer_id in sorted({*bound, tenant.stripe_customer_id} - {""}):
        try:
            follow_customer(customer_id=customer_id, actor=actor, clock=clock)
        except StripeMissing as error:
            if error.name != f"customer:{customer_id}":
                raise
            log.info("customer not in Stripe any more", customer_id=customer_id)


@transaction.atomic
def _close(tenant: Tenant, *, even_if_subscribed: bool, only_if_due: bool, now: datetime) -> tuple[Tenant, str]:
    """Close a tenant if it is still to be deleted, with its row locked: who keeps it comes before, or is told.

    Returns it with its provisioning status before.
    """
    locked = Tenant.objects.select_for_update(no_key=True).filter(pk=tenant.pk).first()
    if locked is None:
        raise TenantNotFound(f"Tenant {tenant.tenant_id!r} was deleted meanwhile.")
    before = locked.provisioning = _status_before(locked)
    if only_if_due and not difference(locked, now=now).retention.deletion_due:
        raise NotDue
    _refuse_kept(locked)
    if not even_if_subscribed:
        _refuse_subscribed(locked)
    burial.close_for_deletion(tenant=locked)
    return locked, before


def _refuse_kept(tenant: Tenant) -> None:
    if tenant.kept_because:
        raise Kept(
            f"Tenant {tenant.tenant_id!r} is kept: {tenant.kept_because} "
            f"Release it first with `manage.py tenant_keep {tenant.tenant_id} --release`."
        )


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
    plans.bury_subscriptions(tenant=tenant, now=clock())
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
        Kept: when somebody wants it kept.
    """
    _refuse_kept(tenant)
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


def carry_out_deletion(*, tenant: Tenant, reason: str, actor: Actor, clock: Clock, only_if_due: bool = False) -> None:
    """As `delete_tenant`, in a job: an alert tells when it could not be done."""
    try:
        delete_tenant(tenant=tenant, reason=reason, actor=actor, clock=clock, only_if_due=only_if_due)
    except (TenantNotFound, NotDue):
        # Somebody else has done it meanwhile, or has seen to it that it need not be done.
        return
    except Exception as error:
        cause = Cause(DELETION_FAILED, f"The tenant could not be deleted and is as it was: {error}")
        audit.set_alerts(subject=tenant.subject, codes=[DELETION_FAILED], causes=[cause], now=clock())
        if not isinstance(error, TenantryError):
            raise


def end_retention(*, tenant_key: UUID, actor: Actor, clock: Clock) -> None:
    """Delete a tenant whose time is up, unless something has changed since."""
    tenant = Tenant.objects.filter(pk=tenant_key).first()
    ended_at = difference(tenant, now=clock()).verdict.ended_at if tenant else None
    if tenant and ended_at:
        days = settings.TENANTRY_RETENTION_DAYS
        reason = f"Its last subscription ended on {ended_at:%-d %B %Y}; data is kept for {days} days."
        carry_out_deletion(tenant=tenant, reason=reason, actor=actor, clock=clock, only_if_due=True)


def give_up_dead_deletions(*, now: datetime) -> None:
    """Open the tenants again whose deletion was killed: as long as it lives, it holds the lock."""
    for tenant in Tenant.objects.filter(provisioning=Provisioning.DELETING):
        with free_advisory_lock(f"provision:{tenant.pk}") as is_free:
            if is_free:
                burial.open_again(tenant=tenant, status=_status_before(tenant), now=now)


def restore_tenant(*, opened: archive.Archive, actor: Actor, now: datetime, any_export: bool = False) -> Tenant:
    """Bring a deleted tenant back from its export, under the same id; Stripe decides its state.

    `any_export`: also from another file than the one that was written when it was deleted.

    Raises:
        See `burial.unearth`.
    """
    tenant = _unearth(opened, any_export=any_export, actor=actor, now=now)
    customer_id = tenant.stripe_customer_id
    if customer_id:
        # By what is mirrored, at once; a job asks Stripe.
        with advisory_lock(f"customer:{customer_id}"):
            bind_and_reconcile(customer_id=customer_id, passwords={}, actor=actor, now=now)
    return reconcile(tenant=tenant, actor=actor, now=now).tenant


@transaction.atomic
def _unearth(opened: archive.Archive, *, any_export: bool, actor: Actor, now: datetime) -> Tenant:
    tenant = burial.unearth(archive=opened, any_export=any_export, actor=actor, now=now)
    if tenant.provisioning_steps.keys() >= STEPS.keys():
        tenants.set_provisioning(tenant=tenant, status=Provisioning.READY)
    if settings.TENANTRY_RETENTION_DAYS and not (tenant.kept_because or settings.TENANTRY_RETENTION_NOTICES):
        # Without any notice, the time that deleted it would do so again at once.
        tenants.keep(tenant=tenant, reason="It was restored.")
    plans.restore_subscriptions(tenant=tenant, now=now)
    if tenant.stripe_customer_id:
        customer_id = tenant.stripe_customer_id
        inbox.look_again([f"customer:{customer_id}"], now=now)
    return tenant


@transaction.atomic
def keep_tenant(*, tenant: Tenant, reason: str, actor: Actor, now: datetime, no_more: bool = False) -> Tenant:
    """Keep a tenant's data however long ago its subscriptions ended; `no_more` lets time decide again.

    Raises:
        ReasonMissing: when it is to be kept for a blank reason.
        BeingDeleted: when it is too late.
    """
    if not no_more:
        _refuse_no_reason(reason)
    locked = Tenant.objects.select_for_update(no_key=True).get(pk=tenant.pk)
    _refuse_being_deleted(locked)
    # Who asked for a deletion that no worker has begun is overruled.
    absorb_twins("lifecycle.delete_tenant", lock=f"tenant:{tenant.pk}")
    audit.set_alerts(subject=tenant.subject, codes=END_OF_TENANT, causes=[], now=now)
    before = locked.kept_because
    tenants.keep(tenant=locked, reason="" if no_more else reason)
    if before == locked.kept_because:
        return locked
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
