"""Counting the rows of a tenant's own models."""

from collections.abc import Mapping
from typing import Any

from django.db.models import CharField, Count, QuerySet, Value

from apps.entitlements.registry import CountedEntity, counted_entities
from apps.tenants import context, schema
from apps.tenants.errors import TenantNotReady
from apps.tenants.models import Tenant


def counted_totals(tenant: Tenant) -> Mapping[str, int]:
    """How many of each registered entity the tenant has now, by one query in its schema.

    Empty for a tenant that cannot be entered, or whose schema `migrate` has yet to bring
    to the current version: a table missing there might be read from the public schema.
    """
    queries = [_count(each) for each in counted_entities().values()]
    if not queries or tenant.schema_version != schema.current_version():
        return {}
    try:
        with context.enter(tenant):
            return dict(queries[0].union(*queries[1:], all=True))
    except TenantNotReady:
        return {}


def _count(counted: CountedEntity) -> "QuerySet[Any, tuple[str, int]]":
    named = counted.rows().annotate(entity_key=Value(counted.entity, output_field=CharField()))
    grouped: QuerySet[Any, Any] = named.values("entity_key").annotate(row_count=Count("*"))
    return grouped.values_list("entity_key", "row_count")
