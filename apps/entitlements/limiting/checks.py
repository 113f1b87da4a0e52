"""Checks that what is counted is limited."""

from collections.abc import Sequence
from typing import Any

from django.core.checks import CheckMessage, Error, Tags, register
from django.db import connection

from apps.entitlements.limiting import triggers
from apps.entitlements.registry import counted_entities
from apps.plans.models import Feature
from apps.plans.terms import Kind


@register(Tags.database)
def the_last_wall_stands(
    app_configs: Sequence[Any] | None, databases: Sequence[str] | None = None, **kwargs: Any
) -> list[CheckMessage]:
    """Without its triggers a tenant's table takes rows beyond the limit from whoever asks no model."""
    if not databases or "tenants_tenant" not in connection.introspection.table_names():
        return []
    return [
        Error(
            f"The schema of tenant {tenant_id!r} lacks {', '.join(names)}, or they are disabled.",
            hint="Enable them, or empty the tenant's schema_version and run `manage.py migrate`, which makes them.",
            id="entitlements.E001",
        )
        for tenant_id, names in triggers.missing().items()
    ]


@register(Tags.database)
def what_is_counted_is_a_count(
    app_configs: Sequence[Any] | None, databases: Sequence[str] | None = None, **kwargs: Any
) -> list[CheckMessage]:
    """A feature of another kind limits no rows."""
    if not databases or "plans_feature" not in connection.introspection.table_names():
        return []
    others = Feature.objects.filter(key__in=counted_entities()).exclude(kind=Kind.COUNT).order_by("key")
    return [
        Error(
            f"The rows of {counted_entities()[each.key].model._meta.label} are limited by the feature {each.key!r}, "
            f"which is of the kind {each.kind}, so they are not limited at all.",
            hint="Count them as another entity, which is a feature of the kind count.",
            id="entitlements.E002",
        )
        for each in others
    ]
