from django.apps import AppConfig
from django.core.exceptions import ImproperlyConfigured


class EntitlementsConfig(AppConfig):
    name = "apps.entitlements"

    def ready(self) -> None:
        _refuse_another_isolation()
        _count_models()
        _enforce_limits()
        _settle_wallets()


def _refuse_another_isolation() -> None:
    """Who waits for a limit must then see the rows of who held it."""
    from django.db import connection
    from psycopg import IsolationLevel

    committed = IsolationLevel.READ_COMMITTED
    level = connection.settings_dict["OPTIONS"].get("isolation_level", committed)
    if level != committed:
        raise ImproperlyConfigured(f"The isolation level of DATABASES is {level!r}, but must be READ COMMITTED.")


def _count_models() -> None:
    from django.db.models import Q

    from apps.accounts.models import User
    from apps.entitlements import registry
    from apps.entitlements.limiting import models

    registry.register(entity="users", model=User, filter=Q(is_active=True))
    models.register_all()


def _enforce_limits() -> None:
    from django.db.backends.signals import connection_created
    from django.db.models.signals import post_delete, pre_save

    from apps.entitlements import registry
    from apps.entitlements.limiting import ceilings, checks, guarding, translation, triggers  # noqa: F401
    from apps.plans import catalogue, renewing
    from apps.tenants import schema
    from apps.tenants.models import Tenant

    # Before what settles the wallets.
    renewing.before_renewal(ceilings.hold_before_wallets)
    renewing.on_renewal(ceilings.keep)
    catalogue.count_only(registry.counted_entities)
    schema.before_migration(triggers.remove)
    schema.after_migration(ceilings.keep_of)
    schema.after_migration(triggers.install, fingerprint=triggers.fingerprint)
    pre_save.connect(ceilings.before_creating, sender=Tenant, dispatch_uid="entitlements.ceilings")
    pre_save.connect(guarding.before_saving, dispatch_uid="entitlements.limits")
    post_delete.connect(ceilings.after_deleting, sender=Tenant, dispatch_uid="entitlements.ceilings")
    connection_created.connect(translation.watch, dispatch_uid="entitlements.limits")


def _settle_wallets() -> None:
    from apps.entitlements import settling
    from apps.plans import renewing

    renewing.before_renewal(settling.before_change)
    renewing.on_renewal(settling.after_change)
