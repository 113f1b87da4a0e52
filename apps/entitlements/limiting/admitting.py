"""The one exception from the limits on rows."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection, transaction

from apps.tenants.models import Tenant


@contextmanager
def first_administrator(tenant: Tenant) -> Iterator[None]:
    """Let a tenant have one user within the block, also where its plan grants none; a second one is refused as ever.

    For its provisioning alone: without anybody who can sign in, nobody could buy more.
    """
    # The setting goes with the savepoint when the block fails.
    with transaction.atomic():
        _let_in(str(tenant.pk))
        yield
        _let_in("")


def _let_in(tenant_key: str) -> None:
    with connection.cursor() as cursor:
        # As `entitlements_admits_one` reads it.
        cursor.execute("SELECT set_config('tenantry.first_administrator', %s, true)", [tenant_key])
