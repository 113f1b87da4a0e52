from django.apps import AppConfig


class EntitlementsConfig(AppConfig):
    name = "apps.entitlements"

    def ready(self) -> None:
        from django.db.models import Q

        from apps.accounts.models import User
        from apps.entitlements import registry

        registry.register(entity="users", model=User, filter=Q(is_active=True))
