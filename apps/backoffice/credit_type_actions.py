"""What an operator decides about what actions cost."""

from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import messages
from django.http import Http404, HttpResponse
from django.urls import reverse
from django.utils.functional import cached_property

from apps.backoffice.credits_forms import CreditTypeForm
from apps.backoffice.people import actor_of
from apps.core import clock
from apps.core.errors import TenantryError
from apps.credits import models, registry, selectors, services
from apps.credits.errors import UnknownCreditType
from apps.credits.types import CreditType
from apps.plans import gathering
from apps.plans.terms import Kind

if TYPE_CHECKING:
    from django.contrib.auth.mixins import PermissionRequiredMixin as UnfoldModelAdminViewMixin
    from django.views.generic import FormView as GenericFormView

    FormView = GenericFormView[forms.Form]
else:
    from django.views.generic import FormView
    from unfold.views import UnfoldModelAdminViewMixin


class CreditTypeAction(UnfoldModelAdminViewMixin, FormView):
    """Shows what will happen, and makes it happen on POST."""

    permission_required = "credits.change_credittype"
    raise_exception = True
    template_name = "backoffice/action_with_facts.html"
    form_class: type[forms.Form] = forms.Form
    title = ""
    consequence = ""
    button = ""
    dangerous = False
    done = ""

    @cached_property
    def present(self) -> CreditType | None:
        """The type that the address names; None: it names none.

        Raises:
            Http404: when there is no such type.
        """
        if "value" not in self.kwargs:
            return None
        try:
            return selectors.credit_type(self.kwargs["value"])
        except UnknownCreditType as error:
            raise Http404 from error

    def apply(self, data: dict[str, Any]) -> None:
        """The one call into the domain."""
        raise NotImplementedError

    def facts(self) -> list[tuple[str, Any]]:
        """What is told beside the form."""
        defined = registry.defined().get(self.present.value) if self.present else None
        return [("The vendor’s code says", f"{defined.name}, for {defined.amount:,}")] if defined else []

    def form_valid(self, form: forms.Form) -> HttpResponse:
        try:
            self.apply(form.cleaned_data)
        except TenantryError as error:
            form.add_error(None, str(error))
            return self.form_invalid(form)
        messages.success(self.request, self.done)
        return super().form_valid(form)

    def get_success_url(self) -> str:
        return reverse("admin:credits_credittype_changelist")

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        present = self.present
        return super().get_context_data(
            heading=f"{self.title}: {present.name}" if present else self.title,
            consequence=self.consequence,
            button=self.button,
            dangerous=self.dangerous,
            facts=self.facts(),
            opts=models.CreditType._meta,
            back=self.get_success_url(),
            **kwargs,
        )


class SetCreditType(CreditTypeAction):
    title = "Set what an action costs"
    form_class = CreditTypeForm
    consequence = (
        "From now on every tenant pays this for the action, whatever the vendor’s code says. "
        "What was spent before stays as it is in the ledgers."
    )
    button = "Set it"

    def get_form_kwargs(self) -> dict[str, Any]:
        features = gathering.features().values()
        return {
            **super().get_form_kwargs(),
            "wallets": [each for each in features if each.kind == Kind.CREDITS],
            "usage_features": [each for each in features if each.kind == Kind.METERED],
        }

    def get_initial(self) -> dict[str, Any]:
        return vars(self.present).copy() if self.present else {}

    def get_form(self, form_class: type[forms.Form] | None = None) -> forms.Form:
        """The value of a type that is there is its name in the app, and not for changing."""
        form = super().get_form(form_class)
        form.fields["value"].disabled = self.present is not None
        return form

    def apply(self, data: dict[str, Any]) -> None:
        credit_type = CreditType(**data)
        services.set_credit_type(credit_type, actor=actor_of(self.request), now=clock.now())
        self.done = f"{credit_type.name} costs {credit_type.amount:,} now."


class RemoveCreditType(CreditTypeAction):
    title = "Remove what was set"
    button = "Remove it"
    dangerous = True

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        is_defined = self.present is not None and self.present.value in registry.defined()
        self.consequence = (
            "What the vendor’s code says counts again, at once."
            if is_defined
            else "There is no such action any more: the app is refused when it spends credits on it."
        )
        return super().get_context_data(**kwargs)

    def apply(self, data: dict[str, Any]) -> None:
        services.remove_credit_type(value=self.kwargs["value"], actor=actor_of(self.request), now=clock.now())
        self.done = f"{self.kwargs['value']} is no longer set by an operator."
