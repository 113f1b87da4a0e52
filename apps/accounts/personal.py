"""What is held about one person in one schema: found, told, erased.

The user's own tables are known here. A tenant's schema holds the vendor's apps too:
each registers how its part is exported and erased.
"""

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from allauth.account.models import EmailAddress
from django.contrib.admin.models import LogEntry
from django.core.exceptions import ImproperlyConfigured
from django.db import IntegrityError, connection, transaction
from django.db.models import Q

from apps.accounts import services
from apps.accounts.errors import AmbiguousUser, LastAdministrator, LastOperator, StillReferredTo, UserNotFound
from apps.accounts.models import User
from apps.accounts.tokens import PUBLIC, current_scope

# Fields of the user that open a door rather than tell of a person.
SECRETS = frozenset({"password"})


@dataclass(frozen=True)
class Section:
    """One section of an export: what it is, in a sentence for the person, and data that JSON can say."""

    description: str
    data: object


@dataclass(frozen=True)
class Part:
    """What a vendor's app holds about a member of a tenant."""

    description: str
    export: Callable[[User], object]
    erase: Callable[[User], object]


_parts: dict[str, Part] = {}


def register(*, name: str, description: str, export: Callable[[User], object], erase: Callable[[User], object]) -> None:
    """Make a vendor's app part of every export and erasure of a tenant's member. Call it in `AppConfig.ready`.

    Both callables get the user and run inside the tenant's schema, in one transaction with
    all the rest. `export` returns what JSON can say, dates, UUIDs and decimals included, and
    no secret; `erase` deletes or anonymises every row that speaks of the user or refers to
    them. `description` is one sentence, to the person.

    Raises:
        ImproperlyConfigured: when another part, or a section of Tenantry's own, has that name.
    """
    part = Part(description=description, export=export, erase=erase)
    if name in OWN_SECTIONS or _parts.setdefault(name, part) != part:
        raise ImproperlyConfigured(f"There is a section {name!r} of personal data already; register another name.")


def find_user(*, word: str, where: str) -> User:
    """The user with this user name, e-mail address (both in any case) or id in the schema that was entered.

    `where` says who was looked through, such as "in tenant 'acme'".

    Raises:
        UserNotFound: when nobody is meant.
        AmbiguousUser: when several are.
    """
    meant = Q(username__iexact=word) | Q(email__iexact=word) | Q(emailaddress__email__iexact=word) | Q(pk=_key(word))
    # Without a word, everybody who has no address would be meant.
    found = list(User.objects.filter(meant).distinct().order_by("username")) if word else []
    if not found:
        raise UserNotFound(f"There is no user {word!r} {where}. Give a user name, an e-mail address or an id.")
    if len(found) > 1:
        several = ", ".join(f"{each.username} ({each.pk})" for each in found)
        raise AmbiguousUser(f"Of those {where}, {word!r} may mean any of {several}. Give an id.")
    return found[0]


def _key(word: str) -> uuid.UUID | None:
    try:
        return uuid.UUID(word)
    except ValueError:
        return None


def sections_of(*, user: User) -> dict[str, Section]:
    """All that is held about a user in the schema that was entered; inside a tenant's, the registered parts too.

    Raises:
        UserNotFound: when the user has gone since they were read.
    """
    present = User.objects.filter(pk=user.pk).first()
    if present is None:
        raise _gone(user)
    own = {name: Section(description, export(present)) for name, (description, export) in OWN_SECTIONS.items()}
    if current_scope() == PUBLIC:
        return own | {"admin_log": Section(LOG, _admin_log(present))}
    return own | {name: Section(part.description, part.export(present)) for name, part in _parts.items()}


def descriptions() -> dict[str, str]:
    """The sections of a member's export that come from the tenant's schema, each with its sentence."""
    own = {name: description for name, (description, _) in OWN_SECTIONS.items()}
    return own | {name: part.description for name, part in _parts.items()}


def addresses_of(*, user: User) -> set[str]:
    """Every e-mail address of a user of the schema that was entered."""
    found = EmailAddress.objects.filter(user_id=user.pk).values_list("email", flat=True)
    return {user.email, *found} - {""}


def _account(user: User) -> dict[str, Any]:
    fields = [field.attname for field in User._meta.concrete_fields if field.name not in SECRETS]
    return {name: getattr(user, name) for name in fields} | {"has_password": user.has_usable_password()}


def _addresses(user: User) -> list[dict[str, Any]]:
    found = EmailAddress.objects.filter(user_id=user.pk).order_by("email")
    return [{"email": each.email, "verified": each.verified, "primary": each.primary} for each in found]


def _rights(user: User) -> dict[str, list[str]]:
    permissions = user.user_permissions.select_related("content_type")
    return {
        "groups": sorted(group.name for group in user.groups.all()),
        "permissions": sorted(f"{each.content_type.app_label}.{each.codename}" for each in permissions),
    }


def _sessions(user: User) -> list[dict[str, Any]]:
    return [{"expires_at": each.expire_date} for each in services.sessions_of(user_id=user.pk)]


def _admin_log(user: User) -> list[dict[str, Any]]:
    found = LogEntry.objects.filter(user_id=user.pk).order_by("action_time")
    return [{"at": each.action_time, "object": each.object_repr, "message": each.change_message} for each in found]


OWN_SECTIONS: Mapping[str, tuple[str, Callable[[User], object]]] = {
    "account": ("Your user account. Of your password only whether you have one is told.", _account),
    "email_addresses": ("The e-mail addresses with which you can sign in or reset your password.", _addresses),
    "rights": ("The groups you are in, and the permissions given to you alone.", _rights),
    "sessions": ("The browsers in which you are signed in, by the time at which each sign-in ends.", _sessions),
}
LOG = "What Django's admin noted of your changes."


@transaction.atomic
def erase_member(*, user: User, even_the_last: bool) -> None:
    """Erase a user of the tenant's schema that was entered, with all registered parts, or nothing at all.

    Raises:
        UserNotFound: when the user has gone since they were read.
        LastAdministrator: when nobody could manage the tenant any more, unless `even_the_last`.
        StillReferredTo: when rows that no registered part erases refer to the user.
    """
    present, others = _locked(user, Q(role=User.Role.ADMINISTRATOR, is_active=True))
    is_administrator = present.is_active and present.role == User.Role.ADMINISTRATOR
    if is_administrator and not others and not even_the_last:
        raise LastAdministrator(
            f"{present.username} is the last active administrator of this tenant. "
            "Make another one first with `manage.py tenant_administrator`, or repeat with --even-the-last."
        )
    for part in _parts.values():
        part.erase(present)
    _remove(present)


@transaction.atomic
def erase_operator(*, user: User) -> None:
    """Erase a user of the public schema.

    Raises:
        UserNotFound: when the user has gone since they were read.
        LastOperator: when nobody could sign in to the operator's admin any more.
        StillReferredTo: when rows refer to the user.
    """
    present, others = _locked(user, Q(is_staff=True, is_active=True))
    if present.is_active and present.is_staff and not others:
        raise LastOperator(f"{present.username} is the last active operator. Make another one first.")
    _remove(present)


def _locked(user: User, peers: Q) -> tuple[User, list[User]]:
    """The user as they are now, and these peers but for the user."""
    # In one query and one order: two who erase each other must not wait for each other for ever.
    rows = {row.pk: row for row in User.objects.select_for_update().filter(Q(pk=user.pk) | peers).order_by("pk")}
    present = rows.pop(user.pk, None)
    if present is None:
        raise _gone(user)
    return present, list(rows.values())


def _gone(user: User) -> UserNotFound:
    return UserNotFound(f"There is no user {user.username!r} any more.")


def _remove(user: User) -> None:
    try:
        services.erase_user(user=user)
        # Else PostgreSQL would refuse only at the end of the outermost transaction.
        connection.check_constraints()
    except IntegrityError as error:
        raise StillReferredTo(
            f"{user.username} was not erased: {_referring_table(error)} still refers to them. "
            "Its app must erase its part; see accounts.personal.register."
        ) from error


def _referring_table(error: IntegrityError) -> str:
    table = getattr(getattr(error.__cause__, "diag", None), "table_name", None)
    return f"the table {table}" if table else "a table"
