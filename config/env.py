"""The one place that reads the environment.

Every variable is described in `docs/configuration.md`. A missing or malformed
one raises `ConfigurationError`, whose message names it; `manage.py` prints that
sentence and stops.
"""

import os
import secrets
from pathlib import Path
from urllib.parse import unquote, urlsplit

import environ
from django.core.exceptions import ImproperlyConfigured

BASE_DIR = Path(__file__).resolve().parent.parent

env = environ.Env()


class ConfigurationError(ImproperlyConfigured):
    """A setting is missing or malformed."""


def home() -> Path:
    """The folder that holds everything this installation writes on its own disk."""
    return Path(env.str("TENANTRY_HOME", default=str(BASE_DIR / "var"))).expanduser().resolve()


def load_local_file() -> None:
    """Read `<home>/local.env`, which the demonstration writes; real variables win."""
    path = home() / "local.env"
    if path.exists() and os.access(path, os.R_OK):
        env.read_env(str(path), overwrite=False)


def remember(name: str, value: str) -> None:
    """Keep a value in `<home>/local.env`, readable by its owner only."""
    path = home() / "local.env"
    try:
        _replace_line(path, name, value)
    except OSError as error:
        raise ConfigurationError(
            f"TENANTRY_HOME is {path.parent}, which cannot be written: {error}. Set it to a folder of your own."
        ) from error
    os.environ[name] = value


def _replace_line(path: Path, name: str, value: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = path.read_text().splitlines() if path.exists() else []
    kept = [line for line in lines if not line.startswith(f"{name}=")]
    draft = path.with_suffix(".draft")
    draft.touch(mode=0o600)
    draft.write_text("\n".join([*kept, f"{name}={value}", ""]))
    draft.replace(path)


def generated(name: str) -> str:
    """A secret that a local installation makes for itself once and then keeps."""
    value = str(env.str(name, default=""))
    if not value:
        value = secrets.token_urlsafe(48)
        remember(name, value)
    return value


def required(name: str, *, purpose: str) -> str:
    """A text that has no sensible default.

    Raises:
        ConfigurationError: when it is missing or empty.
    """
    value = str(env.str(name, default=""))
    if not value:
        raise ConfigurationError(f"{name} is not set. It is {purpose}; see docs/configuration.md.")
    return value


def integer(name: str, *, default: int, minimum: int = 0) -> int:
    """A whole number of at least `minimum`."""
    raw = env.str(name, default=str(default))
    if not raw.strip().lstrip("-").isdigit() or int(raw) < minimum:
        raise ConfigurationError(f"{name} is {raw!r}, but must be a whole number of at least {minimum}.")
    return int(raw)


def flag(name: str, *, default: bool) -> bool:
    """A switch: true or false, yes or no, on or off, 1 or 0."""
    raw = env.str(name, default=str(default)).strip().lower()
    if raw in {"1", "true", "yes", "on"}:
        return True
    if raw in {"0", "false", "no", "off"}:
        return False
    raise ConfigurationError(f"{name} is {raw!r}, but must be true or false.")


def names(name: str) -> list[str]:
    """A comma-separated list; blanks around the entries are dropped."""
    return [part.strip() for part in env.str(name, default="").split(",") if part.strip()]


def days_before(name: str, *, default: str) -> tuple[int, ...]:
    """A comma-separated list of whole numbers of days, longest first; empty for none."""
    parts = [part.strip() for part in env.str(name, default=default).split(",") if part.strip()]
    if not all(part.isdigit() and int(part) > 0 for part in parts):
        raise ConfigurationError(f"{name} is {','.join(parts)!r}, but must be days such as 30,7,1.")
    return tuple(sorted({int(part) for part in parts}, reverse=True))


def folder(name: str, *, default: Path) -> Path:
    """A folder of this machine, given by its whole path."""
    path = Path(env.str(name, default=str(default))).expanduser()
    if not path.is_absolute():
        raise ConfigurationError(f"{name} is {str(path)!r}, but must be a whole path such as /var/lib/exports.")
    return path


def web_address(name: str, *, default: str) -> str:
    """An http or https address without a path."""
    raw = str(env.str(name, default=default)).rstrip("/")
    parts = urlsplit(raw)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.path:
        raise ConfigurationError(f"{name} is {raw!r}, but must look like https://billing.example.com.")
    return raw


def email() -> dict[str, object]:
    """Django's e-mail settings from EMAIL_URL, such as smtp+tls://user:password@mail.example.com:587."""
    url = str(env.str("EMAIL_URL", default="consolemail://"))
    try:
        settings = dict(env.email_url_config(url))
    except (KeyError, ImproperlyConfigured) as error:
        raise ConfigurationError(
            "EMAIL_URL must look like smtp+tls://user:password@mail.example.com:587, consolemail:// "
            f"or filemail:///some/folder ({error})."
        ) from error
    if urlsplit(url).scheme == "filemail":
        # django-environ takes the first slash away, which makes the folder a relative one.
        settings["EMAIL_FILE_PATH"] = urlsplit(url).path
    if urlsplit(url).scheme == "consolemail":
        settings["EMAIL_BACKEND"] = "config.mail.StandardErrorBackend"
    return settings


def cache() -> dict[str, object]:
    """Django's cache settings from CACHE_URL, such as rediscache://localhost:6379/1."""
    try:
        return dict(env.cache_url_config(str(env.str("CACHE_URL", default="locmemcache://tenantry"))))
    except (KeyError, ImproperlyConfigured) as error:
        raise ConfigurationError(
            f"CACHE_URL must look like rediscache://localhost:6379/1 or locmemcache://tenantry ({error})."
        ) from error


def database(default: dict[str, object] | None) -> dict[str, object]:
    """The PostgreSQL connection of DATABASE_URL, or the embedded one given as default."""
    url = env.str("DATABASE_URL", default="")
    if not url:
        if default is None:
            required("DATABASE_URL", purpose="the address of the PostgreSQL database")
        return dict(default or {})
    if urlsplit(url).scheme not in {"postgres", "postgresql", "psql"}:
        raise ConfigurationError(
            "DATABASE_URL must look like postgresql://user:password@host:5432/name; "
            "Tenantry needs PostgreSQL 15 or later."
        )
    connection = dict(env.db_url_config(url))
    # As libpq writes a socket's folder: postgresql://user@%2Fvar%2Frun%2Fpostgresql/name
    connection["HOST"] = unquote(str(connection.get("HOST", "")))
    return connection
