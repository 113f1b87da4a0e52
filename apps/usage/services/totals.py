"""Totals that the vendor's app reports from time to time."""

import uuid
from collections.abc import Mapping
from datetime import datetime

from django.db import connection, transaction

from apps.core.actors import Actor
from apps.tenants.models import Tenant

# One statement, so that of two reports at once the later one by time stays, whichever arrives first.
_RECORD = """
    INSERT INTO usage_reportedtotal AS known (tenant_uuid, id, entity, total, reported_at, reported_by)
    VALUES (%s, %s, %s, %s, %s, %s)
    ON CONFLICT (tenant_uuid, entity) DO UPDATE
    SET total = EXCLUDED.total, reported_at = EXCLUDED.reported_at, reported_by = EXCLUDED.reported_by
    WHERE known.reported_at <= EXCLUDED.reported_at
"""


@transaction.atomic
def record_totals(*, tenant: Tenant, totals: Mapping[str, int], actor: Actor, now: datetime) -> None:
    """Keep how many of each entity a tenant has, told by `actor` at `now`.

    An entity of which a later moment has been told already keeps that; the others change.
    The caller has made sure that each total is one: 0 to 2**63 - 1.
    """
    # In one order everywhere, so that two reports never wait for each other.
    rows = [
        (tenant.pk, uuid.uuid4(), entity, total, now, actor.label[:200]) for entity, total in sorted(totals.items())
    ]
    with connection.cursor() as cursor:
        cursor.executemany(_RECORD, rows)
