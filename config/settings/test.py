"""The test suite: as a local machine, with e-mail in memory and quick password hashes."""

from config.settings.local import *
from config.settings.local import DATABASES

DATABASES["default"]["CONN_MAX_AGE"] = 0
EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
STRIPE_WEBHOOK_SECRETS = ["whsec_test_suite_secret"]
TENANTRY_RECURRING_PRICES = []
TENANTRY_METERED_PRICES = []
