"""Pages about one tenant that only show."""

from typing import TYPE_CHECKING, Any

from django.http import Http404, HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404
from django.utils.functional import cached_property

from apps.core import clock
from apps.tenants.models import Provisioning, Tenant

if TYPE_CHECKING:
    from django.contrib.auth.mixins import PermissionRequiredMixin as UnfoldModelAdminViewMixin
    from django.views.generic import TemplateView
else:
    from django.views.generic import TemplateView
    from unfold.views import UnfoldModelAdminViewMixin


class TenantView(UnfoldModelAdminViewMixin, TemplateView):
    """One of the tabs of a tenant's page."""

    permission_required = "tenants.view_tenant"
    raise_exception = True
    title = ""
    tab = ""
    model_admin: Any = None

    @cached_property
    def tenant(self) -> Tenant:
        return get_object_or_404(Tenant, pk=self.kwargs["object_id"])

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        self.now = clock.now()
        return super().dispatch(request, *args, **kwargs)

    def page(self) -> Any:
        """What is shown, as data."""
        raise NotImplementedError

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(
            page=self.page(),
            tenant=self.tenant,
            tab=self.tab,
            opts=Tenant._meta,
            original=self.tenant,
            can_act=self._can_act(),
            now=self.now,
            **kwargs,
        )

    def _can_act(self) -> bool:
        deleting = self.tenant.provisioning == Provisioning.DELETING
        return not deleting and self.model_admin.has_change_permission(self.request, self.tenant)

    def asked_number(self, name: str) -> int | None:
        """A number of the address; None: it has none.

        Raises:
            Http404: when it is no number.
        """
        text = self.request.GET.get(name, "")
        if not text:
            return None
        if not (text.isascii() and text.isdigit() and len(text) <= 18):
            raise Http404
        return int(text)
