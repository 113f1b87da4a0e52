"""Making entitlements a version newer, in the transaction that changes a source of them.

Whoever holds what was worked out from the sources compares versions, and works it out
anew when they differ. So every write to a source goes with one of these calls.
"""

from django.db.models import F

from apps.plans.models import DefaultPlan, Plan
from apps.tenants.models import Tenant


def renew(tenant: Tenant) -> None:
    """Make a tenant's entitlements a version newer."""
    Tenant.objects.filter(pk=tenant.pk).update(entitlements_version=F("entitlements_version") + 1)
    tenant.refresh_from_db(fields=["entitlements_version"])


def renew_all() -> None:
    """Make every tenant's entitlements a version newer: the default plan concerns whoever holds no other."""
    # One order for all, so that two of these never wait for each other.
    keys = list(Tenant.objects.select_for_update(no_key=True).order_by("pk").values_list("pk", flat=True))
    Tenant.objects.filter(pk__in=keys).update(entitlements_version=F("entitlements_version") + 1)


def renew_if_default(plan: Plan) -> None:
    """Renew all when a new version of the default plan was published."""
    if DefaultPlan.objects.present().filter(plan=plan).exists():
        renew_all()
