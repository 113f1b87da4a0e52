"""`whoami`: whose Stripe account it is."""

from dataclasses import asdict
from typing import Any

from apps.core.commands import TenantryCommand
from apps.lifecycle.publishing.account import whoami
from apps.lifecycle.publishing.reporting import columns


class Command(TenantryCommand):
    help = "Tells whose Stripe account the configured key belongs to."

    def run(self, **options: Any) -> None:
        found = whoami()
        if self.as_json:
            self.print_json(asdict(found))
            return
        rows = [
            ("ID:", found.id),
            ("KeySource:", found.key_source),
            ("Isolated:", str(found.isolated).lower()),
            ("Email:", found.email),
            ("Created:", found.created.isoformat() if found.created else ""),
            ("URL:", found.url),
        ]
        self.stdout.write(columns(rows))
