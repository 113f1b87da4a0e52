"""Writing the books. Each call is one transaction inside the caller's, and locks the wallet it changes."""

from apps.credits.services.granting import adjust, expire, grant, void
from apps.credits.services.pricing import remove_credit_type, set_credit_type
from apps.credits.services.reserving import confirm, release, reserve
from apps.credits.services.spending import settle, spend

__all__ = [
    "adjust",
    "confirm",
    "expire",
    "grant",
    "release",
    "remove_credit_type",
    "reserve",
    "set_credit_type",
    "settle",
    "spend",
    "void",
]
