"""Operators: who may use these pages."""

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.safestring import SafeString
from django.views.decorators.http import require_POST

from apps.accounts import services as accounts
from apps.accounts.errors import LastOperator, UnusableUser
from apps.accounts.models import User
from apps.accounts.tokens import welcome_path
from apps.backoffice import badges
from apps.backoffice.badges import Look
from apps.backoffice.base import OperatorModelAdmin
from apps.backoffice.forms import OperatorForm
from apps.backoffice.site import site
from apps.tenants.links import public_url

MAY_DO_ALL = (
    "Operators see and may change everything on these pages. "
    "They choose their own password on a one-time link, which you make on the next page."
)


@admin.register(User, site=site)
class OperatorAdmin(OperatorModelAdmin):
    list_display = ("username", "full_name", "email", "shown_active", "last_login")
    list_filter = ("is_active",)
    search_fields = ("username", "full_name", "email")
    search_help_text = "Name or e-mail address"
    ordering = ("username",)
    empty_title = "No operator"
    empty_text = "manage.py createsuperuser makes the first one."

    def subject(self, obj: User) -> str:
        return f"operator:{obj.username}"

    def get_queryset(self, request: HttpRequest) -> QuerySet[User]:
        return super().get_queryset(request).filter(is_staff=True)

    def has_delete_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        return False

    def get_urls(self) -> list[URLPattern]:
        own = {"link": self.link_view, "deactivate": self.deactivate_view, "reactivate": self.reactivate_view}
        paths = [
            path(f"<uuid:object_id>/{name}/", self.admin_site.admin_view(require_POST(view)), name=f"operator_{name}")
            for name, view in own.items()
        ]
        return [*paths, *super().get_urls()]

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        if not self.has_add_permission(request):
            raise PermissionDenied
        form = OperatorForm(request.POST or None)
        if form.is_valid():
            try:
                return self._create(request, form)
            except UnusableUser as error:
                form.add_error(None, str(error))
        context = {
            **self.admin_site.each_context(request),
            "title": "New operator",
            "heading": "New operator",
            "consequence": MAY_DO_ALL,
            "button": "Make the operator",
            "back": reverse("admin:accounts_user_changelist"),
            "form": form,
        }
        return TemplateResponse(request, "backoffice/action.html", context)

    def _create(self, request: HttpRequest, form: OperatorForm) -> HttpResponse:
        with transaction.atomic():
            operator = accounts.create_operator(
                username=form.cleaned_data["username"], email=form.cleaned_data["email"]
            )
            self.log_addition(request, operator, "")
        messages.success(request, f"{operator.username} is an operator now. Make a one-time link for them.")
        return redirect("admin:accounts_user_change", operator.pk)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        return self._page(request, self._operator(request, object_id))

    def link_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Show a fresh one-time link, once: it is not kept anywhere."""
        operator = self._operator(request, object_id, to_change=True)
        self.log_change(request, operator, "A one-time link was made.")
        return self._page(request, operator, link=public_url(welcome_path(user=operator)))

    def deactivate_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """End an operator's sessions and refuse their sign-in."""
        operator = self._operator(request, object_id, to_change=True)
        if operator == request.user:
            raise PermissionDenied
        try:
            with transaction.atomic():
                accounts.deactivate_user(user=operator)
                self.log_change(request, operator, "Deactivated.")
        except LastOperator as error:
            messages.error(request, str(error))
        else:
            messages.success(request, f"{operator.username} can no longer sign in.")
        return redirect("admin:accounts_user_change", operator.pk)

    def reactivate_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Let a deactivated operator sign in again."""
        operator = self._operator(request, object_id, to_change=True)
        with transaction.atomic():
            accounts.reactivate_user(user=operator)
            self.log_change(request, operator, "Reactivated.")
        messages.success(request, f"{operator.username} can sign in again.")
        return redirect("admin:accounts_user_change", operator.pk)

    def _operator(self, request: HttpRequest, object_id: Any, *, to_change: bool = False) -> User:
        allowed = self.has_change_permission(request) if to_change else self.has_view_permission(request)
        if not allowed:
            raise PermissionDenied
        return get_object_or_404(self.get_queryset(request), pk=object_id)

    def _page(self, request: HttpRequest, operator: User, link: str = "") -> HttpResponse:
        context = {
            **self.admin_site.each_context(request),
            "title": str(operator),
            "opts": self.opts,
            "original": operator,
            "operator": operator,
            "badge": self.shown_active(operator),
            "link": link,
            "can_act": self.has_change_permission(request),
        }
        response = TemplateResponse(request, "backoffice/operator.html", context)
        response["Cache-Control"] = "no-store"
        return response

    @admin.display(description="Access", ordering="is_active")
    def shown_active(self, operator: User) -> SafeString:
        if operator.is_active:
            return badges.badge("Active", Look("check_circle", "success"))
        return badges.badge("Deactivated", Look("block", "danger"))
