"""The operator's site: who may enter it, and what its pages may load."""

from typing import TYPE_CHECKING, Any

from allauth.account import views as allauth
from allauth.account.decorators import secure_admin_login
from csp.decorators import csp_update
from django.contrib.admin import AdminSite
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse

from apps.backoffice.overview import overview
from apps.core import clock

if TYPE_CHECKING:
    # Unfold comes without types; its classes are Django's own, dressed.
    class UnfoldAdminSite(AdminSite):
        def get_sidebar_list(self, request: HttpRequest) -> list[dict[str, Any]]: ...

else:
    from unfold.sites import UnfoldAdminSite

# Alpine evaluates the expressions in unfold's attributes, and unfold and htmx write <style> elements.
# Nowhere else is either allowed.
WHAT_UNFOLD_NEEDS = {
    "script-src": ["'self'", "'unsafe-eval'"],
    "style-src": ["'self'", "'unsafe-inline'"],
}


class OperatorSite(UnfoldAdminSite):
    """Unfold's admin site behind the sign-in that everybody uses.

    An operator sees and may change everything: there are no operators with some of the
    rights, who could give themselves the others by a link for a colleague.
    """

    index_template = "backoffice/index.html"
    index_title = "Overview"
    empty_value_display = "–"

    def has_permission(self, request: HttpRequest) -> bool:
        user = request.user
        return bool(user.is_active and getattr(user, "is_staff", False) and getattr(user, "is_superuser", False))

    def admin_view(self, view: Any, cacheable: bool = False) -> Any:
        return csp_update(WHAT_UNFOLD_NEEDS)(super().admin_view(view, cacheable))

    def login(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Send strangers to the ordinary sign-in, and tell those who are no operators."""
        if request.user.is_authenticated and not self.has_permission(request):
            raise PermissionDenied
        response: HttpResponse = secure_admin_login(super().login)(request, extra_context)
        return response

    def logout(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        return allauth.logout(request)

    def password_change(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        return redirect("account_change_password")

    def get_sidebar_list(self, request: HttpRequest) -> list[dict[str, Any]]:
        """Unfold's, without badges that have nothing in them."""
        groups = super().get_sidebar_list(request)
        for item in (item for group in groups for item in group["items"]):
            if not str(item.get("badge_callback", "")):
                item.pop("badge", None)
        return groups

    def index(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> TemplateResponse:
        return super().index(request, {"overview": overview(now=clock.now()), **(extra_context or {})})


site: AdminSite = OperatorSite(name="admin")
