"""Who waits for a limit sees what the one before has committed."""

from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db import connection
from psycopg import IsolationLevel

from apps.entitlements import apps
from config.settings.base import tenant_database


def test_the_settings_say_read_committed_whatever_else_they_are_given() -> None:
    given: dict[str, Any] = {"OPTIONS": {"sslmode": "require", "isolation_level": IsolationLevel.SERIALIZABLE}}
    options: Any = tenant_database(given)["OPTIONS"]
    assert options == {"sslmode": "require", "isolation_level": IsolationLevel.READ_COMMITTED}


def test_another_level_is_refused_at_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    options = {"isolation_level": IsolationLevel.REPEATABLE_READ}
    monkeypatch.setitem(connection.settings_dict, "OPTIONS", options)
    with pytest.raises(ImproperlyConfigured, match="must be READ COMMITTED"):
        apps._refuse_another_isolation()


@pytest.mark.django_db
def test_a_transaction_has_it() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SHOW transaction_isolation")
        assert cursor.fetchone() == ("read committed",)
