"""The operator's small forms, in unfold's clothes."""

from collections.abc import Iterable
from typing import Any, cast

from django import forms
from unfold.widgets import (
    INPUT_CLASSES,
    UnfoldAdminEmailInputWidget,
    UnfoldAdminRadioSelectWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
)

from apps.accounts.models import User
from apps.plans.models import Override
from apps.plans.resolution import Grantable
from apps.tenants.models import Hold, Tenant


class HoldForm(forms.Form):
    """An operator's decision over Stripe."""

    state = forms.ChoiceField(
        label="State",
        choices=[
            (Hold.State.SUSPENDED, "Suspended – closed for now, everything is kept"),
            (Hold.State.REJECTED, "Rejected – not wanted as a customer"),
        ],
        initial=Hold.State.SUSPENDED,
        widget=UnfoldAdminRadioSelectWidget,
    )
    reason = forms.CharField(
        max_length=Tenant.STATE_DESCRIPTION_MAX_LENGTH,
        widget=UnfoldAdminTextInputWidget,
        help_text="Anybody who opens the tenant’s host reads this, signed in or not.",
    )
    until = forms.DateTimeField(
        label="Until (UTC)",
        required=False,
        # The format is the one that browsers want of a value; any other leaves the field empty.
        widget=forms.DateTimeInput(
            format="%Y-%m-%dT%H:%M:%S", attrs={"type": "datetime-local", "class": " ".join(INPUT_CLASSES)}
        ),
        help_text="Empty: until somebody lifts the hold. After this moment Stripe decides again.",
    )


class UnholdForm(forms.Form):
    """Lifting a hold."""

    reason = forms.CharField(
        required=False, widget=UnfoldAdminTextInputWidget, help_text="For the audit; the tenant does not see it."
    )


class DescribeForm(forms.Form):
    """Name and description by hand."""

    name = forms.CharField(required=False, max_length=Tenant.NAME_MAX_LENGTH, widget=UnfoldAdminTextInputWidget)
    description = forms.CharField(
        required=False, max_length=Tenant.DESCRIPTION_MAX_LENGTH, widget=UnfoldAdminTextareaWidget
    )


class OverrideForm(forms.Form):
    """Another limit or value for one tenant."""

    feature = forms.ChoiceField(widget=UnfoldAdminSelectWidget)
    allowed = forms.CharField(
        max_length=10_000,
        widget=UnfoldAdminTextInputWidget,
        help_text="A whole number or unlimited; on or off for a switch; JSON for a configuration.",
    )
    reason = forms.CharField(
        max_length=1000,
        widget=UnfoldAdminTextInputWidget,
        help_text="Shown on the tenant’s page here; the tenant does not see it.",
    )
    until = forms.DateTimeField(
        label="Until (UTC)",
        required=False,
        widget=forms.DateTimeInput(
            format="%Y-%m-%dT%H:%M:%S", attrs={"type": "datetime-local", "step": "1", "class": " ".join(INPUT_CLASSES)}
        ),
        help_text="Empty: until somebody ends it. From this moment on the plans decide again.",
    )

    def __init__(self, *args: Any, features: Iterable[Grantable], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        _choices(self, [(each.key, f"{each.name} ({each.kind})") for each in features])


class EndOverrideForm(forms.Form):
    """Letting the plans decide again."""

    feature = forms.ChoiceField(widget=UnfoldAdminSelectWidget)
    reason = forms.CharField(
        max_length=1000, widget=UnfoldAdminTextInputWidget, help_text="For the audit; the tenant does not see it."
    )

    def __init__(self, *args: Any, overrides: Iterable[Override], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        _choices(self, [(each.feature_id, f"{each.feature_id}: {each.reason}") for each in overrides])


def _choices(form: forms.Form, choices: list[tuple[str, str]]) -> None:
    cast("forms.ChoiceField", form.fields["feature"]).choices = choices


class DeleteForm(forms.Form):
    """Deleting a tenant: why, and that it is really this one."""

    reason = forms.CharField(
        max_length=1000,
        widget=UnfoldAdminTextInputWidget,
        help_text="Kept with what is left of the tenant, and in the audit.",
    )
    tenant_id = forms.CharField(
        label="Type the tenant’s id",
        widget=UnfoldAdminTextInputWidget(
            attrs={"autocomplete": "off", "autocapitalize": "none", "spellcheck": "false"}
        ),
    )

    def __init__(self, *args: Any, tenant_id: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._expected = tenant_id

    def clean_tenant_id(self) -> str:
        """Only the very id is taken for a yes."""
        typed: str = self.cleaned_data["tenant_id"]
        if typed != self._expected:
            raise forms.ValidationError(f"That is not the tenant’s id. Nothing was deleted; type {self._expected}")
        return typed


class KeepForm(forms.Form):
    """Keeping a tenant's data."""

    reason = forms.CharField(
        max_length=Tenant.KEPT_BECAUSE_MAX_LENGTH,
        widget=UnfoldAdminTextInputWidget,
        help_text="Shown on the tenant’s page here; the tenant does not see it.",
    )


class KeepNoMoreForm(forms.Form):
    """Letting time decide again."""

    reason = forms.CharField(
        required=False, widget=UnfoldAdminTextInputWidget, help_text="For the audit; the tenant does not see it."
    )


class CorrectForm(forms.Form):
    """Taking an event of usage back."""

    reason = forms.CharField(
        max_length=1000,
        widget=UnfoldAdminTextInputWidget,
        help_text="Kept with the correction and in the audit; the tenant sees it too.",
    )


class OperatorForm(forms.ModelForm):  # type: ignore[type-arg]
    """A new operator. They choose their password on a one-time link."""

    class Meta:
        model = User
        fields = ("username", "email")
        widgets = {  # noqa: RUF012
            "username": UnfoldAdminTextInputWidget,
            "email": UnfoldAdminEmailInputWidget,
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["email"].required = True
