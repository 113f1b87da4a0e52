"""The base of Tenantry's management commands."""

import json
import sys
from datetime import datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.core.serializers.json import DjangoJSONEncoder
from django.db import ProgrammingError
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from psycopg import errors
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
        except ProgrammingError as error:
            if isinstance(error.__cause__, errors.UndefinedTable | errors.UndefinedColumn):
                raise CommandError(
                    "The database's tables are not those of this version. Bring them there with `manage.py migrate`."
                ) from error
            raise

    def run(self, *args: Any, **options: Any) -> None:
        """What the command does; takes the arguments it has added."""
        raise NotImplementedError

    @property
    def actor(self) -> Actor:
        """This command, as the audit names it."""
        return Actor.command(name=type(self).__module__.rpartition(".")[2])

    def make_sure(self, *, warning: str, word: str, named: str) -> None:
        """Go on only if whoever runs the command types this word, such as a tenant's id.

        Raises:
            CommandError: when they type another, or nobody is there to be asked.
        """
        if not sys.stdin.isatty():
            raise CommandError("Nobody is there to be asked: run this at a terminal, or add --yes.")
        # Standard error: with --json, standard output holds the document alone.
        self.console.print(f"{warning} Type {named} to go on: ", markup=False, soft_wrap=True, end="")
        if sys.stdin.readline().strip() != word:
            raise CommandError(f"That is not {named}. Nothing was done.")

    def print_json(self, document: object) -> None:
        """Write the one JSON document of a `--json` run."""
        self.stdout.write(json.dumps(document, cls=DjangoJSONEncoder, indent=2))

    def say(self, text: str) -> None:
        """Tell a person something; silent with `--json`."""
        if not self.as_json:
            self.stdout.write(text)


def moment(text: str | None, *, option: str) -> datetime | None:
    """The time that an option was given, in UTC where it names no zone; None when it was not given.

    Raises:
        CommandError: when that is no time.
    """
    if text is None:
        return None
    try:
        found = parse_datetime(text)
    except ValueError:
        found = None
    if found is None:
        raise CommandError(f"{option} is {text!r}, but must be a time such as 2026-12-31T12:00:00Z.")
    return found if timezone.is_aware(found) else timezone.make_aware(found)
