"""What the pages show of projects, tasks, and what another one costs."""

from dataclasses import dataclass
from datetime import datetime

from django.db.models import Count, Q, QuerySet

from apps.credits import selectors as credits
from apps.credits.types import CreditType
from apps.entitlements.facade import Decision, Reason, check
from apps.showcase.models import Project
from apps.showcase.prices import PROJECT, TASK
from apps.tenants.models import Tenant


@dataclass(frozen=True)
class Price:
    """What one more costs, and whether the tenant may have it.

    `left` are the credits that there are; None: nobody counts them. `refusal` says why there
    can be no more; None: there can.
    """

    cost: int
    left: int | None
    refusal: Decision | None


def projects() -> QuerySet[Project]:
    """The projects, newest first, each with `task_count` and `done_count`."""
    counted = Project.objects.annotate(task_count=Count("tasks"), done_count=Count("tasks", filter=Q(tasks__done=True)))
    # What is grouped forgets the model's own order.
    return counted.order_by("-created_at", "name")


def price_of_project(*, tenant: Tenant, now: datetime) -> Price:
    """What another project costs, and whether there can be one."""
    room = check(tenant=tenant, feature=Project.limited_by, now=now)
    # What no plan speaks of is not limited, whatever it is called.
    is_full = not room.has_access and room.reason != Reason.FEATURE_NOT_FOUND
    return _price(PROJECT, tenant, now, full=room if is_full else None)


def price_of_task(*, tenant: Tenant, now: datetime) -> Price:
    """What another task costs, and whether there can be one."""
    return _price(TASK, tenant, now)


def _price(defined: CreditType, tenant: Tenant, now: datetime, *, full: Decision | None = None) -> Price:
    kind = credits.credit_type(defined.value)
    paying = check(tenant=tenant, feature=kind.feature, requested=kind.amount, now=now)
    return Price(kind.amount, paying.remaining, full or (None if paying.has_access else paying))
