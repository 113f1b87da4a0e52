"""The only way into a tenant's schema."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection
from django_tenants.utils import tenant_context

from apps.tenants.errors import TenantNotReady
from apps.tenants.models import Provisioning, Tenant


@contextmanager
def enter(tenant: Tenant) -> Iterator[None]:
    """Run the block inside a tenant's schema.

    Raises:
        TenantNotReady: when provisioning is not complete or the schema is missing.
            On a missing schema PostgreSQL would fall through to the public one, and
            an operator's password would open a tenant's door.
    """
    if tenant.provisioning != Provisioning.READY:
        raise TenantNotReady(
            f"Tenant {tenant.tenant_id!r} is not ready: its provisioning is {tenant.provisioning}. "
            f"See `manage.py tenant_provision {tenant.tenant_id} --resume`."
        )
    with enter_unfinished(tenant):
        yield


@contextmanager
def enter_unfinished(tenant: Tenant) -> Iterator[None]:
    """As `enter`, for the provisioning itself: the schema must exist, the rest may be missing."""
    if not schema_exists(tenant.schema_name):
        raise TenantNotReady(f"Tenant {tenant.tenant_id!r} has no schema {tenant.schema_name!r} in this database.")
    with tenant_context(tenant):
        yield


def schema_exists(schema_name: str) -> bool:
    """Whether the database has a schema of exactly this name."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT EXISTS (SELECT 1 FROM pg_namespace WHERE nspname = %s)", [schema_name])
        return bool(cursor.fetchone()[0])
