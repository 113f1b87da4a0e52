"""Reads about tenants."""

from datetime import datetime

from django.db.models import BooleanField, Q
from django.db.models.expressions import RawSQL

from apps.tenants.errors import TenantNotFound
from apps.tenants.models import Domain, Hold, Provisioning, Tenant, Tombstone


def by_id(tenant_id: str) -> Tenant:
    """The tenant of this id.

    Raises:
        TenantNotFound: when there is none; the message says whether there ever was.
    """
    tenant = Tenant.objects.filter(tenant_id=tenant_id).first()
    if tenant:
        return tenant
    tombstone = Tombstone.objects.standing().filter(tenant_id=tenant_id).first()
    if tombstone:
        raise TenantNotFound(
            f"The tenant {tenant_id!r} was deleted; its id is not given out again. "
            f"Bring it back with `manage.py tenant_restore {tombstone.export_path or 'FILE'}`."
        )
    raise TenantNotFound(f"There is no tenant {tenant_id!r}. `manage.py tenant_list` shows those there are.")


def by_host(host: str) -> Tenant | None:
    """The tenant that answers on this host, with `schema_present` telling whether its schema exists."""
    domain = (
        Domain.objects.filter(domain=host.lower())
        .select_related("tenant")
        .annotate(
            schema_present=RawSQL(
                'EXISTS (SELECT 1 FROM pg_namespace WHERE nspname = "tenants_tenant"."schema_name")',
                [],
                output_field=BooleanField(),
            )
        )
        .first()
    )
    if domain is None:
        return None
    tenant: Tenant = domain.tenant
    tenant.schema_present = domain.schema_present
    return tenant


def unprovisioned_by_host(*, host: str, suffix: str) -> Tenant | None:
    """The tenant that will answer on this host once its provisioning has come that far."""
    name, _, rest = host.lower().partition(".")
    unprovisioned = Tenant.objects.exclude(provisioning=Provisioning.READY)
    return unprovisioned.filter(tenant_id=name).first() if rest == suffix else None


def was_buried(host: str) -> bool:
    """Whether a tenant that is gone answered on this host."""
    return Tombstone.objects.standing().filter(hosts__contains=[host.lower()]).exists()


def open_hold(*, tenant: Tenant, now: datetime) -> Hold | None:
    """The operator's hold in force on this tenant, if any."""
    return Hold.objects.open().filter(tenant=tenant).filter(Q(until=None) | Q(until__gt=now)).first()


def due_for_reconcile(now: datetime) -> list[Tenant]:
    """Tenants about which the clock alone may have changed the answer."""
    return list(Tenant.objects.filter(next_reconcile_at__lte=now).order_by("next_reconcile_at"))


def schemas_to_drop(buried_before: datetime) -> list[Tombstone]:
    """The emptied schemas of tenants that were buried before this moment."""
    return list(Tombstone.objects.filter(schema_dropped_at=None, buried_at__lt=buried_before).order_by("buried_at"))
