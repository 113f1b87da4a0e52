"""Which schema the database connection looks into.

Django's types do not know what django-tenants adds to a connection; this is the
one place that does.
"""

from typing import Any, cast

from django.db import connection

_connection = cast("Any", connection)


def look_into_public() -> None:
    """Look into the public schema alone from now on."""
    _connection.set_schema_to_public()


def current_name() -> str:
    """The name of the schema that is looked into first."""
    return str(_connection.schema_name)


def current_tenant_key() -> str | None:
    """The UUID of the tenant that has been entered; None outside of any."""
    key = getattr(_connection.tenant, "pk", None)
    return str(key) if key else None
