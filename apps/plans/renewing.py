"""Making entitlements a version newer, in the transaction that changes a source of them.

Whoever holds what was worked out from the sources compares versions, and works it out
anew when they differ. So every write to a source goes with one of these calls. What has
to be right at once, and not only when it is asked for, registers a hook.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.db.models import F

from apps.plans.models import DefaultPlan, Plan
from apps.tenants.models import Tenant

# Called with the keys of the tenants (None: all of them) and the moment.
Hook = Callable[[Sequence[UUID] | None, datetime], None]
_hooks: list[Hook] = []


def on_renewal(hook: Hook) -> Hook:
    """Call a function whenever entitlements became newer, in that transaction; twice registered it is called once."""
    if hook not in _hooks:
        _hooks.append(hook)
    return hook


@transaction.atomic
def renew(tenant: Tenant, *, now: datetime) -> None:
    """Make a tenant's entitlements a version newer."""
    Tenant.objects.filter(pk=tenant.pk).update(entitlements_version=F("entitlements_version") + 1)
    tenant.refresh_from_db(fields=["entitlements_version"])
    _tell([tenant.pk], now)


@transaction.atomic
def renew_all(*, now: datetime) -> None:
    """Make every tenant's entitlements a version newer: the default plan concerns whoever holds no other."""
    # One order for all, so that two of these never wait for each other.
    keys = list(Tenant.objects.select_for_update(no_key=True).order_by("pk").values_list("pk", flat=True))
    Tenant.objects.filter(pk__in=keys).update(entitlements_version=F("entitlements_version") + 1)
    _tell(None, now)


def renew_if_default(plan: Plan, *, now: datetime) -> None:
    """Renew all when a new version of the default plan was published."""
    if DefaultPlan.objects.present().filter(plan=plan).exists():
        renew_all(now=now)


def _tell(keys: Sequence[UUID] | None, now: datetime) -> None:
    for hook in _hooks:
        hook(keys, now)
