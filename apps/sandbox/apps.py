from django.apps import AppConfig


class SandboxConfig(AppConfig):
    """Makes the `sandbox` command known to Django; the app has no models."""

    name = "apps.sandbox"
    verbose_name = "Stripe stand-in"
