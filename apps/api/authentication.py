"""Who asks: only a key of the operator counts, never a session."""

from django.http import HttpRequest
from ninja.security.base import AuthBase

from apps.api import keys
from apps.api.models import ApiKey
from apps.core import clock

SCHEMES = frozenset({"tenantadminkey", "bearer"})


class OperatorKey(AuthBase):
    """The header `Authorization: TenantAdminKey <key>`, as with The Things Stack, or `Bearer <key>`."""

    openapi_type = "apiKey"
    openapi_in = "header"
    openapi_name = "Authorization"

    def __call__(self, request: HttpRequest) -> ApiKey | None:
        scheme, _, secret = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() not in SCHEMES:
            return None
        return keys.recognise(secret=secret.strip(), now=clock.now())
