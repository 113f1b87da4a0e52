"""Two who work on one schema, and names that are never drawn twice."""

from typing import Any

import pytest
from django.db.migrations.recorder import MigrationRecorder

from apps.tenants import schema
from apps.tenants.models import Tenant
from tests.factories import make_tenant
from tests.tenants.probes import at_once, wait_for_waiter
from tests.tenants.test_schema import fall_behind, is_current


@pytest.fixture
def behind(transactional_db: None) -> Tenant:
    tenant = make_tenant()
    fall_behind(tenant)
    return tenant


class TestTwoMigrationsAtOnce:
    """Two machines are upgraded together; the second comes while the first is at work."""

    def race(self, tenant: Tenant, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
        record = MigrationRecorder.record_applied

        def record_once_the_other_waits(self: MigrationRecorder, app: str, name: str) -> None:
            record(self, app, name)
            wait_for_waiter()

        monkeypatch.setattr(MigrationRecorder, "record_applied", record_once_the_other_waits)
        rows = [Tenant.objects.get(pk=tenant.pk), Tenant.objects.get(pk=tenant.pk)]
        return at_once(*[lambda each=each: schema.migrate(each) for each in rows])

    def test_without_the_lock_the_second_breaks(self, behind: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(schema, "lock_until_commit", lambda name: None)
        outcomes = self.race(behind, monkeypatch)
        assert len([outcome for outcome in outcomes if isinstance(outcome, Exception)]) == 1

    def test_with_it_the_second_finds_nothing_to_do(self, behind: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
        assert self.race(behind, monkeypatch) == [None, None]
        assert is_current(behind)


def test_a_schema_name_is_drawn_anew_for_each_tenant_of_one_id(transactional_db: None) -> None:
    names = set()
    for _ in range(3):
        names.add(make_tenant(ready=False).schema_name)
        Tenant.objects.all().delete()
    assert len(names) == 3
