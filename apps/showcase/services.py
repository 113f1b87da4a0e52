"""Making projects and tasks, which costs credits, and what becomes of them."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID, uuid4

from django.conf import settings
from django.db import IntegrityError, transaction
from django.urls import reverse

from apps.core.actors import Actor
from apps.core.errors import IdempotencyKeyReused
from apps.credits.types import CreditType
from apps.entitlements import facade as entitlements
from apps.showcase.errors import AlreadyMade
from apps.showcase.models import Project, Task
from apps.showcase.prices import PROJECT, TASK
from apps.tenants.models import Tenant

Row = TypeVar("Row", Project, Task)


@dataclass(frozen=True)
class _Payment:
    """What is paid, by whom, and for what."""

    tenant: Tenant
    kind: CreditType
    object_ref: str
    actor: Actor
    now: datetime


def create_project(
    *,
    tenant: Tenant,
    name: str,
    description: str = "",
    actor: Actor,
    by: str,
    now: datetime,
    key: UUID | None = None,
) -> Project:
    """A new project, paid with credits; inside the tenant's schema.

    `by` is the user name shown beside it. `key` becomes its id: the same call with the same
    key makes one project, and is charged once.

    Raises:
        LimitReached: when the tenant has as many as its plan allows.
        Refused: when too few credits are left. Either way nothing was saved or charged.
        AlreadyMade: when the key has made another project.
    """
    project = Project(id=key or uuid4(), name=name, description=description, created_by=by, created_at=now)
    return _paid_for(project, _Payment(tenant, PROJECT, project_path(project.pk), actor, now), same=("name",))


def create_task(
    *,
    tenant: Tenant,
    project: Project,
    title: str,
    actor: Actor,
    by: str,
    now: datetime,
    key: UUID | None = None,
) -> Task:
    """A new task in a project; see `create_project`.

    Raises:
        Refused: when too few credits are left. Nothing was saved or charged.
        AlreadyMade: when the key has made another task.
    """
    task = Task(id=key or uuid4(), project=project, title=title, created_by=by, created_at=now)
    return _paid_for(task, _Payment(tenant, TASK, task_path(task), actor, now), same=("project_id", "title"))


def set_done(*, task: Task, done: bool) -> None:
    """Mark a task done, or to be done again."""
    task.done = done
    task.save(update_fields=["done"])


def delete(row: Project | Task) -> None:
    """Delete a project with its tasks, or a task. What it cost is not given back."""
    row.delete()


def project_path(project_key: UUID) -> str:
    """Where a project is found on its tenant's host."""
    return reverse("showcase:project", args=[project_key], urlconf=settings.ROOT_URLCONF)


def task_path(task: Task) -> str:
    """Where a task is found on its tenant's host."""
    return f"{project_path(task.project_id)}#task-{task.pk}"


def _paid_for(row: Row, payment: _Payment, *, same: tuple[str, ...]) -> Row:
    if made := _made_before(row, same):
        return made
    try:
        with transaction.atomic():
            row.save(force_insert=True)
            _charge(payment, key=row.pk)
    except (IntegrityError, entitlements.LimitReached):
        # The same call at the same moment may have been faster, and may have taken the last place.
        if made := _made_before(row, same):
            return made
        raise
    except IdempotencyKeyReused as error:
        raise AlreadyMade("This form has paid for something else already. Send it once more.") from error
    return row


def _charge(payment: _Payment, *, key: UUID) -> None:
    decision = entitlements.spend(
        tenant=payment.tenant,
        credit_type=payment.kind.value,
        actor=payment.actor,
        object_ref=payment.object_ref,
        idempotency_key=str(key),
        now=payment.now,
    )
    if not decision.has_access:
        raise entitlements.Refused(decision)


def _made_before(row: Row, same: tuple[str, ...]) -> Row | None:
    """What the key has made already."""
    known: Any = type(row)._default_manager.filter(pk=row.pk).first()
    if known is not None and any(getattr(known, each) != getattr(row, each) for each in same):
        raise AlreadyMade(f"This form has made “{known}” already. Send it once more to make another one.")
    return known  # type: ignore[no-any-return]
