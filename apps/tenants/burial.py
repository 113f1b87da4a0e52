"""Writes about the end of a tenant, and about its return.

A schema is emptied at once and dropped later: a request that was already inside when
the tenant was closed would otherwise look through the missing tables into the public
ones of the same names.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import transaction

from apps.audit import services as audit
from apps.core.actors import Actor
from apps.core.locks import lock_until_commit
from apps.tenants import contents, ids, links, schema, services
from apps.tenants.archive import Archive, Manifest, Written
from apps.tenants.errors import ArchiveUnusable, HostTaken, NotRestorable, TenantIdTaken
from apps.tenants.models import Domain, Hold, Provisioning, Tenant, Tombstone

# Longer than any request or job may be inside a tenant.
BEFORE_DROPPING = timedelta(minutes=10)


def close_for_deletion(*, tenant: Tenant) -> None:
    """Let nobody in any more; the tenant's host answers as that of a tenant that is gone."""
    services.set_provisioning(tenant=tenant, status=Provisioning.DELETING)


@transaction.atomic
def open_again(*, tenant: Tenant, status: str) -> None:
    """Give a deletion up: nothing has been deleted."""
    still = Tenant.objects.select_for_update(no_key=True).filter(pk=tenant.pk, provisioning=Provisioning.DELETING)
    for locked in still:
        services.set_provisioning(tenant=locked, status=Provisioning(status))


def take_everybody_out(*, tenant: Tenant) -> None:
    """Keep everybody out of the tenant's schema until the caller's transaction ends.

    Raises:
        TenantBusy: when somebody inside does not come to an end.
    """
    # As a migration does: the two would see each other's tables half made.
    lock_until_commit(f"schema:{tenant.schema_name}")
    contents.lock(tenant.schema_name)


@dataclass(frozen=True)
class Burial:
    """What is told of a deletion."""

    tombstone: Tombstone
    rows: int


@transaction.atomic
def bury(*, tenant: Tenant, export: Written, reason: str, actor: Actor, now: datetime) -> Burial:
    """Empty the schema of an exported tenant, remove its row, and leave a tombstone."""
    services.lock_id(tenant.tenant_id)
    hosts = list(Domain.objects.filter(tenant=tenant).values_list("domain", flat=True))
    tombstone = Tombstone.objects.create(
        tenant_id=tenant.tenant_id,
        tenant_uuid=tenant.pk,
        schema_name=tenant.schema_name,
        name=tenant.name,
        stripe_customer_id=tenant.stripe_customer_id,
        hosts=hosts or [links.default_host(tenant.tenant_id)],
        buried_at=now,
        buried_by=actor.label[:200],
        reason=reason,
        export_path=str(export.path),
        export_sha256=export.sha256,
    )
    contents.empty(tenant.schema_name)
    audit.record(
        actor=actor,
        action="tenant.deleted",
        subject=tenant.subject,
        now=now,
        before=_shown(tenant, hosts),
        after={"export": str(export.path), "sha256": export.sha256, "rows": export.rows},
        reason=reason,
    )
    audit.clear_alerts(subject=tenant.subject, now=now)
    # Not `tenant.delete()`, which django-tenants has taken for dropping schemas.
    Tenant.objects.filter(pk=tenant.pk).delete()
    return Burial(tombstone, export.rows)


def _shown(tenant: Tenant, hosts: list[str]) -> dict[str, Any]:
    return {
        "state": tenant.state,
        "customer": tenant.stripe_customer_id,
        "schema": tenant.schema_name,
        "hosts": ", ".join(hosts),
    }


@transaction.atomic
def drop_emptied_schema(*, tombstone: Tombstone, now: datetime) -> None:
    """Drop the schema of a tenant that was buried some time ago."""
    contents.drop(tombstone.schema_name)
    Tombstone.objects.filter(pk=tombstone.pk).update(schema_dropped_at=now)


@transaction.atomic
def unearth(*, archive: Archive, actor: Actor, now: datetime) -> Tenant:
    """Bring a tenant back from its export: its row under the same keys, and its tables in a new schema.

    Its state is not among what comes back: `lifecycle.reconcile` derives it. Its
    provisioning is pending, with the steps that were done.

    Raises:
        InvalidTenantId, ReservedTenantId: see `ids.validate`.
        TenantIdTaken: when a tenant of that id is there.
        NotRestorable: when the id belonged to another tenant since, or was given up by another.
        HostTaken: when another tenant answers on one of its hosts.
        ArchiveUnusable, UnknownMigration: when the export cannot be read back.
    """
    manifest = archive.manifest
    _refuse_unrestorable(manifest)
    tenant = _row_from(manifest, now)
    tenant.save(force_insert=True)
    if manifest.migrations:
        _refill(tenant, archive)
        _give_back_hosts(tenant, manifest)
    _hold_as_before(tenant, manifest)
    Tombstone.objects.standing().filter(tenant_uuid=tenant.pk).update(restored_at=now)
    audit.record(
        actor=actor,
        action="tenant.restored",
        subject=tenant.subject,
        now=now,
        after={"schema": tenant.schema_name, "rows": manifest.rows, "exported_at": manifest.exported_at.isoformat()},
    )
    return tenant


def _refuse_unrestorable(manifest: Manifest) -> None:
    tenant_id = manifest.tenant.tenant_id
    ids.validate(tenant_id)
    services.lock_id(tenant_id)
    if Tenant.objects.filter(tenant_id=tenant_id).exists() or Tenant.objects.filter(pk=manifest.tenant.id).exists():
        raise TenantIdTaken(f"The tenant {tenant_id!r} is there; only one that was deleted is restored.")
    if Tombstone.objects.standing().filter(tenant_id=tenant_id).exclude(tenant_uuid=manifest.tenant.id).exists():
        raise NotRestorable(f"The id {tenant_id!r} belonged to another tenant, which was deleted later than this one.")


def _row_from(manifest: Manifest, now: datetime) -> Tenant:
    row = manifest.tenant
    return Tenant(
        **row.model_dump(exclude={"entitlements_version"}),
        # Whatever was remembered of the former one under its last version is out of date.
        entitlements_version=row.entitlements_version + 1,
        schema_name=ids.new_schema_name(row.tenant_id),
        next_reconcile_at=now,
    )


def _refill(tenant: Tenant, archive: Archive) -> None:
    """Make the tables of the export's time, fill them, then bring them to the present version."""
    manifest = archive.manifest
    schema.create_as_of(tenant, applied=manifest.migrations)
    contents.empty(tenant.schema_name, but=contents.NOT_CARRIED)
    there = contents.columns_of(tenant.schema_name)
    for table, told in manifest.tables.items():
        missing = set(told.columns) - set(there.get(table, ()))
        if missing:
            raise ArchiveUnusable(
                f"The export has columns that table {table!r} does not have: {', '.join(sorted(missing))}."
            )
        contents.copy_in(
            schema_name=tenant.schema_name, table=table, columns=told.columns, chunks=archive.rows_of(table)
        )
    contents.settle(tenant.schema_name)
    schema.migrate(tenant)


def _give_back_hosts(tenant: Tenant, manifest: Manifest) -> None:
    for host in manifest.hosts:
        taken = Domain.objects.filter(domain=host.domain).exists() or host.domain in settings.TENANTRY_PUBLIC_HOSTS
        if taken:
            raise HostTaken(f"Somebody else answers on {host.domain} by now, which was a host of this tenant.")
        Domain.objects.create(tenant=tenant, domain=host.domain, is_primary=host.is_primary)


def _hold_as_before(tenant: Tenant, manifest: Manifest) -> None:
    if manifest.hold:
        Hold.objects.create(tenant=tenant, **manifest.hold.model_dump())
