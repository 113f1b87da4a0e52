"""The operator's small forms, in unfold's clothes."""

from typing import Any

from django import forms
from unfold.widgets import (
    INPUT_CLASSES,
    UnfoldAdminEmailInputWidget,
    UnfoldAdminRadioSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
)

from apps.accounts.models import User
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
