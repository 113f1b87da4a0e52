"""The base of Tenantry's management commands."""

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.core.serializers.json import DjangoJSONEncoder
from rich.console import Console

from apps.core.actors import Actor
from apps.core.errors import TenantryError


class TenantryCommand(BaseCommand):
    """Translates in, calls the domain once, translates out.

    Anticipated errors become one sentence and exit code 1. With `--json` standard
    output holds one JSON document and nothing else; progress goes to standard error.
    """

    requires_system_checks: list[str] = []  # noqa: RUF012 - Django declares it for instances

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="print one JSON document on standard output")
        self.add_own_arguments(parser)

    def add_own_arguments(self, parser: CommandParser) -> None:
        """The command's arguments besides `--json`."""

    def handle(self, *args: Any, **options: Any) -> None:
        self.as_json: bool = options["json"]
        self.console = Console(stderr=True, highlight=False)
        try:
            self.run(**options)
        except TenantryError as error:
            raise CommandError(str(error)) from error

    def run(self, *args: Any, **options: Any) -> None:
        """What the command does; takes the arguments it has added."""
        raise NotImplementedError

    @property
    def actor(self) -> Actor:
        """This command, as the audit names it."""
        return Actor.command(name=type(self).__module__.rpartition(".")[2])

    def print_json(self, document: object) -> None:
        """Write the one JSON document of a `--json` run."""
        self.stdout.write(json.dumps(document, cls=DjangoJSONEncoder, indent=2))

    def say(self, text: str) -> None:
        """Tell a person something; silent with `--json`."""
        if not self.as_json:
            self.stdout.write(text)
