"""The operator's small forms about credits, in unfold's clothes."""

from collections.abc import Iterable
from typing import Any, cast
from uuid import uuid4

from django import forms
from unfold.widgets import (
    INPUT_CLASSES,
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
)

from apps.credits.types import MOST, ORDINARY_PRIORITY, Category
from apps.plans.resolution import Grantable

GIVEN = (Category.MANUAL, Category.PROMOTIONAL, Category.PAID)
REASON_MAX_LENGTH = 1000


def reason(help_text: str) -> forms.CharField:
    """Why something is done."""
    return forms.CharField(max_length=REASON_MAX_LENGTH, widget=UnfoldAdminTextInputWidget, help_text=help_text)


def moment(label: str, help_text: str) -> forms.DateTimeField:
    """A moment that may be left out."""
    return forms.DateTimeField(
        label=label,
        required=False,
        # The format is the one that browsers want of a value; any other leaves the field empty.
        widget=forms.DateTimeInput(
            format="%Y-%m-%dT%H:%M:%S", attrs={"type": "datetime-local", "step": "1", "class": " ".join(INPUT_CLASSES)}
        ),
        help_text=help_text,
    )


class OnceForm(forms.Form):
    """A form that counts once, however often it is sent. Its key is made with the page."""

    key = forms.UUIDField(widget=forms.HiddenInput, initial=uuid4)

    def clean(self) -> dict[str, Any] | None:
        cleaned = super().clean()
        if "key" in self.errors:
            self.add_error(None, "This form has lost its key. Open it anew.")
        return cleaned


class WalletForm(OnceForm):
    """Something about a wallet."""

    wallet = forms.ChoiceField(widget=UnfoldAdminSelectWidget)

    def __init__(self, *args: Any, wallets: Iterable[Grantable], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        cast("forms.ChoiceField", self.fields["wallet"]).choices = [(each.key, each.name) for each in wallets]


class GrantForm(WalletForm):
    """Credits for one tenant."""

    amount = forms.IntegerField(min_value=1, max_value=MOST, widget=UnfoldAdminIntegerFieldWidget)
    category = forms.ChoiceField(
        choices=[(each.value, each.label) for each in GIVEN],
        widget=UnfoldAdminSelectWidget,
        help_text="Of what expires together, promotional credits are spent first and paid ones last.",
    )
    priority = forms.IntegerField(
        min_value=0,
        max_value=100,
        initial=ORDINARY_PRIORITY,
        widget=UnfoldAdminIntegerFieldWidget,
        help_text="0 to 100; the lowest is spent first, before anything else is looked at.",
    )
    effective_at = moment("From (UTC)", "Empty: at once.")
    expires_at = moment("Until (UTC)", "Empty: they do not expire. What is left at this moment is lost.")
    reason = reason("For the ledger and the audit; the tenant sees it too.")


class AdjustForm(WalletForm):
    """Another balance."""

    amount = forms.IntegerField(
        label="Change by",
        min_value=-MOST,
        max_value=MOST,
        widget=UnfoldAdminIntegerFieldWidget,
        help_text="With a minus sign: less.",
    )
    reason = reason("For the ledger and the audit; the tenant sees it too.")

    def clean_amount(self) -> int:
        """A change by nothing is none."""
        amount: int = self.cleaned_data["amount"]
        if amount == 0:
            raise forms.ValidationError("By 0 nothing would change. Give a number above or below it.")
        return amount


class EndGrantForm(forms.Form):
    """The end of a grant before its time."""

    reason = reason("For the ledger and the audit; the tenant sees it too.")


class CreditTypeForm(forms.Form):
    """What an action costs."""

    value = forms.CharField(
        max_length=80,
        widget=UnfoldAdminTextInputWidget(attrs={"autocapitalize": "none", "spellcheck": "false"}),
        help_text="What the app calls the action, such as credit-project-creation.",
    )
    name = forms.CharField(max_length=120, widget=UnfoldAdminTextInputWidget, help_text="As tenants read it.")
    amount = forms.IntegerField(
        label="Costs", min_value=0, max_value=MOST, widget=UnfoldAdminIntegerFieldWidget, help_text="In credits."
    )
    feature = forms.ChoiceField(
        label="Paid from", widget=UnfoldAdminSelectWidget, help_text="A feature of the kind credits."
    )
    usage_feature = forms.ChoiceField(
        label="Books usage of",
        required=False,
        widget=UnfoldAdminSelectWidget,
        help_text="One unit of this is booked besides, or the action is refused by its limit.",
    )
    description = forms.CharField(required=False, max_length=2000, widget=UnfoldAdminTextareaWidget)

    def __init__(
        self, *args: Any, wallets: Iterable[Grantable], usage_features: Iterable[Grantable], **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self._choices("feature", wallets)
        self._choices("usage_feature", usage_features, ("", "nothing"))

    def _choices(self, field: str, features: Iterable[Grantable], *first: tuple[str, str]) -> None:
        named = [(each.key, f"{each.name} ({each.key})") for each in features]
        cast("forms.ChoiceField", self.fields[field]).choices = [*first, *named]
