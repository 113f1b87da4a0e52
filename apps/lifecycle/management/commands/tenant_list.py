"""`tenant_list`: every tenant."""

from typing import Any

from apps.core import clock
from apps.core.commands import TenantryCommand
from apps.lifecycle.reporting import print_tenants
from apps.lifecycle.selectors import summaries
from apps.tenants.models import Tenant


class Command(TenantryCommand):
    help = "Lists the tenants with state, plan, limits and host."

    def run(self, **options: Any) -> None:
        tenants = summaries(list(Tenant.objects.all()), now=clock.now())
        if self.as_json:
            self.print_json({"tenants": tenants})
        elif tenants:
            print_tenants(tenants)
        else:
            self.say("There are no tenants yet. Subscribe a customer in Stripe, or run `manage.py tenant_create ID`.")
