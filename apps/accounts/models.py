"""The user: operators in the public schema, members in each tenant's own."""

import uuid
from typing import TYPE_CHECKING, Any, ClassVar

from django.contrib.auth.models import AbstractBaseUser, BaseUserManager, PermissionsMixin
from django.contrib.auth.validators import UnicodeUsernameValidator
from django.db import models
from django.db.models.functions import Lower
from django.utils import timezone

if TYPE_CHECKING:
    from django.db.models.query import QuerySet


class UserQuerySet(models.QuerySet["User"]):
    def delete(self) -> tuple[int, dict[str, int]]:
        """Erase each user through `accounts.services`; see `User.delete`."""
        from apps.accounts import services

        users = list(self)
        for user in users:
            services.erase_user(user=user)
        return len(users), {User._meta.label: len(users)}


class UserManager(BaseUserManager["User"]):
    def get_queryset(self) -> "QuerySet[User]":
        return UserQuerySet(self.model, using=self._db)

    def create_superuser(self, username: str, email: str, password: str | None = None, **fields: Any) -> "User":
        """An operator with every permission; `manage.py createsuperuser` calls this."""
        user = User(username=username, email=email.lower(), is_staff=True, is_superuser=True, **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user


FULL_NAME_MAX_LENGTH = 200


class User(AbstractBaseUser, PermissionsMixin):
    """Somebody who can sign in.

    The key is a UUID: with numbers, the operator 1 and every tenant's user 1 would
    be the same to any code that looks through a search path of two schemas.
    """

    class Role(models.TextChoices):
        ADMINISTRATOR = "administrator", "Administrator"
        MEMBER = "member", "Member"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    username = models.CharField(max_length=150, unique=True, validators=[UnicodeUsernameValidator()])
    email = models.EmailField(blank=True)
    full_name = models.CharField(max_length=FULL_NAME_MAX_LENGTH, blank=True)
    role = models.CharField(
        max_length=20,
        choices=Role,
        default=Role.MEMBER,
        help_text="What the user may do on their tenant's settings pages; without meaning for operators.",
    )
    is_active = models.BooleanField(default=True)
    is_staff = models.BooleanField(
        default=False, help_text="May use the operator's admin; without meaning inside a tenant."
    )
    date_joined = models.DateTimeField(default=timezone.now, editable=False)

    objects = UserManager()

    class Meta:
        constraints: ClassVar[list[Any]] = [
            # Sign-in does not tell letters of the alphabet's two cases apart: both of such a pair would be locked out.
            models.UniqueConstraint(Lower("username"), name="accounts_username_once_in_any_case"),
        ]

    EMAIL_FIELD = "email"
    USERNAME_FIELD = "username"
    REQUIRED_FIELDS: ClassVar[list[str]] = ["email"]

    def __str__(self) -> str:
        return self.full_name or self.username

    def get_full_name(self) -> str:
        return self.full_name

    def get_short_name(self) -> str:
        return self.full_name.split(" ")[0] or self.username

    def delete(self, *args: Any, **kwargs: Any) -> tuple[int, dict[str, int]]:
        """Erase this user and what is theirs in this schema.

        Django's own cascade would follow every foreign key of every installed app
        through the search path, from a tenant's schema into the public one.
        """
        from apps.accounts import services

        services.erase_user(user=self)
        return 1, {self._meta.label: 1}
