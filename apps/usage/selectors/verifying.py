"""Whether the counters are what the events come to."""

from django.db import connection

from apps.core.periods import Period
from apps.tenants.models import Tenant
from apps.usage.types import Discrepancy

# One statement, so that counters and events are those of one moment.
_DISCREPANCIES = """
    WITH summed AS (
        SELECT tenant_uuid, feature, period_start, period_end, sum(amount)::bigint AS used
        FROM usage_usageevent e
        WHERE %(tenant)s::uuid IS NULL OR tenant_uuid = %(tenant)s
        GROUP BY tenant_uuid, feature, period_start, period_end
    ), counters AS (
        SELECT c.*, coalesce(lag(c.level) OVER (
            PARTITION BY c.tenant_uuid, c.feature, c.level IS NULL ORDER BY c.period_start, c.period_end
        ), 0) AS former
        FROM usage_counter c
        WHERE %(tenant)s::uuid IS NULL OR c.tenant_uuid = %(tenant)s
    ), books AS (
        SELECT tenant_uuid, feature, period_start, period_end, 'used' AS what, c.used AS counter,
               coalesce(s.used, 0) AS books
        FROM counters c FULL JOIN summed s USING (tenant_uuid, feature, period_start, period_end)
        WHERE c.level IS NULL
        UNION ALL
        SELECT tenant_uuid, feature, period_start, period_end, numbers.*
        FROM counters c
        CROSS JOIN LATERAL usage_replay(
            c.tenant_uuid, c.feature, c.period_start, c.period_end, c.aggregate, c.former) r
        CROSS JOIN LATERAL (VALUES
            ('opening', c.opening, c.former), ('used', c.used, r.o_used), ('level', c.level, r.o_level)) AS numbers
        WHERE c.level IS NOT NULL
    )
    SELECT * FROM books WHERE counter IS DISTINCT FROM books
    ORDER BY tenant_uuid, feature, period_start, period_end, what
"""


def verify(tenant: Tenant | None = None) -> list[Discrepancy]:
    """Count every counter anew from its events, of one tenant or all, and tell where the two differ.

    `counter` None: there are events, but no counter.
    """
    with connection.cursor() as cursor:
        cursor.execute(_DISCREPANCIES, {"tenant": tenant.pk if tenant else None})
        return [
            Discrepancy(tenant_uuid, feature, Period(start, end), what, counter, books)
            for tenant_uuid, feature, start, end, what, counter, books in cursor
        ]
