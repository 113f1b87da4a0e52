#!/usr/bin/env python
"""Tenantry's command line."""

import os
import sys

# What runs without a database, so that it starts at once and leaves none running.
WITHOUT_DATABASE = {"sandbox", "help", "--help", "-h", "version", "--version", "collectstatic"}


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.local")
    from django.core.exceptions import ImproperlyConfigured
    from django.core.management import execute_from_command_line

    try:
        start_what_is_embedded(sys.argv[1:2])
        execute_from_command_line(sys.argv)
    except ImproperlyConfigured as error:
        sys.exit(f"tenantry: {error}")


def start_what_is_embedded(command: list[str]) -> None:
    from django.conf import settings

    needs_database = command and command[0] not in WITHOUT_DATABASE
    if settings.TENANTRY_EMBEDDED_POSTGRES and needs_database:
        from config import embedded_postgres

        embedded_postgres.ensure_running(settings.TENANTRY_HOME)


if __name__ == "__main__":
    main()
