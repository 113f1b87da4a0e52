from django.apps import AppConfig


class BackofficeConfig(AppConfig):
    name = "apps.backoffice"

    def ready(self) -> None:
        # Nothing discovers it: the other apps' own admin pages are not for this installation.
        from apps.backoffice import admin  # noqa: F401
