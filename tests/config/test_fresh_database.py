"""The quick way to a fresh database ends where the ordinary way ends."""

import os
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest
from django.db import connection

from tests.support import databases

ROOT = Path(__file__).resolve().parents[2]
COLUMNS = """
    SELECT format('%s.%s %s %s %s %s %s', table_name, column_name, data_type, character_maximum_length,
                  is_nullable, column_default, is_identity)
    FROM information_schema.columns WHERE table_schema = 'public'
"""
CONSTRAINTS = """
    SELECT format('%s %s', conrelid::regclass, pg_get_constraintdef(oid))
    FROM pg_constraint WHERE connamespace = 'public'::regnamespace AND contype <> 'n'
"""
INDEXES = "SELECT indexdef FROM pg_indexes WHERE schemaname = 'public'"
FUNCTIONS = "SELECT pg_get_functiondef(oid) FROM pg_proc WHERE pronamespace = 'public'::regnamespace"
MIGRATIONS = "SELECT app || ' ' || name FROM django_migrations"


@pytest.mark.slow
def test_it_makes_the_same_tables_as_the_migrations(transactional_db: None, tmp_path: Path) -> None:
    name = f"{databases.PREFIX}{os.getpid()}_migrated"
    with connection._nodb_cursor() as cursor:
        cursor.execute(f'CREATE DATABASE "{name}"')
    url = databases.url().rpartition("/")[0] + f"/{name}"
    try:
        subprocess.run(
            [sys.executable, "manage.py", "migrate", "--verbosity=0"],
            cwd=ROOT,
            env={**os.environ, "DATABASE_URL": url, "DJANGO_SETTINGS_MODULE": "config.settings.test"},
            check=True,
            timeout=300,
        )
        with psycopg.connect(url) as ordinary:
            for query in (COLUMNS, CONSTRAINTS, INDEXES, FUNCTIONS, MIGRATIONS):
                expected = {row[0] for row in ordinary.execute(query)}
                with connection.cursor() as cursor:
                    cursor.execute(query)
                    assert {row[0] for row in cursor.fetchall()} == expected
    finally:
        with connection._nodb_cursor() as cursor:
            cursor.execute(f'DROP DATABASE "{name}"')
