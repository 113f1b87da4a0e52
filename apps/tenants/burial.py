"""Writes about the end of a tenant, and about its return.

A schema is emptied at once and dropped later: a request that was already inside when
the tenant was closed would otherwise look through the missing tables into the public
ones of the same names.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import structlog
from django.conf import settings
from django.db import transaction

from apps.audit import services as audit
from apps.core.actors import Actor
from apps.core.locks import lock_until_commit
from apps.tenants import contents, ids, links, schema, selectors, services
from apps.tenants.archive import Archive, Manifest, Written
from apps.tenants.errors import ArchiveUnusable, HostTaken, NotRestorable, TenantBusy, TenantIdTaken
from apps.tenants.models import Domain, Hold, Provisioning, Tenant, Tombstone

log = structlog.get_logger(__name__)

# Longer than any request or job may be inside a tenant.
BEFORE_DROPPING = timedelta(minutes=10)


def close_for_deletion(*, tenant: Tenant) -> None:
    """Let nobody in any more; the tenant's host answers as that of a tenant that is gone."""
    services.set_provisioning(tenant=tenant, status=Provisioning.DELETING)


@transaction.atomic
def open_again(*, tenant: Tenant, status: str, now: datetime) -> None:
    """Give a deletion up: nothing has been deleted. What time brings is looked at again."""
    still = Tenant.objects.select_for_update(no_key=True).filter(pk=tenant.pk, provisioning=Provisioning.DELETING)
    for locked in still:
        services.set_provisioning(tenant=locked, status=Provisioning(status))
        services.mark_due(tenant=locked, now=now)


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


def drop_emptied_schemas(*, now: datetime) -> None:
    """Drop the schemas of tenants that were buried some time ago; one that is in use is tried again later."""
    for tombstone in selectors.schemas_to_drop(now - BEFORE_DROPPING):
        try:
            _drop_schema_of(tombstone, now)
        except TenantBusy as error:
            log.warning("emptied schema not dropped", schema=tombstone.schema_name, error=str(error))


@transaction.atomic
def _drop_schema_of(tombstone: Tombstone, now: datetime) -> None:
    contents.drop(tombstone.schema_name)
    Tombstone.objects.filter(pk=tombstone.pk).update(schema_dropped_at=now)


@transaction.atomic
def unearth(*, archive: Archive, any_export: bool, actor: Actor, now: datetime) -> Tenant:
    """Bring a tenant back from its export: its row under the same keys, and its tables in a new schema.

    `any_export`: also from another file than the one that was written when it was deleted.
    Its state is not among what comes back: `lifecycle.reconcile` derives it. Its
    provisioning is pending, with the steps that were done.

    Raises:
        InvalidTenantId, ReservedTenantId: see `ids.validate`.
        TenantIdTaken: when a tenant of that id is there.
        NotRestorable: when the id belonged to another tenant since, or this is not the export of the deletion.
        HostTaken: when another tenant answers on one of its hosts.
        ArchiveUnusable, UnknownMigration: when the export cannot be read back.
    """
    manifest = archive.manifest
    _refuse_unrestorable(manifest)
    if not any_export:
        _refuse_another_export(archive)
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
        after={
            "schema": tenant.schema_name,
            "rows": manifest.rows,
            "exported_at": manifest.exported_at.isoformat(),
            "sha256": archive.sha256,
        },
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


def _refuse_another_export(archive: Archive) -> None:
    tombstone = Tombstone.objects.standing().filter(tenant_uuid=archive.manifest.tenant.id).first()
    if tombstone and tombstone.export_sha256 and tombstone.export_sha256 != archive.sha256:
        raise NotRestorable(
            f"This is not the export that was written when {tombstone.tenant_id!r} was deleted: that is "
            f"{tombstone.export_path}. From any other, what came later may be missing; --any-export takes it still."
        )


def _row_from(manifest: Manifest, now: datetime) -> Tenant:
    row = manifest.tenant
    first = row.first_administrator
    return Tenant(
        **row.model_dump(exclude={"entitlements_version", "first_administrator"}),
        first_administrator=first.model_dump() if first else {},
        # Never one that was in use before, whichever export this is: versions do not grow by one a second.
        entitlements_version=max(row.entitlements_version + 1, int(now.timestamp())),
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
        if _is_taken(host.domain, tenant):
            raise HostTaken(f"Somebody else answers on {host.domain} by now, which was a host of this tenant.")
        Domain.objects.create(tenant=tenant, domain=host.domain, is_primary=host.is_primary)


def _is_taken(host: str, tenant: Tenant) -> bool:
    """Whether it is the operator's, another tenant's, or will be once that is provisioned."""
    name, _, rest = host.partition(".")
    anothers = rest == settings.TENANTRY_HOST_SUFFIX and name != tenant.tenant_id
    return (
        host in settings.TENANTRY_PUBLIC_HOSTS
        or Domain.objects.filter(domain=host).exists()
        or (anothers and Tenant.objects.filter(tenant_id=name).exists())
    )


def _hold_as_before(tenant: Tenant, manifest: Manifest) -> None:
    if manifest.hold:
        Hold.objects.create(tenant=tenant, **manifest.hold.model_dump())
