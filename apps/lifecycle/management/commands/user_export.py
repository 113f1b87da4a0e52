"""`user_export`: everything that is held about one person."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from django.core.management.base import CommandError, CommandParser

from apps.accounts.models import User
from apps.core import clock
from apps.core.commands import TenantryCommand
from apps.lifecycle import personal
from apps.lifecycle.management.people import add_person_arguments, person_of
from apps.tenants.models import Tenant


class Command(TenantryCommand):
    help = "Writes everything that is held about a tenant's member, or an operator, as one JSON document."

    def add_own_arguments(self, parser: CommandParser) -> None:
        add_person_arguments(parser)
        parser.add_argument(
            "--to", metavar="FILE", help="make this file, readable by you alone (default: standard output)"
        )

    def run(
        self, *, tenant_id: str | None, user: str | None, operator: str | None, to: str | None, **options: Any
    ) -> None:
        tenant, person = person_of(tenant_id=tenant_id, user=user, operator=operator)
        if to is None:
            # A JSON document with and without --json.
            self.stdout.write(self._export(tenant, person))
            return
        with _new_private_file(Path(to)) as file:
            file.write(self._export(tenant, person) + "\n")
        if self.as_json:
            self.print_json({"tenant_id": tenant_id, "user": person.pk, "file": to})
        self.say(f"What is held about {person.username} is in {to}.")

    def _export(self, tenant: Tenant | None, person: User) -> str:
        if tenant is None:
            return personal.export_operator(user=person, actor=self.actor, now=clock.now())
        return personal.export_member(tenant=tenant, user=person, actor=self.actor, now=clock.now())


@contextmanager
def _new_private_file(path: Path) -> Iterator[IO[str]]:
    """A file that was not there before and that only its owner reads; gone again when writing it fails."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        raise CommandError(f"{path} cannot be made: {error.strerror}. Choose another file.") from error
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            yield file
    except BaseException:
        path.unlink()
        raise
