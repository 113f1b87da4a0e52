"""Writes about users. Each acts in the schema that the caller has entered."""

import secrets
import uuid
from dataclasses import dataclass
from typing import Any, cast

from allauth.account.models import EmailAddress
from django.contrib.admin.models import LogEntry
from django.contrib.auth.hashers import make_password
from django.contrib.sessions.models import Session
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Field

from apps.accounts.errors import LastOperator, UnusableUser
from apps.accounts.models import User
from apps.accounts.tokens import PUBLIC, current_scope


@dataclass(frozen=True)
class NewUser:
    """What is known about a user to be made. `password_hash` empty: none can sign in with one yet."""

    username: str
    email: str
    full_name: str = ""
    password_hash: str = ""

    def __post_init__(self) -> None:
        # Sign-in and reset look addresses up in lower case.
        object.__setattr__(self, "email", self.email.lower())


def refuse_unusable(new: NewUser) -> None:
    """Refuse what no user can be made of, before anything rests on that user.

    Raises:
        UnusableUser: when the user name, the e-mail address or the full name is malformed or too long.
    """
    for problem in unusable_fields(new).values():
        raise UnusableUser(problem)


def unusable_fields(new: NewUser) -> dict[str, str]:
    """What no user can be made of, by field: a sentence that names the value."""
    problems = {}
    for name, value in {"username": new.username, "email": new.email, "full_name": new.full_name}.items():
        field = cast("Field[Any, Any]", User._meta.get_field(name))
        try:
            field.clean(value, None)
        except ValidationError as error:
            problems[name] = f"{value!r} cannot be the {field.verbose_name} of a user: {error.messages[0]}"
    return problems


@transaction.atomic
def create_administrator(*, new: NewUser) -> User:
    """Make a tenant's administrator, or return the one of that name who is there.

    Returning the existing one is what lets provisioning be resumed.
    """
    existing = User.objects.filter(username__iexact=new.username).first()
    if existing:
        return existing
    user = User.objects.create(
        username=new.username,
        email=new.email,
        full_name=new.full_name,
        role=User.Role.ADMINISTRATOR,
        password=new.password_hash or make_password(None),
    )
    _register_address(user=user)
    return user


@transaction.atomic
def add_administrator(*, new: NewUser) -> User:
    """Make a further administrator of the tenant that was entered.

    Raises:
        UnusableUser: when the user name or the e-mail address is somebody's already.
    """
    if User.objects.filter(username__iexact=new.username).exists():
        raise UnusableUser(f"{new.username!r} is somebody's user name already. Choose another one.")
    if new.email and EmailAddress.objects.filter(email=new.email).exists():
        raise UnusableUser(f"{new.email!r} is somebody else's e-mail address.")
    return create_administrator(new=new)


@transaction.atomic
def create_operator(*, username: str, email: str) -> User:
    """Make an operator without a password, or return the one of that name who is there.

    Raises:
        UnusableUser: when the name or the address is malformed, or somebody else's.
    """
    existing = User.objects.filter(username__iexact=username, is_staff=True).first()
    if existing:
        return existing
    new = NewUser(username=username, email=email)
    refuse_unusable(new)
    if EmailAddress.objects.filter(email=new.email).exists():
        raise UnusableUser(f"{new.email!r} is somebody else's e-mail address.")
    user = User.objects.create(
        username=username, email=new.email, is_staff=True, is_superuser=True, password=make_password(None)
    )
    _register_address(user=user)
    return user


def _register_address(*, user: User) -> None:
    if user.email:
        EmailAddress.objects.create(user=user, email=user.email, primary=True, verified=True)


@transaction.atomic
def deactivate_user(*, user: User) -> None:
    """Keep the user but end every session and refuse every sign-in.

    Raises:
        LastOperator: when nobody could sign in to the operator's admin any more.
    """
    if user.is_staff and not _other_operators(user):
        raise LastOperator(f"{user.username} is the last active operator. Make another one first.")
    user.is_active = False
    user.save(update_fields=["is_active"])
    end_sessions(user_id=user.pk)


def _other_operators(user: User) -> bool:
    # Locked, so that two operators cannot deactivate each other at the same time.
    active = User.objects.select_for_update().filter(is_staff=True, is_active=True).order_by("pk")
    return any(each.pk != user.pk for each in active)


def reactivate_user(*, user: User) -> None:
    """Let a deactivated user sign in again."""
    user.is_active = True
    user.save(update_fields=["is_active"])


@transaction.atomic
def erase_user(*, user: User) -> None:
    """Remove the user and what is theirs in this schema, and nothing in any other."""
    end_sessions(user_id=user.pk)
    EmailAddress.objects.filter(user_id=user.pk).delete()
    user.groups.clear()
    user.user_permissions.clear()
    if current_scope() == PUBLIC:
        # Django's own log, which further admin pages may write. A tenant has none: there it would be public's.
        LogEntry.objects.filter(user_id=user.pk).delete()
    # Not `.delete()`: the collector would look for rows in tables of other schemas.
    User.objects.filter(pk=user.pk)._raw_delete(using=User.objects.db)


def end_sessions(*, user_id: uuid.UUID) -> None:
    """Delete every session of this user in the present schema."""
    for session in sessions_of(user_id=user_id):
        session.delete()


def sessions_of(*, user_id: uuid.UUID) -> list[Session]:
    """The sessions of this user in the present schema."""
    return [each for each in Session.objects.iterator() if each.get_decoded().get("_auth_user_id") == str(user_id)]


def random_password_hash() -> str:
    """A hash of a password nobody has seen: `admin-password` absent means a random one."""
    return make_password(secrets.token_urlsafe(32))
