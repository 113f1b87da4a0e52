"""The events themselves."""

from collections.abc import Sequence
from uuid import UUID

from django.db import connection

from apps.usage.errors import UnknownEvent
from apps.usage.models import UsageEvent
from apps.usage.types import Cursor

# Some of each feature by the index, then the first of all these: however many events there are.
_PAGE = """
    SELECT newest.id
    FROM (SELECT DISTINCT feature FROM usage_counter WHERE tenant_uuid = %(tenant)s) AS known
    CROSS JOIN LATERAL (
        SELECT e.at, e.id FROM usage_usageevent e
        WHERE e.tenant_uuid = %(tenant)s AND e.feature = known.feature
          AND (%(at)s::timestamptz IS NULL OR (e.at, e.id) < (%(at)s::timestamptz, %(id)s::uuid))
        ORDER BY e.at DESC, e.id DESC LIMIT %(size)s
    ) AS newest
    WHERE %(feature)s::text IS NULL OR known.feature = %(feature)s
    ORDER BY newest.at DESC, newest.id DESC LIMIT %(size)s
"""


def events(
    *, tenant_key: UUID, feature: str | None = None, after: Cursor | None = None, size: int = 50
) -> Sequence[UsageEvent]:
    """A page of a tenant's events, the latest by time of use first: those that come after a place in that order."""
    values = {
        "tenant": tenant_key,
        "feature": feature,
        "at": after.at if after else None,
        "id": after.event_id if after else None,
        "size": size,
    }
    with connection.cursor() as cursor:
        cursor.execute(_PAGE, values)
        ids = [row[0] for row in cursor]
    return list(UsageEvent.objects.filter(tenant_uuid=tenant_key, id__in=ids).order_by("-at", "-id"))


def event(*, tenant_key: UUID, event_id: UUID) -> UsageEvent:
    """One event.

    Raises:
        UnknownEvent: when the tenant has none of that id.
    """
    found = UsageEvent.objects.filter(tenant_uuid=tenant_key, id=event_id).first()
    if found is None:
        raise UnknownEvent(f"There is no usage event {event_id}.")
    return found
