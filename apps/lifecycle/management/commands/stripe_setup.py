"""`stripe_setup`: makes or verifies the webhook endpoint in the Stripe account."""

from dataclasses import asdict
from typing import Any

from django.core.management.base import CommandError, CommandParser

from apps.billing import endpoints
from apps.billing import services as billing
from apps.billing.endpoints import Setup
from apps.core import clock
from apps.core.commands import TenantryCommand
from apps.tenants import links


class Command(TenantryCommand):
    help = "Makes the webhook endpoint in your Stripe account with just the events that are needed, or verifies it."

    def add_own_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--url", default="", help="where Stripe delivers (default: this installation's own address)"
        )

    def run(self, *, url: str, **options: Any) -> None:
        installation = billing.verify_account(now=clock.now())
        setup = endpoints.set_up(url or links.public_url("/stripe/webhook/"))
        if self.as_json:
            self.print_json({"account": installation.account_id, **asdict(setup)})
        self._tell(setup)
        if setup.problems:
            raise CommandError(" ".join(setup.problems))

    def _tell(self, setup: Setup) -> None:
        self.say(f"{'Made' if setup.created else 'Found'} endpoint {setup.endpoint_id} for {setup.url}.")
        if setup.added_events:
            self.say(f"Added to its events: {', '.join(setup.added_events)}.")
        if setup.secret:
            self.say(f"Its signing secret is told only now. Set:\n  STRIPE_WEBHOOK_SECRET={setup.secret}")
