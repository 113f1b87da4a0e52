"""A real installation: everything that matters comes from the environment."""

from config import env as environment
from config.env import BASE_DIR
from config.settings.base import *
from config.settings.base import TENANTRY_PUBLIC_URL, tenant_database

DEBUG = False
SECRET_KEY = environment.required("SECRET_KEY", purpose="the secret that signs sessions and links")
environment.required("STRIPE_SECRET_KEY", purpose="the secret key of your Stripe account")
environment.required("STRIPE_WEBHOOK_SECRET", purpose="the signing secret of your Stripe webhook endpoint")
environment.required("TENANTRY_PUBLIC_URL", purpose="the address of the operator's host")
DATABASES = {"default": tenant_database(environment.database(None))}
TENANTRY_SANDBOX = False

if not TENANTRY_PUBLIC_URL.startswith("https://"):
    raise environment.ConfigurationError("TENANTRY_PUBLIC_URL must begin with https:// in production.")

STATIC_ROOT = BASE_DIR / "staticfiles"
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}
SECURE_PROXY_SSL_HEADER = (
    ("HTTP_X_FORWARDED_PROTO", "https") if environment.flag("TENANTRY_BEHIND_PROXY", default=True) else None
)
SECURE_SSL_REDIRECT = True
SECURE_HSTS_SECONDS = 365 * 24 * 3600
SECURE_HSTS_INCLUDE_SUBDOMAINS = True
SECURE_HSTS_PRELOAD = True
# The prefix makes browsers refuse the cookie for any other host, so no tenant can set another's.
SESSION_COOKIE_NAME = "__Host-sessionid"
CSRF_COOKIE_NAME = "__Host-csrftoken"
SESSION_COOKIE_SECURE = True
CSRF_COOKIE_SECURE = True
