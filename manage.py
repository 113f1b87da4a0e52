#!/usr/bin/env python
"""Tenantry's command line."""

import os
import sys

# What runs without a database, so that it starts at once and leaves none running.
WITHOUT_DATABASE = {"sandbox", "help", "--help", "-h", "version", "--version", "collectstatic"}

# django-tenants' own commands, which go round the border: no step, no tombstone, no audit.
REPLACED = {
    "create_tenant": "tenant_create",
    "clone_tenant": "tenant_create",
    "create_missing_schemas": "tenant_provision",
    "create_tenant_superuser": "tenant_create",
    "migrate_schemas": "migrate",
}
REFUSED = {"delete_tenant", "rename_schema", "create_domain", "delete_domain", *REPLACED}


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.local")
    from django.core.exceptions import ImproperlyConfigured
    from django.core.management import execute_from_command_line

    refuse_what_goes_round_the_border(sys.argv[1:2])
    try:
        start_what_is_embedded(sys.argv[1:2])
        execute_from_command_line(sys.argv)
    except ImproperlyConfigured as error:
        sys.exit(f"tenantry: {error}")


def refuse_what_goes_round_the_border(command: list[str]) -> None:
    if command and command[0] in REFUSED:
        instead = REPLACED.get(command[0])
        sys.exit(f"tenantry: {command[0]} is not available here." + (f" Use {instead}." if instead else ""))


def start_what_is_embedded(command: list[str]) -> None:
    from django.conf import settings

    needs_database = command and command[0] not in WITHOUT_DATABASE
    if settings.TENANTRY_EMBEDDED_POSTGRES and needs_database:
        from config import embedded_postgres

        embedded_postgres.ensure_running(settings.TENANTRY_HOME)


if __name__ == "__main__":
    main()
