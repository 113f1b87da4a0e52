"""Credit types: what actions cost, by the vendor's code or as an operator set it."""

from dataclasses import dataclass
from typing import Any

from django.contrib import admin
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path

from apps.backoffice.base import ReadOnlyModelAdmin
from apps.backoffice.credit_type_actions import RemoveCreditType, SetCreditType
from apps.backoffice.site import site
from apps.credits import models, registry, selectors
from apps.credits.types import CreditType


@dataclass(frozen=True)
class CreditTypeRow:
    """What an action costs. `defined`: what the vendor's code says of it; `is_set`: an operator said otherwise."""

    type: CreditType
    defined: CreditType | None
    is_set: bool


@admin.register(models.CreditType, site=site)
class CreditTypeAdmin(ReadOnlyModelAdmin):
    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return bool(request.user.has_perm("credits.change_credittype"))

    def get_urls(self) -> list[URLPattern]:
        own: list[tuple[str, Any, str]] = [
            ("set/", SetCreditType, "credit_type_add"),
            ("<str:value>/set/", SetCreditType, "credit_type_set"),
            ("<str:value>/remove/", RemoveCreditType, "credit_type_remove"),
        ]
        paths = [
            path(where, self.admin_site.admin_view(view.as_view(model_admin=self)), name=name)
            for where, view, name in own
        ]
        return [*paths, *super().get_urls()]

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        context = {
            **self.admin_site.each_context(request),
            "title": "Credit types",
            "opts": self.opts,
            "rows": credit_type_rows(),
            "can_act": self.has_change_permission(request),
        }
        return TemplateResponse(request, "backoffice/credit_types.html", context)

    def change_view(self, request: HttpRequest, object_id: str, *args: Any, **kwargs: Any) -> HttpResponse:
        """The page of one is the form that sets it."""
        return redirect("admin:credit_type_set", unquote(object_id))


def credit_type_rows() -> tuple[CreditTypeRow, ...]:
    """Every credit type, with who says what it costs."""
    defined = registry.defined()
    set_here = set(models.CreditType.objects.values_list("value", flat=True))
    return tuple(
        CreditTypeRow(each, defined.get(each.value), each.value in set_here) for each in selectors.credit_types()
    )
