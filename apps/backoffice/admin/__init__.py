"""The operator's lists and pages, one module per noun."""

from apps.backoffice.admin import (
    alerts,
    audit,
    credit_types,
    events,
    features,
    operators,
    plans,
    prices,
    subscriptions,
    tenants,
    tombstones,
)

__all__ = [
    "alerts",
    "audit",
    "credit_types",
    "events",
    "features",
    "operators",
    "plans",
    "prices",
    "subscriptions",
    "tenants",
    "tombstones",
]
