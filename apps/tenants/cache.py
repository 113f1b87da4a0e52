"""Cache keys that one tenant cannot read of another."""

from apps.core import schemas


def make_key(key: str, key_prefix: str, version: int) -> str:
    """Django's KEY_FUNCTION: the tenant's UUID (or the public schema) stands before the key."""
    scope = schemas.current_tenant_key() or schemas.current_name()
    return f"{scope}:{key_prefix}:{version}:{key}"
