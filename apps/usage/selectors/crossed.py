"""Which thresholds were crossed."""

from datetime import datetime
from uuid import UUID

from django.db.models import QuerySet

from apps.core.periods import Period
from apps.usage.models import Crossing


def crossings(
    *,
    tenant_key: UUID | None = None,
    feature: str | None = None,
    period: Period | None = None,
    since: datetime | None = None,
) -> QuerySet[Crossing]:
    """What was crossed, the latest first: of one tenant or all, one feature or all, one period or all.

    `since` is the moment from which on it was recorded, which may be long after it was used.
    """
    found = Crossing.objects.order_by("-recorded_at", "-used", "id")
    if tenant_key is not None:
        found = found.filter(tenant_uuid=tenant_key)
    if feature is not None:
        found = found.filter(feature=feature)
    if period is not None:
        found = found.filter(period_start=period.start, period_end=period.end)
    return found if since is None else found.filter(recorded_at__gte=since)
