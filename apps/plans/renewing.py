"""Making entitlements a version newer, in the transaction that changes a source of them.

Whoever holds what was worked out from the sources compares versions, and works it out
anew when they differ. So every write to a source is made within `change`. What has to be
right at once, and not only when it is asked for, registers a hook; so does what still has
to be done by the former sources.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.db.models import F

from apps.plans.models import DefaultPlan, Plan
from apps.tenants.models import Tenant

# Called with the keys of the tenants (None: all of them) and the moment.
Hook = Callable[[Sequence[UUID] | None, datetime], None]
_hooks: list[Hook] = []
_hooks_before: list[Hook] = []


def on_renewal(hook: Hook) -> Hook:
    """Call a function whenever entitlements became newer, in that transaction; twice registered it is called once."""
    if hook not in _hooks:
        _hooks.append(hook)
    return hook


def before_renewal(hook: Hook) -> Hook:
    """Call a function, in that transaction, when sources are about to change and all is still as it was."""
    if hook not in _hooks_before:
        _hooks_before.append(hook)
    return hook


@contextmanager
def change(tenant: Tenant | None, *, now: datetime) -> Iterator[None]:
    """Change what a tenant's entitlements come from, or, None, everybody's; they are a version newer at its end.

    Until then the tenants' rows are locked, so that nobody changes a source between what is
    done by the former ones and the write.
    """
    with transaction.atomic():
        keys = [tenant.pk] if tenant else None
        _lock(keys)
        for hook in _hooks_before:
            hook(keys, now)
        yield
        if tenant:
            renew(tenant, now=now)
        else:
            renew_all(now=now)


def _lock(keys: Sequence[UUID] | None) -> list[UUID]:
    """Lock these tenants' rows, or all: in one order, so that two of these never wait for each other."""
    rows = Tenant.objects.select_for_update(no_key=True).order_by("pk").values_list("pk", flat=True)
    return list(rows if keys is None else rows.filter(pk__in=keys))


@transaction.atomic
def renew(tenant: Tenant, *, now: datetime) -> None:
    """Make a tenant's entitlements a version newer."""
    Tenant.objects.filter(pk=tenant.pk).update(entitlements_version=F("entitlements_version") + 1)
    tenant.refresh_from_db(fields=["entitlements_version"])
    _tell([tenant.pk], now)


@transaction.atomic
def renew_all(*, now: datetime) -> None:
    """Make every tenant's entitlements a version newer: the default plan concerns whoever holds no other."""
    Tenant.objects.filter(pk__in=_lock(None)).update(entitlements_version=F("entitlements_version") + 1)
    _tell(None, now)


@contextmanager
def change_of(plan: Plan, *, now: datetime) -> Iterator[None]:
    """Publish a version of a plan: a change for everybody where it is the default plan, and else for nobody."""
    if not DefaultPlan.objects.present().filter(plan=plan).exists():
        yield
        return
    with change(None, now=now):
        yield


def _tell(keys: Sequence[UUID] | None, now: datetime) -> None:
    for hook in _hooks:
        hook(keys, now)
