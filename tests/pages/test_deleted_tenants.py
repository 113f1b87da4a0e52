"""The operator's list of deleted tenants, and the page of one."""

import re
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from apps.tenants.models import Tombstone
from tests.factories import NOW
from tests.pages.reading import path_of, text

pytestmark = pytest.mark.django_db


def make_tombstone(number: int = 0, **values: Any) -> Tombstone:
    uuid = f"00000000-0000-4000-8000-{number:012d}"
    defaults = {
        "tenant_id": f"gone-{number}",
        "tenant_uuid": uuid,
        "schema_name": f"t_gone_{number}",
        "buried_at": NOW + timedelta(minutes=number),
        "hosts": [f"gone-{number}.localhost"],
        "export_path": f"/srv/exports/gone-{number}.zip",
        "export_sha256": "ab" * 32,
    }
    return Tombstone.objects.create(**(defaults | values))


class TestDeletedTenants:
    LIST = "tenants_tombstone_changelist"

    def test_those_standing_come_first_and_restored_ones_are_marked(self, staff: Client) -> None:
        make_tombstone(1)
        make_tombstone(3, restored_at=NOW + timedelta(days=3))
        make_tombstone(2)

        page = text(staff.get(path_of(self.LIST)))

        assert re.findall(r"gone-\d", page) == ["gone-2", "gone-1", "gone-3"]
        assert page.count("Restored") == 1

    @pytest.mark.parametrize("term", ["gone-1", "Left in anger", "cus_9", "Umbrella"])
    def test_one_is_found(self, staff: Client, term: str) -> None:
        make_tombstone(1, name="Umbrella Ltd", reason="Left in anger", stripe_customer_id="cus_9")
        make_tombstone(2)

        page = text(staff.get(path_of(self.LIST) + f"?q={term}"))

        assert set(re.findall(r"gone-\d", page)) == {"gone-1"}

    def test_a_path_that_the_shell_would_take_apart_is_quoted(self, staff: Client) -> None:
        left = make_tombstone(export_path="/srv/my exports/a.zip", schema_dropped_at=NOW)

        page = text(staff.get(path_of("tenants_tombstone_change", left.pk)))

        assert "manage.py tenant_restore &#x27;/srv/my exports/a.zip&#x27;" in page
        assert "dropped 1 Mar 2026, 12:00" in page

    def test_without_an_export_none_is_promised(self, staff: Client) -> None:
        left = make_tombstone(export_path="", export_sha256="")

        page = text(staff.get(path_of("tenants_tombstone_change", left.pk)))

        assert "It cannot be restored" in page
        assert "tenant_restore" not in page

    def test_it_is_read_only(self, staff: Client) -> None:
        left = make_tombstone()
        assert staff.get(path_of("tenants_tombstone_delete", left.pk)).status_code == 403
        assert staff.get(path_of("tenants_tombstone_change", 999)).status_code == 404

    def test_they_cost_no_query_each(self, staff: Client) -> None:
        def queries(count: int) -> int:
            for number in range(count):
                make_tombstone(number)
            staff.get(path_of(self.LIST))
            with CaptureQueriesContext(connection) as captured:
                assert len(set(re.findall(r"gone-\d+", text(staff.get(path_of(self.LIST)))))) == count
            Tombstone.objects.all().delete()
            return len(captured)

        assert queries(3) == queries(30)
