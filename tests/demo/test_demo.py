"""The demonstration as a stranger runs it: a process of its own, in a home of its own."""

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
CONFIGURED = (
    "DATABASE_URL",
    "STRIPE_SECRET_KEY",
    "STRIPE_WEBHOOK_SECRET",
    "STRIPE_API_BASE",
    "SECRET_KEY",
    "EMAIL_URL",
)


@pytest.fixture(scope="module")
def home() -> Iterator[Path]:
    """A scratch home that anybody may reach, with a path short enough for a socket."""
    folder = Path(tempfile.mkdtemp(prefix="tenantry-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


def environment(home: Path, **more: str) -> dict[str, str]:
    """Nothing configured but the home."""
    inherited = {name: value for name, value in os.environ.items() if name not in CONFIGURED}
    return {**inherited, "DJANGO_SETTINGS_MODULE": "config.settings.local", "TENANTRY_HOME": str(home), **more}


def run_demo(home: Path, *options: str, python: str = sys.executable, **how: Any) -> dict[str, Any]:
    environ = environment(home, **how.pop("env", {}))
    ended = subprocess.run(
        [python, "manage.py", "demo", "--once", "--json", *options],
        cwd=ROOT,
        env=environ,
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
        **how,
    )
    assert ended.returncode == 0, ended.stderr
    document: dict[str, Any] = json.loads(ended.stdout)
    return document


def manage(home: Path, *command: str) -> str:
    ended = subprocess.run(
        [sys.executable, "manage.py", *command],
        cwd=ROOT,
        env=environment(home),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def told(outcome: dict[str, Any]) -> dict[str, tuple[Any, ...]]:
    keys = ("state", "provisioning", "plan", "host")
    return {tenant["tenant_id"]: tuple(tenant[key] for key in keys) for tenant in outcome["tenants"]}


EXPECTED = {
    "acme": ("approved", "ready", "plan:starter@1", "acme.localhost"),
    "globex": ("approved", "ready", "plan:business@1", "globex.localhost"),
    "hooli": ("approved", "ready", "plan:enterprise@1", "hooli.localhost"),
    "initech": ("flagged", "ready", "plan:businessus@1", "initech.localhost"),
    "umbrella": ("suspended", "ready", "plan:free@1", "umbrella.localhost"),
}
# Of some weeks of history: what is used, of how much, and how near that is.
USED = {
    "acme": {"projects": (3, 3, "reached"), "credits": (23, 25, "near"), "api-calls": (5_500, 10_000, "within")},
    "globex": {"projects": (6, 25, "within"), "credits": (36, 320, "within"), "api-calls": (86_000, 100_000, "near")},
    "hooli": {"projects": (1, None, "within"), "credits": (8, 1_000, "within"), "storage": (4, 5_000, "within")},
    "initech": {
        "projects": (3, 25, "within"),
        "storage": (210, 500, "within"),
        "api-calls": (112_000, 100_000, "over"),
    },
}


def used(outcome: dict[str, Any]) -> dict[str, dict[str, tuple[Any, ...]]]:
    """What the tenants have used of the features of `USED`."""
    told = {tenant["tenant_id"]: tenant["usage"] for tenant in outcome["tenants"]}
    return {
        tenant_id: {feature: tuple(told[tenant_id][feature].values()) for feature in features}
        for tenant_id, features in USED.items()
    }


def test_it_runs_with_nothing_configured_and_a_second_run_keeps_what_is_there(home: Path) -> None:
    first = run_demo(home)
    assert told(first) == EXPECTED
    globex = next(tenant for tenant in first["tenants"] if tenant["tenant_id"] == "globex")
    assert globex["limits"] == {
        "applications": 50,
        "clients": None,
        "end-devices": None,
        "gateways": 10,
        "organizations": None,
        "users": 25,
        "projects": 25,
    }
    assert used(first) == USED
    assert globex["admin"] == {"username": "hank", "email": "hank@globex.example"}
    assert globex["sign_in_link"].startswith("http://globex.localhost:8000/welcome/")
    assert (home / "local.env").stat().st_mode & 0o077 == 0

    second = run_demo(home)
    assert told(second) == EXPECTED
    schemas = [{tenant["tenant_id"]: tenant["schema"] for tenant in run["tenants"]} for run in (first, second)]
    assert schemas[0] == schemas[1]
    assert used(second) == USED
    assert "what the books say" in manage(home, "credits_verify")


@pytest.mark.slow
def test_after_root_another_user_can_run_it_on_the_same_machine() -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can become another user")
    python = interpreter_for("nobody")
    if python is None:
        pytest.skip("no Python of this version that the user «nobody» may execute")
    home = Path(tempfile.mkdtemp(prefix="tenantry-"))
    shutil.chown(home, "nobody")
    paths = {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path.endswith("site-packages"))}
    try:
        outcome = run_demo(home, python=python, user="nobody", group="nogroup", env={"HOME": str(home), **paths})
    finally:
        shutil.rmtree(home, ignore_errors=True)
    assert told(outcome) == EXPECTED


def interpreter_for(user: str) -> str | None:
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    for python in (sys.executable, f"/usr/bin/python{version}"):
        try:
            tried = subprocess.run([python, "-c", ""], user=user, group="nogroup", cwd="/", check=False)
        except (OSError, LookupError):
            continue
        if tried.returncode == 0:
            return python
    return None


@pytest.mark.parametrize(
    ("variable", "value"),
    [("STRIPE_SECRET_KEY", "sk_test_" + "0" * 24), ("DATABASE_URL", "postgresql://nobody@127.0.0.1:1/none")],
)
def test_it_refuses_a_configured_account_or_database(home: Path, variable: str, value: str) -> None:
    ended = subprocess.run(
        [sys.executable, "manage.py", "demo", "--once"],
        cwd=ROOT,
        env=environment(home, **{variable: value}),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 1
    assert ended.stdout == ""
    assert f"{variable} is set" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_port_in_use_is_said_plainly(home: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        ended = subprocess.run(
            [sys.executable, "manage.py", "demo", "--port", str(port)],
            cwd=ROOT,
            env=environment(home),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert ended.returncode == 1
    assert f"Port {port} is in use" in ended.stderr
    assert "Traceback" not in ended.stderr
