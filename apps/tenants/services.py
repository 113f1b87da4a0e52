"""Writes about tenants: making one, describing it, holding it, burying it."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import transaction

from apps.accounts.services import NewUser, refuse_unusable
from apps.audit import services as audit
from apps.core.actors import Actor
from apps.core.locks import lock_until_commit
from apps.core.text import shorten
from apps.tenants import ids, links, selectors
from apps.tenants.errors import HoldIsOver, HostTaken, NoHold, TenantBuried, TenantIdTaken
from apps.tenants.models import Domain, Hold, Provisioning, State, Tenant, Tombstone


@dataclass(frozen=True)
class Claim:
    """The Stripe subscription in whose name a tenant exists."""

    subscription_id: str
    customer_id: str
    created: datetime


@transaction.atomic
def create_tenant(
    *,
    tenant_id: str,
    name: str,
    description: str,
    administrator: NewUser,
    claim: Claim | None,
    actor: Actor,
    now: datetime,
) -> Tenant:
    """Make the row of a new tenant; its schema comes with provisioning.

    Raises:
        InvalidTenantId, ReservedTenantId: see `ids.validate`.
        TenantBuried: the id belonged to a tenant that is gone.
        TenantIdTaken: another tenant has the id.
        HostTaken: its host is another tenant's or the operator's.
        UnusableUser: see `accounts.services.refuse_unusable`.
    """
    ids.validate(tenant_id)
    refuse_unusable(administrator)
    lock_id(tenant_id)
    refuse_buried(tenant_id)
    _refuse_taken_host(tenant_id)
    if Tenant.objects.filter(tenant_id=tenant_id).exists():
        raise TenantIdTaken(f"The tenant id {tenant_id!r} is in use; choose another one.")
    tenant = Tenant(
        tenant_id=tenant_id,
        schema_name=ids.new_schema_name(tenant_id),
        created_at=now,
        next_reconcile_at=now,
        first_administrator=_as_stored(administrator),
        described_by_operator=claim is None,
        **_claim_fields(claim),
    )
    tenant.save(force_insert=True)
    audit.record(actor=actor, action="tenant.created", subject=tenant.subject, now=now, after=_claim_shown(claim))
    describe(tenant=tenant, name=name, description=description, actor=actor, now=now)
    return tenant


def lock_id(tenant_id: str) -> None:
    """Let one transaction at a time decide who has this tenant id."""
    lock_until_commit(f"tenant-id:{tenant_id}")


def refuse_buried(tenant_id: str) -> None:
    """Refuse the id of a tenant that is gone.

    Raises:
        TenantBuried: when there is a tombstone.
    """
    if Tombstone.objects.standing().filter(tenant_id=tenant_id).exists():
        raise TenantBuried(f"The tenant id {tenant_id!r} belonged to a tenant that was deleted; choose another one.")


def _refuse_taken_host(tenant_id: str) -> None:
    host = links.default_host(tenant_id)
    if host in settings.TENANTRY_PUBLIC_HOSTS:
        raise HostTaken(f"The tenant id {tenant_id!r} would put the tenant on the operator's host {host}.")
    if Domain.objects.filter(domain=host).exclude(tenant__tenant_id=tenant_id).exists():
        raise HostTaken(f"Another tenant answers on {host} already; choose another tenant id than {tenant_id!r}.")


def _as_stored(user: NewUser) -> dict[str, str]:
    return {
        "username": user.username,
        "email": user.email,
        "full_name": user.full_name,
        "password_hash": user.password_hash,
    }


def _claim_fields(claim: Claim | None) -> dict[str, Any]:
    if claim is None:
        return {}
    return {
        "stripe_customer_id": claim.customer_id,
        "claimed_at": claim.created,
        "claimed_by": claim.subscription_id,
    }


def _claim_shown(claim: Claim | None) -> dict[str, str]:
    return {"customer": claim.customer_id, "subscription": claim.subscription_id} if claim else {}


def first_administrator(tenant: Tenant) -> NewUser:
    """The administrator that provisioning makes."""
    return NewUser(**tenant.first_administrator)


def forget_password(*, tenant: Tenant) -> None:
    """Drop the hash of the first administrator's password: the user has it now."""
    tenant.first_administrator = {**tenant.first_administrator, "password_hash": ""}
    tenant.save(update_fields=["first_administrator"])


@transaction.atomic
def transfer_claim(*, tenant: Tenant, claim: Claim, administrator: NewUser | None, actor: Actor, now: datetime) -> None:
    """Give a tenant to a claim: one that came before the one it was made for, or the first of all.

    `administrator` None: whoever was to be its first administrator stays it.

    Raises:
        UnusableUser: see `accounts.services.refuse_unusable`.
    """
    if administrator:
        refuse_unusable(administrator)
    before = {"customer": tenant.stripe_customer_id, "subscription": tenant.claimed_by}
    for name, value in _claim_fields(claim).items():
        setattr(tenant, name, value)
    if administrator:
        tenant.first_administrator = _as_stored(administrator)
    tenant.save()
    audit.record(
        actor=actor, action="tenant.claimed", subject=tenant.subject, now=now, before=before, after=_claim_shown(claim)
    )


def describe(*, tenant: Tenant, name: str, description: str, actor: Actor, now: datetime) -> bool:
    """Set name and description, shortened at a word where they are too long; tells whether that changed anything."""
    wanted = described_as(name=name, description=description)
    before = {"name": tenant.name, "description": tenant.description}
    if before == wanted:
        return False
    tenant.name, tenant.description = wanted["name"], wanted["description"]
    tenant.save(update_fields=["name", "description"])
    cut = [field for field, text in {"name": name, "description": description}.items() if text != wanted[field]]
    audit.record(
        actor=actor,
        action="tenant.described",
        subject=tenant.subject,
        now=now,
        before=before,
        after=wanted,
        reason=f"Too long, so shortened at a word: {', '.join(cut)}." if cut else "",
    )
    return True


def described_as(*, name: str, description: str) -> dict[str, str]:
    """The name and description that a tenant gets from these texts."""
    return {
        "name": shorten(name, limit=Tenant.NAME_MAX_LENGTH),
        "description": shorten(description, limit=Tenant.DESCRIPTION_MAX_LENGTH),
    }


@transaction.atomic
def describe_by_operator(*, tenant: Tenant, name: str, description: str, actor: Actor, now: datetime) -> None:
    """Set name and description by hand; from then on they no longer follow Stripe."""
    if describe(tenant=tenant, name=name, description=description, actor=actor, now=now):
        tenant.described_by_operator = True
        tenant.save(update_fields=["described_by_operator"])


@transaction.atomic
def hold(*, tenant: Tenant, state: str, reason: str, until: datetime | None, actor: Actor, now: datetime) -> Hold:
    """Decide a tenant's state by hand, over Stripe, until it is lifted or its time is up.

    A hold that is already there is replaced. The state itself is moved by
    `lifecycle.reconcile`, which the caller runs next. A reason that is too long for
    the tenant's page is shortened there; the audit has all of it.

    Raises:
        HoldIsOver: when `until` is not in the future.
    """
    if until is not None and until <= now:
        raise HoldIsOver(f"The hold would end at {until.isoformat()}, which is past. Choose a later time.")
    _lift(tenant=tenant, now=now)
    shown = shorten(reason, limit=Tenant.STATE_DESCRIPTION_MAX_LENGTH)
    made = Hold.objects.create(
        tenant=tenant, state=state, reason=shown, until=until, author=actor.label[:200], created_at=now
    )
    mark_due(tenant=tenant, now=now)
    audit.record(
        actor=actor,
        action="tenant.held",
        subject=tenant.subject,
        now=now,
        after={"state": state, "until": until.isoformat() if until else None},
        reason=reason,
    )
    return made


@transaction.atomic
def unhold(*, tenant: Tenant, reason: str, actor: Actor, now: datetime) -> None:
    """Lift the hold; Stripe decides again.

    Raises:
        NoHold: when there is none, or none any more because its time is up.
    """
    if not selectors.open_hold(tenant=tenant, now=now) or not _lift(tenant=tenant, now=now):
        raise NoHold(f"Tenant {tenant.tenant_id!r} is not on hold.")
    mark_due(tenant=tenant, now=now)
    audit.record(actor=actor, action="tenant.unheld", subject=tenant.subject, now=now, reason=reason)


def _lift(*, tenant: Tenant, now: datetime) -> int:
    Tenant.objects.select_for_update(no_key=True).get(pk=tenant.pk)
    return Hold.objects.open().filter(tenant=tenant).update(lifted_at=now)


def mark_due(*, tenant: Tenant, now: datetime) -> None:
    """Have the tenant reconciled by the next minute's job, whatever becomes of this process."""
    Tenant.objects.filter(pk=tenant.pk).update(next_reconcile_at=now)


def put_off(*, tenant: Tenant, now: datetime) -> None:
    """Give the job that was enqueued for a due tenant five minutes before the next one is."""
    Tenant.objects.filter(pk=tenant.pk).update(next_reconcile_at=now + timedelta(minutes=5))


def add_domain(*, tenant: Tenant, host: str) -> None:
    """Let the tenant answer on a host; done already is done.

    Raises:
        HostTaken: when another tenant answers on it.
    """
    domain, _ = Domain.objects.get_or_create(domain=host, defaults={"tenant": tenant, "is_primary": True})
    if domain.tenant_id != tenant.pk:
        raise HostTaken(f"Another tenant answers on {host} already.")


def finish_step(*, tenant: Tenant, step: str, now: datetime) -> None:
    """Record that a step of the provisioning is done."""
    tenant.provisioning_steps = {**tenant.provisioning_steps, step: now.isoformat()}
    tenant.save(update_fields=["provisioning_steps"])


def set_provisioning(*, tenant: Tenant, status: Provisioning, error: str = "") -> None:
    """Move the provisioning status, which is apart from the tenant's state."""
    tenant.provisioning = status
    tenant.provisioning_error = error
    tenant.save(update_fields=["provisioning", "provisioning_error"])


def move_state(*, tenant: Tenant, state: str, description: str, actor: Actor, now: datetime) -> None:
    """Write the derived state with its description, and the audit of it."""
    before = {"state": tenant.state, "description": tenant.state_description}
    tenant.set_state(State(state), description)
    tenant.save(update_fields=["state", "state_description"])
    after = {"state": tenant.state, "description": tenant.state_description}
    audit.record(
        actor=actor, action="tenant.state_changed", subject=tenant.subject, now=now, before=before, after=after
    )


def plan_deletion(*, tenant: Tenant, delete_at: datetime | None, actor: Actor, now: datetime) -> None:
    """Write when the tenant's data is to be deleted (None: not at all), and the audit of it."""
    before = tenant.delete_at
    tenant.delete_at = delete_at
    tenant.save(update_fields=["delete_at"])
    audit.record(
        actor=actor,
        action="tenant.deletion_planned",
        subject=tenant.subject,
        now=now,
        before={"delete_at": before.isoformat() if before else None},
        after={"delete_at": delete_at.isoformat() if delete_at else None},
    )


def note_notice(*, tenant: Tenant, days: int, now: datetime) -> None:
    """Record that the tenant was told of its deletion so many days before it."""
    tenant.notices = {**tenant.notices, str(days): now.isoformat()}
    tenant.save(update_fields=["notices"])


def forget_notices(*, tenant: Tenant) -> None:
    """Forget what a tenant was told of its deletion: it is not to be."""
    tenant.notices = {}
    tenant.save(update_fields=["notices"])


def keep(*, tenant: Tenant, reason: str) -> None:
    """Keep the tenant's data for this reason; an empty one lets time decide."""
    tenant.kept_because = shorten(reason, limit=Tenant.KEPT_BECAUSE_MAX_LENGTH)
    tenant.save(update_fields=["kept_because"])
