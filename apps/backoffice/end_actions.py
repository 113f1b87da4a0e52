"""What an operator does about the end of a tenant."""

from typing import Any

from django.conf import settings

from apps.backoffice.forms import DeleteForm, KeepForm, KeepNoMoreForm
from apps.backoffice.tenant_actions import TenantAction
from apps.core import clock
from apps.lifecycle import offboarding
from apps.lifecycle.retention import Retention
from apps.tenants import burial, links


class Delete(TenantAction):
    title = "Delete"
    template_name = "backoffice/tenant_delete.html"
    form_class = DeleteForm
    consequence = "Everybody who uses the tenant loses it. This is what happens, in this order:"
    button = "Delete the tenant"
    dangerous = True
    done = "A job exports {tenant} into a file and then deletes it."

    def get_form_kwargs(self) -> dict[str, Any]:
        return {**super().get_form_kwargs(), "tenant_id": self.tenant.tenant_id}

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(
            living=offboarding.living_subscriptions(self.tenant),
            url=links.tenant_url(self.tenant),
            export_path=offboarding.export_path(tenant_id=self.tenant.tenant_id, now=clock.now()),
            minutes=int(burial.BEFORE_DROPPING.total_seconds() // 60),
            **kwargs,
        )

    def apply(self, data: dict[str, Any]) -> None:
        offboarding.request_deletion(reason=data["reason"], **self.by)


class Keep(TenantAction):
    title = "Keep"
    form_class = KeepForm
    consequence = (
        "The tenant’s data is not deleted by itself, however long ago its subscriptions ended, until it is kept "
        "no more. Notices that were sent are void."
    )
    button = "Keep the tenant"
    done = "{tenant} is kept."

    def apply(self, data: dict[str, Any]) -> None:
        offboarding.keep_tenant(reason=data["reason"], **self.by)


class KeepNoMore(TenantAction):
    title = "Keep no more"
    form_class = KeepNoMoreForm
    button = "Keep it no more"
    dangerous = True
    done = "{tenant} is kept no more."

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        self.consequence = what_comes(offboarding.if_kept_no_more(tenant=self.tenant, now=clock.now()))
        return super().get_context_data(**kwargs)

    def apply(self, data: dict[str, Any]) -> None:
        offboarding.keep_tenant(reason=data["reason"], no_more=True, **self.by)


def what_comes(found: Retention) -> str:
    """What time brings to a tenant that is kept no more, in a sentence."""
    if found.deletion_due:
        return "Time decides again: its data is exported and deleted at once, without a notice, as the settings say."
    if found.delete_at:
        return f"Time decides again: its data is deleted on {found.delete_at:%-d %B %Y}."
    if found.notice is not None:
        return (
            f"Time decides again: its administrators are told today that its data is deleted in {found.notice} days, "
            "and then it is."
        )
    if not settings.TENANTRY_RETENTION_DAYS:
        return "Time decides again; as TENANTRY_RETENTION_DAYS is 0, nothing is deleted by itself for now."
    return "Time decides again; nothing is planned, since no subscription of it has ended or one of it lives."


END_ACTIONS: dict[str, type[TenantAction]] = {"delete": Delete, "keep": Keep, "keep_no_more": KeepNoMore}
