"""`api_key_revoke`: makes a key to the HTTP API worth nothing."""

from typing import Any

from django.core.management.base import CommandParser

from apps.api import keys
from apps.core import clock
from apps.core.commands import TenantryCommand


class Command(TenantryCommand):
    help = "Makes a key to the HTTP API worth nothing, at once and for good."

    def add_own_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("prefix", help="as `api_key_list` shows it")

    def run(self, *, prefix: str, **options: Any) -> None:
        key = keys.revoke_key(prefix=prefix, actor=self.actor, now=clock.now())
        if self.as_json:
            self.print_json({"name": key.name, "prefix": key.prefix, "revoked_at": key.revoked_at})
        self.say(f"The API key {key} is revoked.")
