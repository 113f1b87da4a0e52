"""Reads about users, in the schema that the caller has entered."""

from apps.accounts.models import User


def administrators_addresses() -> tuple[str, ...]:
    """The e-mail addresses of the tenant's active administrators."""
    administrators = User.objects.filter(role=User.Role.ADMINISTRATOR, is_active=True).exclude(email="")
    return tuple(administrators.order_by("email").values_list("email", flat=True).distinct())
