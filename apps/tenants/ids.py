"""The tenant id: The Things Stack's grammar, and the words that are not to be had."""

import re
import secrets

from apps.core.errors import TenantryError

MAX_LENGTH = 36
GRAMMAR = re.compile(r"[a-z0-9](?:-?[a-z0-9]){2,}")

# Hosts, paths and PostgreSQL names that a tenant must not be able to sit on.
RESERVED = frozenset(
    {
        "public",
        "information-schema",
        "pg-catalog",
        "pg-toast",
        "postgres",
        "template0",
        "template1",
        "www",
        "api",
        "app",
        "admin",
        "operator",
        "operators",
        "staff",
        "root",
        "system",
        "support",
        "help",
        "status",
        "static",
        "assets",
        "media",
        "cdn",
        "mail",
        "smtp",
        "imap",
        "pop",
        "ftp",
        "ns1",
        "ns2",
        "dns",
        "localhost",
        "billing",
        "stripe",
        "webhook",
        "webhooks",
        "sandbox",
        "demo-operator",
        "login",
        "logout",
        "signin",
        "signup",
        "accounts",
        "account",
        "auth",
        "sso",
        "oauth",
        "settings",
        "welcome",
        "pricing",
        "docs",
        "blog",
        "internal",
        "tenant",
        "tenants",
        "tenantry",
        "null",
        "none",
        "undefined",
        "default",
        "test-clock",
    }
)


class InvalidTenantId(TenantryError):
    """That is not a valid tenant id."""


class ReservedTenantId(TenantryError):
    """That tenant id is reserved."""


def validate(tenant_id: str) -> None:
    """Accept a usable tenant id.

    Source: The Things Stack, `ids.tenant_id`: `^[a-z0-9](?:[-]?[a-z0-9]){2,}$`, at most 36.

    Raises:
        InvalidTenantId: when it breaks the grammar or is too long.
        ReservedTenantId: when it is one of the words kept back.
    """
    if len(tenant_id) > MAX_LENGTH or not GRAMMAR.fullmatch(tenant_id):
        raise InvalidTenantId(
            f"{tenant_id!r} is not a valid tenant id: use 3 to {MAX_LENGTH} lower-case letters and digits, "
            "with single dashes between them."
        )
    if tenant_id in RESERVED or tenant_id.startswith("pg-"):
        raise ReservedTenantId(f"{tenant_id!r} is a reserved word; choose another tenant id.")


def new_schema_name(tenant_id: str) -> str:
    """A schema name that has never been used and never will be again: `t_<id>_<random>`."""
    return f"t_{tenant_id.replace('-', '_')}_{secrets.token_hex(5)}"
