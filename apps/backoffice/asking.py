"""«May it?»: a question about one tenant as its app would ask it, answered with every number and booking nothing."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

from django import forms
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from apps.core.errors import TenantryError
from apps.entitlements.asking import check
from apps.entitlements.decisions import Decision
from apps.entitlements.errors import InvalidRequest
from apps.plans import gathering
from apps.plans.resolution import Grantable
from apps.plans.terms import NUMBERED, Kind
from apps.tenants.models import Tenant


class AskForm(forms.Form):
    """A feature, and how much of it or which value."""

    feature = forms.ChoiceField(widget=UnfoldAdminSelectWidget)
    requested = forms.CharField(
        required=False,
        max_length=1000,
        widget=UnfoldAdminTextInputWidget(attrs={"autocomplete": "off", "placeholder": "1"}),
        help_text="How many more; of a configuration a value, as JSON or plain text. Empty: 1.",
    )

    def __init__(self, *args: Any, features: Iterable[Grantable], **kwargs: Any) -> None:
        super().__init__(*args, **{"auto_id": "ask_%s", **kwargs})
        chosen = [(each.key, f"{each.name} ({each.kind})") for each in sorted(features, key=lambda each: each.name)]
        cast("forms.ChoiceField", self.fields["feature"]).choices = chosen


@dataclass(frozen=True)
class Asked:
    """The form, and the answer where something was asked that can be."""

    form: AskForm
    decision: Decision | None = None


def asked(*, tenant: Tenant, given: Mapping[str, Any], now: datetime) -> Asked:
    """What was asked of the page, answered."""
    features = gathering.features()
    if "requested" not in given:
        return Asked(AskForm(initial=given, features=features.values()))
    form = AskForm(given, features=features.values())
    return Asked(form, _answer(form, tenant, features, now) if form.is_valid() else None)


def _answer(form: AskForm, tenant: Tenant, features: Mapping[str, Grantable], now: datetime) -> Decision | None:
    feature, typed = features[form.cleaned_data["feature"]], form.cleaned_data["requested"]
    try:
        return check(tenant=tenant, feature=feature.key, requested=requested(feature, typed), now=now)
    except TenantryError as error:
        form.add_error("requested", str(error))
        return None


def requested(feature: Grantable, typed: str) -> Any:
    """What is asked for: a whole number, or of a configuration any value.

    Raises:
        InvalidRequest: when a number is needed and none was typed.
    """
    text = typed.strip()
    if not text or feature.kind == Kind.SWITCH:
        return 1
    if feature.kind not in NUMBERED:
        return _value(text)
    # Thousands may be set apart, as the pages do.
    digits = text.replace(",", "")
    if not (digits.isascii() and digits.isdigit() and len(digits) <= 18):
        raise InvalidRequest(f"{text[:40]!r} of {feature.name} was asked for, which must be a whole number from 0.")
    return int(digits)


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text
