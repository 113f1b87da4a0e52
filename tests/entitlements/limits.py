"""A tenant with limits, for tests of what enforces them."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest
from django.db import connection

from apps.core import clock
from apps.plans import catalogue, overriding
from apps.plans.resolution import Grant
from apps.plans.terms import Kind
from apps.showcase.models import Project
from apps.tenants import context
from apps.tenants.models import Tenant
from tests.factories import NOW, SOMEBODY, make_tenant
from tests.support import databases


@pytest.fixture(scope="module")
def committed(django_db_setup: None, django_db_blocker: Any) -> Iterator[Tenant]:
    """A tenant that stays in the database for a module whose tests each roll back what they do."""
    with django_db_blocker.unblock():
        made = make_limited()
    yield made
    with django_db_blocker.unblock():
        databases.clean()


@pytest.fixture
def acme(committed: Tenant, db: None) -> Tenant:
    """A tenant that may have three projects."""
    return Tenant.objects.get(pk=committed.pk)


@pytest.fixture
def inside(acme: Tenant) -> Iterator[Tenant]:
    """The same, entered."""
    with context.enter(acme):
        yield acme


def make_limited(tenant_id: str = "acme", projects: int | None = 3) -> Tenant:
    """A tenant that may have so many projects."""
    tenant = make_tenant(tenant_id)
    define_projects()
    allow(tenant, projects)
    return tenant


def define_projects() -> None:
    """Let projects be something that plans grant."""
    catalogue.define_feature(key="projects", kind=Kind.COUNT, actor=SOMEBODY, now=NOW)


def allow(tenant: Tenant, limit: int | None, feature: str = "projects", until: datetime | None = None) -> None:
    """From now on a tenant may have so many."""
    overriding.set_override(
        tenant=tenant,
        feature=feature,
        grant=Grant(limit=limit),
        reason="Test",
        until=until,
        actor=SOMEBODY,
        now=clock.now(),
    )


def project(number: int = 0) -> Project:
    """One that is not saved yet."""
    return Project(name=f"Project {number}")


def fill(number: int = 3) -> None:
    """Make so many projects in the tenant that has been entered."""
    for each in range(number):
        project(each).save()


def insert(tenant: Tenant, number: int = 1) -> None:
    """Make projects past every model."""
    with connection.cursor() as cursor:
        cursor.execute(
            f'INSERT INTO "{tenant.schema_name}".showcase_project (id, name, description, created_by, created_at) '
            "SELECT gen_random_uuid(), 'Raw ' || number, '', '', now() FROM generate_series(1, %s) AS number",
            [number],
        )


def without_triggers(tenant: Tenant) -> None:
    """Tear the last wall down."""
    with connection.cursor() as cursor:
        cursor.execute(f'ALTER TABLE "{tenant.schema_name}".showcase_project DISABLE TRIGGER USER')
        cursor.execute(f'ALTER TABLE "{tenant.schema_name}".accounts_user DISABLE TRIGGER USER')


def count(tenant: Tenant) -> int:
    """How many projects there are."""
    with context.enter(tenant):
        return Project.objects.count()
