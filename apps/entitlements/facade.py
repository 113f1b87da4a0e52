"""The whole of what the vendor's app calls.

    from apps.entitlements import facade as entitlements

    decision = entitlements.consume(tenant=tenant, feature="api-calls", actor=actor, now=clock.now())
    if not decision.has_access:
        return decision.message

Count features that are bound to a model need none of this: derive the model from
`LimitedModel`, and rows beyond the limit are refused, whichever way they come in.
"""

from apps.entitlements.asking import check
from apps.entitlements.booking import consume, release, usage_set
from apps.entitlements.decisions import Decision, Reason
from apps.entitlements.decorators import require, requires_feature
from apps.entitlements.errors import LimitReached, Refused
from apps.entitlements.ingesting import Report, correct, ingest
from apps.entitlements.limiting.models import LimitedModel
from apps.entitlements.reserving import Reserved, confirm, release_reservation, reserve
from apps.entitlements.spending import spend

__all__ = [
    "Decision",
    "LimitReached",
    "LimitedModel",
    "Reason",
    "Refused",
    "Report",
    "Reserved",
    "check",
    "confirm",
    "consume",
    "correct",
    "ingest",
    "release",
    "release_reservation",
    "require",
    "requires_feature",
    "reserve",
    "spend",
    "usage_set",
]
