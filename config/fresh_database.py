"""Tables for an empty database in seconds instead of half a minute.

Nearly all of an ordinary first `migrate` is Django re-rendering its state through
dj-stripe's history of migrations. A database that has nothing to migrate can get
dj-stripe's tables from its present models, with its migrations recorded as
applied. A test compares the outcome with that of the ordinary way, which every
upgrade and every production installation goes.
"""

from django.core.management import call_command
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder
from django.test.utils import override_settings

MIRROR = "djstripe"
# dj-stripe's models say AutoField where its migrations made these keys wide.
WIDE_KEYS = (
    "djstripe_djstripeinvoicedefaulttaxrate",
    "djstripe_djstripeinvoiceitemtaxrate",
    "djstripe_djstripesubscriptionitemtaxrate",
)


def is_empty() -> bool:
    """Whether nothing has ever been migrated here."""
    return not MigrationRecorder(connection).has_table()


def install() -> None:
    """Make every public table of an empty database."""
    # The mirror refers to the tenant, whose table must be there first.
    for app in ("contenttypes", "auth", "accounts", "tenants"):
        _migrate(app)
    with override_settings(MIGRATION_MODULES={MIRROR: None}):
        _migrate(MIRROR, run_syncdb=True)
    with connection.cursor() as cursor:
        for table in WIDE_KEYS:
            cursor.execute(f"ALTER TABLE {table} ALTER COLUMN id TYPE bigint")
    _migrate(MIRROR, fake=True)
    _migrate()


def _migrate(*apps: str, **options: bool) -> None:
    call_command("migrate", *apps, interactive=False, verbosity=0, **options)
