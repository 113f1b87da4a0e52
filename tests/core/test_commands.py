"""What every command does alike."""

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import connection


@pytest.mark.parametrize(
    "spoil",
    [
        "ALTER TABLE tenants_tenant RENAME TO tenants_tenant_of_another_version",
        "ALTER TABLE tenants_tenant RENAME COLUMN name TO name_of_another_version",
    ],
)
def test_tables_of_another_version_are_one_sentence(db: None, spoil: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(spoil)
    with pytest.raises(CommandError, match=r"`manage\.py migrate`"):
        call_command("tenant_list")
