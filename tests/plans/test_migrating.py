"""What was there before plans had a history keeps its meaning."""

import importlib
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import connection
from django.db.migrations import Migration
from django.db.migrations.state import ProjectState

BEFORE = (
    "tenants.0001_initial",
    "tenants.0002_the_end_of_a_tenant",
    "plans.0001_initial",
    "plans.0002_whose_a_subscription_was",
)
AFTER = "plans.0003_grants_and_their_history"
JANUARY, MARCH = (datetime(2026, month, 1, tzinfo=UTC) for month in (1, 3))


def migration_of(name: str) -> Migration:
    """A migration by app and name, such as plans.0001_initial."""
    app, _, file = name.partition(".")
    made: Migration = importlib.import_module(f"apps.{app}.migrations.{file}").Migration(file, app)
    return made


@pytest.fixture
def migrate(transactional_db: None, settings: Any) -> Iterator[Callable[..., ProjectState]]:
    """Run migrations, one after the other, in a schema of their own."""
    with connection.cursor() as cursor:
        cursor.execute("CREATE SCHEMA t_scratch")
    # These apps have tables in the public schema alone: for a while that is another one.
    settings.PUBLIC_SCHEMA_NAME = "t_scratch"
    connection.set_schema_to_public()

    def run(state: ProjectState, *names: str) -> ProjectState:
        for name in names:
            with connection.schema_editor(atomic=True) as editor:
                state = migration_of(name).apply(state, editor)
        return state

    yield run
    settings.PUBLIC_SCHEMA_NAME = "public"
    connection.set_schema_to_public()
    with connection.cursor() as cursor:
        cursor.execute("DROP SCHEMA t_scratch CASCADE")


def test_rows_survive(migrate: Callable[..., ProjectState]) -> None:
    state = migrate(ProjectState(), *BEFORE)
    old: Any = state.apps
    tenant = old.get_model("tenants", "Tenant").objects.create(
        tenant_id="acme", schema_name="t_acme", created_at=JANUARY
    )
    plan = old.get_model("plans", "Plan").objects.create(key="pro", name="Pro", price_id="price_1")
    version = old.get_model("plans", "PlanVersion").objects.create(plan=plan, number=1, published_at=MARCH)
    old.get_model("plans", "Feature").objects.create(key="gateways", name="Gateways")
    old.get_model("plans", "Allowance").objects.create(version=version, feature_id="gateways", limit=0)
    old.get_model("plans", "PlanAssignment").objects.create(
        tenant=tenant, subscription_id="sub_1", item_id="si_1", version=version, quantity=2
    )

    new: Any = migrate(state, AFTER).apps

    feature = new.get_model("plans", "Feature").objects.get()
    assert (feature.kind, feature.unlimited_when_absent) == ("count", True)
    allowance = new.get_model("plans", "Allowance").objects.get()
    assert (allowance.kind, allowance.limit, allowance.value, allowance.reset_period) == ("count", 0, None, "never")
    assert (allowance.enforcement, allowance.warning_thresholds, allowance.on_error) == ("hard", [80, 100], "closed")
    held = new.get_model("plans", "PlanAssignment").objects.get()
    assert (held.item_id, held.quantity, held.version_id) == ("si_1", 2, version.pk)
    assert (held.valid_from, held.valid_to) == (MARCH, None)
    found = new.get_model("plans", "PlanVersion").objects.get()
    assert (found.plan.price_id, found.add_on) == ("price_1", False)


def test_there_is_a_way_back_which_leaves_the_present(migrate: Callable[..., ProjectState]) -> None:
    before = migrate(ProjectState(), *BEFORE)
    after: Any = migrate(before.clone(), AFTER).apps
    tenant = after.get_model("tenants", "Tenant").objects.create(
        tenant_id="acme", schema_name="t_acme", created_at=JANUARY
    )
    plan = after.get_model("plans", "Plan").objects.create(key="pro", name="Pro", price_id="price_1")
    version = after.get_model("plans", "PlanVersion").objects.create(plan=plan, number=1, published_at=MARCH)
    for valid_to in (MARCH, None):
        after.get_model("plans", "PlanAssignment").objects.create(
            tenant=tenant, subscription_id="sub_1", item_id="si_1", version=version, valid_from=MARCH, valid_to=valid_to
        )

    with connection.schema_editor(atomic=True) as editor:
        migration_of(AFTER).unapply(before, editor)

    old: Any = before.apps
    assert [each.item_id for each in old.get_model("plans", "PlanAssignment").objects.all()] == ["si_1"]
