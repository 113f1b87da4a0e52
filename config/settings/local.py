"""A machine with nothing configured: embedded PostgreSQL and the local stand-in for Stripe."""

from config import embedded_postgres
from config import env as environment
from config.env import env

environment.load_local_file()

from config.settings.base import *
from config.settings.base import (
    ALLOWED_HOSTS,
    INSTALLED_APPS,
    STRIPE_SECRET_KEY,
    TENANT_APPS,
    TENANTRY_HOME,
    TENANTRY_PUBLIC_HOSTS,
    tenant_database,
)

DEBUG = environment.flag("DEBUG", default=False)
SECRET_KEY = environment.generated("SECRET_KEY")
ALLOWED_HOSTS = [*ALLOWED_HOSTS, "localhost", "127.0.0.1", ".localhost"]
TENANTRY_PUBLIC_HOSTS = [*TENANTRY_PUBLIC_HOSTS, "localhost", "127.0.0.1"]

# Stands for the vendor's own apps in the tenants' schemas.
TENANT_APPS = [*TENANT_APPS, "apps.showcase"]
INSTALLED_APPS = [*INSTALLED_APPS, "apps.showcase"]

TENANTRY_EMBEDDED_POSTGRES = not env.str("DATABASE_URL", default="")
DATABASES = {
    "default": tenant_database(environment.database(embedded_postgres.connection_settings(TENANTRY_HOME))),
}

# Without a key of a real account everything talks to the stand-in, which takes any test key.
TENANTRY_SANDBOX = not STRIPE_SECRET_KEY
if TENANTRY_SANDBOX:
    STRIPE_SECRET_KEY = "sk_test_localstandin000000000000000"
    STRIPE_API_BASE = environment.web_address("STRIPE_API_BASE", default="http://127.0.0.1:12111")
    if STRIPE_API_BASE == "https://api.stripe.com":
        raise environment.ConfigurationError(
            "STRIPE_API_BASE is Stripe itself, but STRIPE_SECRET_KEY is not set. Set it, or remove STRIPE_API_BASE."
        )

PASSWORD_HASHERS = ["django.contrib.auth.hashers.PBKDF2PasswordHasher"]
WHITENOISE_USE_FINDERS = True
