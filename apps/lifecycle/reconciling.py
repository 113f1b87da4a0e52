"""Making a tenant what it should be."""

from datetime import datetime, timedelta

from django.db import transaction

from apps.audit import services as audit
from apps.core.actors import Actor
from apps.core.jobs import enqueue
from apps.lifecycle.alerts import END_OF_TENANT
from apps.lifecycle.difference import Difference, difference
from apps.lifecycle.retention import Retention
from apps.plans import selectors as plans
from apps.plans import services as plan_services
from apps.plans.types import limits_in_words
from apps.tenants import services as tenant_services
from apps.tenants.models import Provisioning, Tenant

# When provisioning is looked at again, should the worker that does it be killed; and once it has failed.
PROVISIONING_PATIENCE = timedelta(minutes=2)
PATIENCE_AFTER_FAILURE = timedelta(minutes=15)
# When a notice or a deletion is tried again that its job did not bring about.
PATIENCE_AT_THE_END = timedelta(hours=1)


@transaction.atomic
def reconcile(*, tenant: Tenant, actor: Actor, now: datetime) -> Difference:
    """Compare a tenant with what it should be, and make it so; returns what was different.

    The one way in which a tenant's state, plans and description change. The tenant's
    row is locked first, so whatever is read is at least as new as what any other
    reconcile of this tenant has read.
    """
    locked = Tenant.objects.select_for_update(no_key=True).get(pk=tenant.pk)
    found = difference(locked, now=now)
    _apply(found, actor=actor, now=now)
    return found


def _apply(found: Difference, *, actor: Actor, now: datetime) -> None:
    tenant = found.tenant
    changed = {change.field for change in found.changes}
    if changed & {"name", "description"}:
        tenant_services.describe(tenant=tenant, **found.described, actor=actor, now=now)
    if changed & {"plans", "billing_cycles"} and found.assigned is not None:
        _hold_plans(found, actor=actor, now=now)
    if changed & {"state", "state_description"}:
        verdict = found.verdict
        tenant_services.move_state(
            tenant=tenant, state=verdict.state, description=verdict.description, actor=actor, now=now
        )
        if tenant.is_open:
            audit.set_alerts(subject=tenant.subject, codes=END_OF_TENANT, causes=[], now=now)
    _plan_deletion(found, actor=actor, now=now)
    _schedule(found, now=now)


def _plan_deletion(found: Difference, *, actor: Actor, now: datetime) -> None:
    tenant, delete_at = found.tenant, found.retention.delete_at
    if tenant.provisioning == Provisioning.DELETING:
        # Whoever deletes it goes on, or opens it again and has it looked at.
        return
    if found.retention == Retention() and (tenant.notices or tenant.delete_at):
        # It lives again, or is kept: what it was told is void, and would be told anew.
        tenant_services.forget_notices(tenant=tenant)
        audit.set_alerts(subject=tenant.subject, codes=END_OF_TENANT, causes=[], now=now)
    if tenant.delete_at != delete_at:
        tenant_services.plan_deletion(tenant=tenant, delete_at=delete_at, actor=actor, now=now)


def _hold_plans(found: Difference, *, actor: Actor, now: datetime) -> None:
    tenant = found.tenant
    before, cycles = _limits_shown(tenant, now), [each for each in found.changes if each.field == "billing_cycles"]
    plan_services.assign_plans(tenant=tenant, assigned=found.assigned or (), now=now)
    audit.record(
        actor=actor,
        action="tenant.plans_changed",
        subject=tenant.subject,
        now=now,
        before={**before, **{each.field: each.before for each in cycles}},
        after={**_limits_shown(tenant, now), **{each.field: each.after for each in cycles}},
    )


def _limits_shown(tenant: Tenant, now: datetime) -> dict[str, str]:
    holding = plans.holdings([tenant], now=now)[tenant.pk]
    held = sorted({plan.ref for plan in holding.plans})
    limits = {each.entity: each.limit for each in holding.limits}
    return {"plans": ", ".join(held) or "none", "limits": limits_in_words(limits) if held else "none"}


def _schedule(found: Difference, *, now: datetime) -> None:
    """Note when the clock alone changes the answer, and start what takes longer."""
    tenant = found.tenant
    moments = [found.verdict.next_at, found.retention.next_at]
    if found.provision:
        _enqueue("lifecycle.provision_tenant", tenant)
        failed = tenant.provisioning == Provisioning.FAILED
        moments.append(now + (PATIENCE_AFTER_FAILURE if failed else PROVISIONING_PATIENCE))
    if found.retention.notice is not None:
        _enqueue("lifecycle.give_notice", tenant)
    if found.retention.deletion_due:
        _enqueue("lifecycle.end_retention", tenant)
    if found.retention.notice is not None or found.retention.deletion_due:
        moments.append(now + PATIENCE_AT_THE_END)
    tenant.next_reconcile_at = min((moment for moment in moments if moment), default=None)
    tenant.save(update_fields=["next_reconcile_at"])


def _enqueue(job: str, tenant: Tenant) -> None:
    enqueue(job, lock=f"tenant:{tenant.pk}", tenant_key=str(tenant.pk))
