"""The decision that a refused row carries."""

from django.conf import settings

from apps.entitlements.decisions import Decision, Reason
from apps.entitlements.limiting.ceilings import Held
from apps.plans.metadata import entity_name
from apps.plans.terms import Kind
from apps.tenants.models import Tenant


def decision_for(tenant: Tenant | None, feature: str, requested: int, used: int, ceiling: Held) -> Decision:
    """Why so many more rows are refused. Asks the database nothing: its transaction may have been spoilt."""
    return Decision(
        has_access=False,
        reason=Reason.LIMIT_EXCEEDED if ceiling.source else Reason.NOT_IN_PLAN,
        feature=feature,
        name=entity_name(feature),
        kind=Kind.COUNT.value,
        requested=requested,
        used=used,
        limit=ceiling.most,
        plan=next((each for each in ceiling.source.split(" + ") if each.startswith("plan:")), ""),
        source=ceiling.source,
        upgrade_url=settings.TENANTRY_UPGRADE_URL,
    )
