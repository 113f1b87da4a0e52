"""Cache keys that one tenant cannot read of another."""

from django.db import connection


def make_key(key: str, key_prefix: str, version: int) -> str:
    """Django's KEY_FUNCTION: the tenant's UUID (or the public schema) stands before the key."""
    scope = getattr(connection.tenant, "pk", None) or connection.schema_name
    return f"{scope}:{key_prefix}:{version}:{key}"
