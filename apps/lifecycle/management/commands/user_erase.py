"""`user_erase`: removes one person, with what is held about them."""

from typing import Any

from django.core.management.base import CommandError, CommandParser

from apps.accounts.models import User
from apps.core import clock
from apps.core.commands import TenantryCommand
from apps.lifecycle import personal
from apps.lifecycle.management.people import add_person_arguments, person_of
from apps.tenants.models import Tenant

BEYOND = (
    "Not reached: Stripe's own customer and subscription (change them there), exports made before, "
    "e-mails sent before, logs and backups."
)


class Command(TenantryCommand):
    help = "Erases a tenant's member, or an operator, with all that is held about them. It cannot be undone."

    def add_own_arguments(self, parser: CommandParser) -> None:
        add_person_arguments(parser)
        parser.add_argument("--reason", default="", help="kept in the audit: name nobody in it")
        parser.add_argument("--yes", action="store_true", help="do not ask")
        parser.add_argument("--even-the-last", action="store_true", help="also a tenant's last active administrator")

    def run(
        self,
        *,
        tenant_id: str | None,
        user: str | None,
        operator: str | None,
        reason: str,
        yes: bool,
        even_the_last: bool,
        **options: Any,
    ) -> None:
        tenant, person = person_of(tenant_id=tenant_id, user=user, operator=operator)
        if tenant is None and even_the_last:
            raise CommandError("--even-the-last is for a tenant's administrator; the last operator is never erased.")
        if not yes:
            self._ask(person, tenant)
        self._erase(tenant, person, reason=reason, even_the_last=even_the_last)
        self._tell(tenant, person)

    def _ask(self, person: User, tenant: Tenant | None) -> None:
        of = f"of tenant {tenant.tenant_id}" if tenant else "of the operators"
        warning = f"This erases {person.username} {of} for ever."
        self.make_sure(warning=warning, word=person.username, named="the user name")

    def _erase(self, tenant: Tenant | None, person: User, *, reason: str, even_the_last: bool) -> None:
        if tenant is None:
            personal.erase_operator(user=person, reason=reason, actor=self.actor, now=clock.now())
            return
        personal.erase_member(
            tenant=tenant,
            user=person,
            reason=reason,
            even_the_last=even_the_last,
            actor=self.actor,
            now=clock.now(),
        )

    def _tell(self, tenant: Tenant | None, person: User) -> None:
        kept = [_kept_in_audit(tenant, person), BEYOND]
        if self.as_json:
            tenant_id = tenant.tenant_id if tenant else None
            self.print_json({"tenant_id": tenant_id, "user": person.pk, "erased": True, "kept": kept})
        self.say(f"{person.username} is erased.")
        for each in kept:
            self.say(each)


def _kept_in_audit(tenant: Tenant | None, person: User) -> str:
    if tenant:
        return f"The audit keeps that it was done, under {person.pk}, without name and address."
    return (
        f"The audit is never edited: it keeps the user name {person.username} with what they did, "
        "and so do the holds and marks they set. Who did what is of legitimate interest."
    )
