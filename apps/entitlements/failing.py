"""What is answered when the question itself fails: as the feature's terms say, logged and counted.

Only where no transaction is open. Within one PostgreSQL has given it up already, so to go
on would lose all of the caller's work without a word: there the error goes on its way.
"""

from collections import Counter
from typing import Any

import structlog
from django.db import InterfaceError, InternalError, OperationalError, connection

from apps.entitlements.decisions import Decision, Reason
from apps.entitlements.snapshot import Held, kept
from apps.plans.terms import OnError
from apps.tenants.models import Tenant

log = structlog.get_logger(__name__)

# The database is away, or in trouble. What it says about the values it was given is none of these.
UNANSWERED = (OperationalError, InterfaceError, InternalError)

# How often this process had to answer like that, by feature.
failures: Counter[str] = Counter()


def answer(*, tenant: Tenant | None, feature: str, requested: Any, error: Exception) -> Decision:
    """Allowed where the feature fails open, refused where it fails closed, as it does unless a plan says otherwise.

    What the plan says is taken from the last that this process knew of the tenant.

    Raises:
        the error itself, within a transaction.
    """
    held = _last_known(tenant, feature)
    is_open = held is not None and held.entitlement.terms.on_error == OnError.OPEN
    failures[feature] += 1
    tenant_id = tenant.tenant_id if tenant else ""
    log.error("entitlement not known", feature=feature, tenant_id=tenant_id, allowed=is_open, exc_info=error)
    if connection.in_atomic_block:
        raise error
    name = held.entitlement.name if held else ""
    return Decision(is_open, Reason.UNKNOWN, feature, name=name, requested=requested, is_fallback=True)


def _last_known(tenant: Tenant | None, feature: str) -> Held | None:
    snapshot = kept.get(tenant.pk) if tenant else None
    return snapshot.features.get(feature) if snapshot else None
