"""How the commands about one person are told which: `TENANT USER`, or `--operator USER`."""

from django.core.management.base import CommandError, CommandParser

from apps.accounts.models import User
from apps.lifecycle import personal
from apps.tenants import selectors as tenants
from apps.tenants.models import Tenant

WHO = "a user name, an e-mail address or an id"


def add_person_arguments(parser: CommandParser) -> None:
    """The arguments that `person_of` takes."""
    parser.add_argument("tenant_id", nargs="?", metavar="TENANT")
    parser.add_argument("user", nargs="?", metavar="USER", help=f"one of its members: {WHO}")
    parser.add_argument("--operator", metavar="USER", help=f"an operator instead of a tenant's member: {WHO}")


def person_of(*, tenant_id: str | None, user: str | None, operator: str | None) -> tuple[Tenant | None, User]:
    """The one who is meant, and their tenant; None: an operator.

    Raises:
        CommandError: when the arguments name nobody, or a member and an operator.
        TenantNotFound, TenantNotReady, UserNotFound, AmbiguousUser: see `lifecycle.personal`.
    """
    if operator is not None and tenant_id is None:
        return None, personal.find_operator(word=operator)
    if operator is None and tenant_id is not None and user is not None:
        tenant = tenants.by_id(tenant_id)
        return tenant, personal.find_member(tenant=tenant, word=user)
    raise CommandError("Name either a tenant and one of its users, or --operator USER.")
