"""What an operator does to a tenant: each a page with one small form and one call into the domain."""

from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils.functional import cached_property

from apps.backoffice.forms import DescribeForm, HoldForm, UnholdForm
from apps.backoffice.people import actor_of
from apps.core import clock
from apps.core.errors import TenantryError
from apps.lifecycle import services as lifecycle
from apps.tenants import selectors
from apps.tenants import services as tenants
from apps.tenants.models import Provisioning, Tenant

if TYPE_CHECKING:
    from django.contrib.auth.mixins import PermissionRequiredMixin as UnfoldModelAdminViewMixin
    from django.views.generic import FormView as GenericFormView

    FormView = GenericFormView[forms.Form]
else:
    from django.views.generic import FormView
    from unfold.views import UnfoldModelAdminViewMixin


class TenantAction(UnfoldModelAdminViewMixin, FormView):
    """Shows what will happen, and makes it happen on POST."""

    permission_required = "tenants.change_tenant"
    raise_exception = True
    template_name = "backoffice/action.html"
    form_class: type[forms.Form] = forms.Form
    title = ""
    consequence = ""
    button = ""
    dangerous = False
    done = ""

    @cached_property
    def tenant(self) -> Tenant:
        return get_object_or_404(Tenant, pk=self.kwargs["object_id"])

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Nothing can be done any more to a tenant that is being deleted."""
        if self.tenant.provisioning == Provisioning.DELETING:
            messages.error(request, f"{self.tenant} is being deleted. Nothing was changed.")
            return redirect(self.get_success_url())
        return super().dispatch(request, *args, **kwargs)

    def apply(self, data: dict[str, Any]) -> None:
        """The one call into the domain."""
        raise NotImplementedError

    @property
    def by(self) -> dict[str, Any]:
        """Who acts on what, and when."""
        return {"tenant": self.tenant, "actor": actor_of(self.request), "now": clock.now()}

    def form_valid(self, form: forms.Form) -> HttpResponse:
        try:
            self.apply(form.cleaned_data)
        except TenantryError as error:
            form.add_error(None, str(error))
            return self.form_invalid(form)
        messages.success(self.request, self.done.format(tenant=self.tenant))
        return super().form_valid(form)

    def get_success_url(self) -> str:
        return reverse("admin:tenants_tenant_change", args=[self.tenant.pk])

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(
            heading=f"{self.title}: {self.tenant}",
            consequence=self.consequence,
            button=self.button,
            dangerous=self.dangerous,
            tenant=self.tenant,
            opts=Tenant._meta,
            original=self.tenant,
            back=self.get_success_url(),
            **kwargs,
        )


class Hold(TenantAction):
    title = "Hold"
    form_class = HoldForm
    consequence = (
        "Every page of the tenant’s host is closed at once and shows your reason. "
        "The hold wins over Stripe until it is lifted or its time is up; nothing is deleted. "
        "A hold that is already there is replaced."
    )
    button = "Hold the tenant"
    dangerous = True
    done = "{tenant} is on hold."

    def get_initial(self) -> dict[str, Any]:
        """The hold that is there: who changes it keeps what they leave alone."""
        present = selectors.open_hold(tenant=self.tenant, now=clock.now())
        if present is None:
            return super().get_initial()
        return {"state": present.state, "reason": present.reason, "until": present.until}

    def apply(self, data: dict[str, Any]) -> None:
        lifecycle.hold_tenant(state=data["state"], reason=data["reason"], until=data["until"], **self.by)


class Unhold(TenantAction):
    title = "Lift the hold"
    form_class = UnholdForm
    consequence = "Stripe decides about the tenant’s state again, from now on."
    button = "Lift the hold"
    done = "The hold on {tenant} is lifted."

    def apply(self, data: dict[str, Any]) -> None:
        lifecycle.unhold_tenant(reason=data["reason"], **self.by)


class Describe(TenantAction):
    title = "Edit name and description"
    form_class = DescribeForm
    consequence = "Once you change either, neither follows Stripe any more."
    button = "Save"
    done = "Name and description are saved."

    def get_initial(self) -> dict[str, Any]:
        return {"name": self.tenant.name, "description": self.tenant.description}

    def apply(self, data: dict[str, Any]) -> None:
        tenants.describe_by_operator(name=data["name"], description=data["description"], **self.by)


class Resync(TenantAction):
    title = "Re-sync"
    template_name = "backoffice/tenant_resync.html"
    consequence = (
        "The tenant is made what Stripe’s objects, as they are known here, say it should be. "
        "After that a job reads its customer from Stripe anew and does the same again."
    )
    button = "Re-sync"
    done = "{tenant} is re-synced; its customer is being read from Stripe again."

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(difference=lifecycle.preview(tenant=self.tenant, now=clock.now()), **kwargs)

    def apply(self, data: dict[str, Any]) -> None:
        lifecycle.resync_tenant(**self.by)


class Resume(TenantAction):
    title = "Resume provisioning"
    consequence = "A job goes on with the first step that is not done. Steps that are done are not repeated."
    button = "Resume"
    done = "The provisioning of {tenant} goes on in a job."

    def apply(self, data: dict[str, Any]) -> None:
        lifecycle.resume_provisioning(**self.by)


TENANT_ACTIONS: dict[str, type[TenantAction]] = {
    "hold": Hold,
    "unhold": Unhold,
    "describe": Describe,
    "resync": Resync,
    "resume": Resume,
}
