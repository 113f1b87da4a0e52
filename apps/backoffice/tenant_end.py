"""What the operator sees of the end of a tenant, as data."""

from dataclasses import dataclass
from datetime import datetime

from django.conf import settings

from apps.lifecycle import offboarding
from apps.lifecycle.difference import notices_given, time_of
from apps.lifecycle.retention import notices_to_come
from apps.tenants.models import Provisioning, Tenant


@dataclass(frozen=True)
class Notice:
    """One notice of the deletion: so many days before, and when it was or will be sent."""

    days: int
    at: datetime
    is_sent: bool


@dataclass(frozen=True)
class End:
    """How a tenant stands to its end. `may_be_kept`: time may delete it, so keeping it means something."""

    deleting: bool
    requested: bool
    delete_at: datetime | None
    notices: tuple[Notice, ...]
    kept_because: str
    may_be_kept: bool


def end_of(*, tenant: Tenant, now: datetime) -> End:
    """Gather what is known of the end of one tenant."""
    deleting = tenant.provisioning == Provisioning.DELETING
    return End(
        deleting=deleting,
        requested=not deleting and offboarding.deletion_is_requested(tenant),
        delete_at=tenant.delete_at,
        notices=_notices(tenant, now),
        kept_because=tenant.kept_because,
        may_be_kept=bool(settings.TENANTRY_RETENTION_DAYS) and not tenant.kept_because,
    )


def _notices(tenant: Tenant, now: datetime) -> tuple[Notice, ...]:
    if tenant.delete_at is None:
        return ()
    given = notices_given(tenant)
    coming = notices_to_come(
        tenant.delete_at,
        notices=settings.TENANTRY_RETENTION_NOTICES,
        given=given,
        now=time_of(tenant, now=now),
    )
    sent = [Notice(days, at, is_sent=True) for days, at in given.items()]
    return (*sent, *(Notice(days, at, is_sent=False) for days, at in coming.items()))
