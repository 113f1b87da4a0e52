"""`override_end`: the plans decide again."""

from typing import Any

from django.core.management.base import CommandParser

from apps.core import clock
from apps.core.commands import TenantryCommand
from apps.entitlements import selectors
from apps.plans import overriding
from apps.tenants import selectors as tenants


class Command(TenantryCommand):
    help = "Ends what `override_set` began: the tenant's plans decide about the feature again."

    def add_own_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("tenant_id")
        parser.add_argument("feature", help="such as end-devices")
        parser.add_argument("--reason", required=True, help="for the audit")

    def run(self, *, tenant_id: str, feature: str, reason: str, **options: Any) -> None:
        tenant, now = tenants.by_id(tenant_id), clock.now()
        overriding.end_override(tenant=tenant, feature=feature, reason=reason, actor=self.actor, now=now)
        (left,) = selectors.explain(tenant=tenant, feature=feature, now=now)
        if self.as_json:
            self.print_json({"tenant_id": tenant_id, "feature": feature, "granted": left.granted, "limit": left.limit})
        self.say(f"{feature} of {tenant_id} is {left.says} again{f', by {left.source}' if left.source else ''}.")
