"""A real installation: everything that matters comes from the environment."""

from config import env as environment
from config.env import BASE_DIR
from config.settings.base import *
from config.settings.base import TENANTRY_PUBLIC_URL, tenant_database

DEBUG = False
SECRET_KEY = environment.required("SECRET_KEY", purpose="the secret that signs sessions and links")
environment.required("STRIPE_SECRET_KEY", purpose="the secret key of your Stripe account")
environment.required("STRIPE_WEBHOOK_SECRET", purpose="the signing secret of your Stripe webhook endpoint")
environment.required("EMAIL_URL", purpose="the mail server that sends one-time links")
environment.required("TENANTRY_TRUSTED_PROXIES", purpose="the number of proxies in front, 0 for none")
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
# Each proxy in front must set X-Forwarded-Proto and add to X-Forwarded-For; without one, anybody could.
ALLAUTH_TRUSTED_PROXY_COUNT = environment.integer("TENANTRY_TRUSTED_PROXIES", default=0)
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if ALLAUTH_TRUSTED_PROXY_COUNT else None
SECURE_SSL_REDIRECT = True
SECURE_HSTS_SECONDS = 365 * 24 * 3600
SECURE_HSTS_INCLUDE_SUBDOMAINS = True
SECURE_HSTS_PRELOAD = True
# The prefix makes browsers refuse the cookie for any other host, so no tenant can set another's.
SESSION_COOKIE_NAME = "__Host-sessionid"
CSRF_COOKIE_NAME = "__Host-csrftoken"
SESSION_COOKIE_SECURE = True
CSRF_COOKIE_SECURE = True
