"""What Tenantry decides differently from allauth's defaults."""

from allauth.account.adapter import DefaultAccountAdapter
from allauth.core import context
from django.http import HttpRequest
from django.utils.http import url_has_allowed_host_and_scheme


class AccountAdapter(DefaultAccountAdapter):
    def is_open_for_signup(self, request: HttpRequest) -> bool:
        """Nobody makes an account by themselves: a subscription or an administrator does."""
        return False

    def is_safe_url(self, url: str | None) -> bool:
        """Only this host's own addresses: another tenant's is somebody else's, though it is allowed to be served."""
        request = context.request
        return url_has_allowed_host_and_scheme(url, {request.get_host()}, require_https=request.is_secure())
