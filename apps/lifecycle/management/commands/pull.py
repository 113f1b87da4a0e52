"""`pull`: the account as a pricing.json."""

from typing import Any

from apps.core.commands import TenantryCommand
from apps.lifecycle.publishing import services
from apps.plans.pricing.writing import write


class Command(TenantryCommand):
    help = "Prints the account's plans as a pricing.json, what is usual left out. `--json` prints the same."

    def run(self, **options: Any) -> None:
        self.stdout.write(write(services.pull()))
