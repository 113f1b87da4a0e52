"""One-time links, bound to the schema they were made for.

A token dies when it is used (the password it contains a trace of changes), when
the user signs in, after PASSWORD_RESET_TIMEOUT, and on any other tenant's host.
"""

from django.contrib.auth.tokens import PasswordResetTokenGenerator
from django.urls import reverse
from django.utils.http import urlsafe_base64_encode

from apps.accounts.models import User
from apps.core import schemas

PUBLIC = "public"


def current_scope() -> str:
    """What every signed value carries: the tenant's UUID, or `public` on the operator's side."""
    return schemas.current_tenant_key() or PUBLIC


class LinkTokenGenerator(PasswordResetTokenGenerator):
    """Django's reset token with the tenant in it. Used for welcome links and password resets."""

    def _make_hash_value(self, user: User, timestamp: int) -> str:
        return f"{current_scope()}:{user.is_active}:{super()._make_hash_value(user, timestamp)}"


link_tokens = LinkTokenGenerator()


def welcome_path(*, user: User) -> str:
    """The path of a one-time link on which this user chooses a password and is signed in.

    Call it in the schema the user lives in; put the host of that schema before it.
    """
    key = urlsafe_base64_encode(user.pk.bytes)
    return reverse(
        "accounts:welcome",
        kwargs={"user_key": key, "token": link_tokens.make_token(user)},
        urlconf="apps.accounts.urls_root",
    )
