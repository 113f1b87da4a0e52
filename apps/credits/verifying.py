"""Whether everything in the books follows from the ledger."""

from uuid import UUID

from django.db import connection

from apps.credits.types import Discrepancy
from apps.tenants.models import Tenant

_ACCOUNTS = """
    WITH told AS (
        SELECT entry.tenant_uuid, entry.feature, sum(entry.amount) AS balance, max(seq) AS last_seq,
               count(*) AS entries, -coalesce(sum(entry.amount) FILTER (WHERE grant_id IS NULL), 0) AS debt,
               -coalesce(sum(entry.amount) FILTER (WHERE kind = 'burn' AND seq > spent_after), 0) AS spent
        FROM credits_ledgerentry AS entry LEFT JOIN credits_account USING (tenant_uuid, feature)
        GROUP BY entry.tenant_uuid, entry.feature
    ), granted AS (
        SELECT tenant_uuid, feature, sum(held) AS held,
               coalesce(sum(remaining) FILTER (WHERE counted_at IS NOT NULL), 0) AS remaining
        FROM credits_grant GROUP BY tenant_uuid, feature
    ), set_aside AS (
        SELECT tenant_uuid, feature, sum((part ->> 1)::bigint) AS held
        FROM credits_reservation, jsonb_array_elements(parts) AS part
        WHERE state = 'open' GROUP BY tenant_uuid, feature
    )
    SELECT tenant_uuid, feature, what, expected, found
    FROM credits_account AS account
    FULL JOIN told USING (tenant_uuid, feature)
    FULL JOIN granted USING (tenant_uuid, feature)
    FULL JOIN set_aside USING (tenant_uuid, feature)
    CROSS JOIN LATERAL (VALUES
        ('the balance', told.balance, account.balance),
        ('what remains of the grants, less the debt', told.balance,
         coalesce(granted.remaining, 0) - coalesce(account.debt, 0)),
        ('the debt', told.debt, account.debt),
        ('what was spent in the period', told.spent, account.spent),
        ('the number of the last entry', told.last_seq, account.last_seq),
        ('the number of entries', told.last_seq, told.entries),
        ('what is set aside of the grants', set_aside.held, granted.held)
    ) AS compared (what, expected, found)
    WHERE coalesce(expected, 0) <> coalesce(found, 0) AND (%(tenant)s::uuid IS NULL OR tenant_uuid = %(tenant)s)
"""
_GRANTS = """
    WITH told AS (
        SELECT tenant_uuid, grant_id AS id, sum(amount) AS remaining,
               -coalesce(sum(amount) FILTER (WHERE kind IN ('hold', 'release')), 0) AS taken
        FROM credits_ledgerentry WHERE grant_id IS NOT NULL GROUP BY tenant_uuid, grant_id
    )
    SELECT tenant_uuid, coalesce(known.feature, ''), format(what, id), coalesce(expected, 0), coalesce(found, 0)
    FROM credits_grant AS known
    FULL JOIN told USING (tenant_uuid, id)
    CROSS JOIN LATERAL (VALUES
        ('what remains of the grant %%s', told.remaining,
         CASE WHEN known.counted_at IS NOT NULL THEN known.remaining END),
        ('what is set aside of the grant %%s', told.taken, known.held)
    ) AS compared (what, expected, found)
    WHERE coalesce(expected, 0) <> coalesce(found, 0) AND (%(tenant)s::uuid IS NULL OR tenant_uuid = %(tenant)s)
"""
_RUNNING = """
    SELECT tenant_uuid, feature, format('the balance after entry %%s', seq), running, balance_after
    FROM (SELECT tenant_uuid, feature, seq, balance_after,
                 sum(amount) OVER (PARTITION BY tenant_uuid, feature ORDER BY seq) AS running
          FROM credits_ledgerentry WHERE %(tenant)s::uuid IS NULL OR tenant_uuid = %(tenant)s) AS entries
    WHERE running <> balance_after
"""


def verify(tenant: Tenant | None = None) -> list[Discrepancy]:
    """Compute every balance and grant of a tenant (None: of all) anew from the ledger, and tell what differs."""
    found = [each for sql in (_ACCOUNTS, _GRANTS, _RUNNING) for each in _differences(sql, tenant)]
    return sorted(found, key=lambda each: (each.tenant_uuid, each.feature, each.what))


def _differences(sql: str, tenant: Tenant | None) -> list[Discrepancy]:
    with connection.cursor() as cursor:
        cursor.execute(sql, {"tenant": tenant.pk if tenant else None})
        return [_discrepancy(*row) for row in cursor.fetchall()]


def _discrepancy(tenant_uuid: UUID, feature: str, what: str, expected: int | None, found: int | None) -> Discrepancy:
    return Discrepancy(tenant_uuid, feature, what, int(expected or 0), int(found or 0))
