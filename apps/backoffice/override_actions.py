"""What an operator grants one tenant beyond its plans, and takes back."""

from typing import Any

from apps.backoffice.forms import EndOverrideForm, OverrideForm
from apps.backoffice.tenant_actions import TenantAction
from apps.core import clock
from apps.plans import gathering, overriding, selectors
from apps.plans.grants import read_grant


class SetOverride(TenantAction):
    title = "Override a limit"
    form_class = OverrideForm
    consequence = (
        "It counts at once, whatever the tenant’s plans say, until somebody ends it or its time is up. "
        "An override of the same feature is replaced; what was is kept in the history."
    )
    button = "Override"
    done = "The override for {tenant} is in force."

    def get_form_kwargs(self) -> dict[str, Any]:
        return {**super().get_form_kwargs(), "features": gathering.features().values()}

    def get_initial(self) -> dict[str, Any]:
        """What the page’s link names, with the override that is there."""
        feature = self.request.GET.get("feature", "")
        present = selectors.overrides_in_force(self.tenant, now=clock.now()).get(feature)
        return {"feature": feature} | ({"reason": present.reason, "until": present.until} if present else {})

    def apply(self, data: dict[str, Any]) -> None:
        grant = read_grant(selectors.feature(data["feature"]), data["allowed"])
        overriding.set_override(
            feature=data["feature"], grant=grant, reason=data["reason"], until=data["until"], **self.by
        )


class EndOverride(TenantAction):
    title = "End an override"
    form_class = EndOverrideForm
    consequence = "The tenant’s plans decide about the feature again, at once."
    button = "End the override"
    done = "The override for {tenant} is ended."

    def get_form_kwargs(self) -> dict[str, Any]:
        overrides = selectors.overrides_in_force(self.tenant, now=clock.now())
        return {**super().get_form_kwargs(), "overrides": overrides.values()}

    def get_initial(self) -> dict[str, Any]:
        return {"feature": self.request.GET.get("feature", "")}

    def apply(self, data: dict[str, Any]) -> None:
        overriding.end_override(feature=data["feature"], reason=data["reason"], **self.by)


OVERRIDE_ACTIONS: dict[str, type[TenantAction]] = {"override": SetOverride, "end_override": EndOverride}
