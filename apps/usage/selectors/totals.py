"""Totals that the vendor's app reported."""

from collections.abc import Collection, Mapping
from uuid import UUID

from apps.usage.models import ReportedTotal


def reported_totals(tenant_keys: Collection[UUID]) -> Mapping[UUID, Mapping[str, ReportedTotal]]:
    """The reported totals of these tenants, by tenant and entity; a tenant nobody told of is empty."""
    found: dict[UUID, dict[str, ReportedTotal]] = {key: {} for key in tenant_keys}
    for row in ReportedTotal.objects.filter(tenant_uuid__in=tenant_keys):
        found[row.tenant_uuid][row.entity] = row
    return found
