"""Checks that the border between the schemas holds."""

from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, register
from django.db import connection

from apps.tenants import schema

BEFORE_SESSIONS = "apps.tenants.middleware.TenantMiddleware"
SESSIONS = "django.contrib.sessions.middleware.SessionMiddleware"


@register(Tags.models)
def tenant_migrations_stay_inside(app_configs: Sequence[Any] | None, **kwargs: Any) -> list[CheckMessage]:
    """No tenant app's migration may depend on an app that tenants' schemas do not have."""
    return [
        Error(
            f"A tenant app's migration depends on a shared app: {dependency}.",
            hint="Refer to public rows by key, not by foreign key.",
            id="tenants.E001",
        )
        for dependency in schema.foreign_dependencies()
    ]


@register(Tags.security)
def tenants_are_found_before_sessions(app_configs: Sequence[Any] | None, **kwargs: Any) -> list[CheckMessage]:
    """A session read before the tenant is known would be read from the public schema."""
    order = settings.MIDDLEWARE
    if {BEFORE_SESSIONS, SESSIONS} <= set(order) and order.index(BEFORE_SESSIONS) < order.index(SESSIONS):
        return []
    return [Error(f"{BEFORE_SESSIONS} must stand before {SESSIONS} in MIDDLEWARE.", id="tenants.E002")]


@register(Tags.database)
def schemas_are_complete(
    app_configs: Sequence[Any] | None, databases: Sequence[str] | None = None, **kwargs: Any
) -> list[CheckMessage]:
    """A table missing in a tenant's schema would silently be the public one of that name."""
    if not databases or "tenants_tenant" not in connection.introspection.table_names():
        return []
    return [
        Error(
            f"The schema of tenant {tenant_id!r} lacks {', '.join(tables)}.",
            hint="All its migrations are recorded as done, so bring the tables back from a backup.",
            id="tenants.E003",
        )
        for tenant_id, tables in schema.missing_tables().items()
    ]


@register(Tags.database)
def isolation_is_read_committed(
    app_configs: Sequence[Any] | None, databases: Sequence[str] | None = None, **kwargs: Any
) -> list[CheckMessage]:
    """The locks rely on a waiter seeing what the holder has committed."""
    if not databases:
        return []
    with connection.cursor() as cursor:
        cursor.execute("SHOW default_transaction_isolation")
        level = cursor.fetchone()[0]
    if level == "read committed":
        return []
    return [Error(f"The database's isolation level is {level!r}, but must be 'read committed'.", id="tenants.E004")]
