from django.apps import AppConfig


class CreditsConfig(AppConfig):
    name = "apps.credits"

    def ready(self) -> None:
        from apps.credits import checks  # noqa: F401
