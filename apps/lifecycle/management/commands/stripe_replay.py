"""`stripe_replay`: works events off once more."""

from typing import Any

from django.core.management.base import CommandError, CommandParser

from apps.billing import replaying
from apps.billing import selectors as billing
from apps.core import clock
from apps.core.commands import TenantryCommand


class Command(TenantryCommand):
    help = "Has events of the inbox worked off once more by a worker. What they are about is looked at in Stripe again."

    def add_own_arguments(self, parser: CommandParser) -> None:
        which = parser.add_mutually_exclusive_group(required=True)
        which.add_argument("event_id", nargs="?", default="", help="one event, such as evt_1Abc")
        which.add_argument("--customer", default="", metavar="ID", help="every event about a customer")
        which.add_argument("--failed", action="store_true", help="every event whose work has failed so far")

    def run(self, *, event_id: str, customer: str, failed: bool, **options: Any) -> None:
        events = billing.events(event_id=event_id, customer_id=customer, failed=failed)
        if not events.exists() and not failed:
            raise CommandError(f"The inbox has no event {event_id or f'about customer {customer}'}.")
        replayed = replaying.replay(events, actor=self.actor, now=clock.now())
        if self.as_json:
            self.print_json({"events": replayed.events, "work": replayed.works})
        self.say(f"{replayed.events} events; looked at again: {', '.join(replayed.works) or 'nothing'}.")
