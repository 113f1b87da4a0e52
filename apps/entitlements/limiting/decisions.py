"""The decision that a refused row carries."""

from django.conf import settings

from apps.entitlements.decisions import Decision, Reason
from apps.entitlements.limiting.ceilings import Held
from apps.plans.metadata import entity_name
from apps.plans.terms import Kind


def decision_for(ceiling: Held, *, requested: int, used: int) -> Decision:
    """Why so many more rows are refused. Asks the database nothing: its transaction may have been spoilt."""
    return Decision(
        has_access=False,
        reason=Reason.LIMIT_EXCEEDED if ceiling.source else Reason(ceiling.reason or Reason.NOT_IN_PLAN),
        feature=ceiling.feature,
        name=ceiling.name or entity_name(ceiling.feature),
        kind=Kind.COUNT.value,
        requested=requested,
        used=used,
        limit=ceiling.most,
        plan=ceiling.plan,
        source=ceiling.source,
        upgrade_url=settings.TENANTRY_UPGRADE_URL,
    )
