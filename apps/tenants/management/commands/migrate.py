"""`migrate`: the public schema by Django's own command, then every tenant's schema."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.core.management.commands.migrate import Command as MigrateCommand

from apps.tenants import schema


class Command(MigrateCommand):
    help = "Migrates the public schema, then the schema of every tenant that is behind."

    def get_check_kwargs(self, options: dict[str, Any]) -> Any:
        """Without the checks of the database: one tenant's broken schema must not keep all the others behind."""
        return BaseCommand.get_check_kwargs(self, options)

    def handle(self, *args: Any, **options: Any) -> None:
        super().handle(*args, **options)
        only_looking = options["plan"] or options["check_unapplied"]
        if not options["app_label"] and not only_looking:
            self._migrate_tenants(verbose=options["verbosity"] > 0)

    def _migrate_tenants(self, *, verbose: bool) -> None:
        failed = {}
        for tenant in schema.outdated():
            try:
                schema.migrate(tenant)
            except Exception as error:  # noqa: BLE001
                # One tenant's trouble must not keep the others behind; their schema is as it was.
                failed[tenant.tenant_id] = f"{type(error).__name__}: {error}".strip()
                continue
            if verbose:
                self.stdout.write(f"Tenant {tenant.tenant_id}: {tenant.schema_version}")
        if failed:
            raise CommandError(
                "These tenants could not be migrated and are as they were:\n"
                + "\n".join(f"  {tenant_id}: {reason}" for tenant_id, reason in failed.items())
            )
