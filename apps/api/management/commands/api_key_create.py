"""`api_key_create`: a key to the HTTP API."""

from typing import Any

from django.core.management.base import CommandParser

from apps.api import keys
from apps.core import clock
from apps.core.commands import TenantryCommand


class Command(TenantryCommand):
    help = "Makes a key to the HTTP API and shows it, this once."

    def add_own_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name", help="what uses the key, such as «reporting»")

    def run(self, *, name: str, **options: Any) -> None:
        made = keys.create_key(name=name, actor=self.actor, now=clock.now())
        if self.as_json:
            self.print_json({"name": name, "prefix": made.key.prefix, "key": made.secret})
        self.say(f"{made.secret}\nIt is shown only now. Send it as: Authorization: TenantAdminKey <key>")
