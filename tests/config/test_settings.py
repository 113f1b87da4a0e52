"""A missing or malformed variable stops the start with a sentence that names it."""

import os
import re
import runpy
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

Refusal = Callable[[dict[str, str | None]], str]
ROOT = Path(__file__).resolve().parents[2]
PRODUCTION = {
    "DJANGO_SETTINGS_MODULE": "config.settings.production",
    "SECRET_KEY": "x" * 60,
    "DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none",
    "STRIPE_SECRET_KEY": "sk_live_" + "0" * 24,
    "STRIPE_WEBHOOK_SECRET": "whsec_none",
    "EMAIL_URL": "smtp://localhost:25",
    "TENANTRY_TRUSTED_PROXIES": "1",
    "TENANTRY_PUBLIC_URL": "https://billing.example.com",
}


@pytest.fixture
def refusal(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Refusal:
    """What the production settings say to an environment with these changes."""

    def load(changes: dict[str, str | None]) -> str:
        wanted = {**PRODUCTION, "TENANTRY_HOME": str(tmp_path), **changes}
        for name in list(os.environ):
            if name.isupper() and name not in {"PATH", "HOME", "PYTEST_CURRENT_TEST"}:
                monkeypatch.delenv(name)
        for name, value in wanted.items():
            if value is not None:
                monkeypatch.setenv(name, value)
        monkeypatch.delitem(sys.modules, "config.settings.base", raising=False)
        with pytest.raises(ImproperlyConfigured) as refused:
            runpy.run_module("config.settings.production")
        return str(refused.value)

    return load


def test_the_command_line_says_one_sentence(tmp_path: Path) -> None:
    environment = {"PATH": os.environ["PATH"], **PRODUCTION, "TENANTRY_HOME": str(tmp_path), "SECRET_KEY": ""}
    ended = subprocess.run(
        [sys.executable, "manage.py", "check"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 1
    assert ended.stderr.startswith("tenantry: SECRET_KEY is not set.")
    assert ended.stderr.count("\n") == 1


@pytest.mark.parametrize("name", sorted(PRODUCTION.keys() - {"DJANGO_SETTINGS_MODULE"}))
def test_a_missing_variable_is_named(name: str, refusal: Refusal) -> None:
    assert f"{name} is not set" in refusal({name: None})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DATABASE_URL", "mysql://nobody@127.0.0.1/none"),
        ("DATABASE_URL", "not an address"),
        ("STRIPE_SECRET_KEY", "pk_live_" + "0" * 24),
        ("STRIPE_API_BASE", "api.stripe.com"),
        ("STRIPE_API_BASE", "https://evil.example"),
        ("STRIPE_REQUESTS_PER_SECOND", "many"),
        ("STRIPE_TOTAL_PER_SECOND", "-1"),
        ("TENANTRY_PUBLIC_URL", "billing.example.com"),
        ("TENANTRY_PUBLIC_URL", "http://billing.example.com"),
        ("TENANTRY_PAST_DUE_DAYS", "three weeks"),
        ("TENANTRY_PAST_DUE_DAYS", "-1"),
        ("TENANTRY_LINK_DAYS", "0"),
        ("TENANTRY_TRUSTED_PROXIES", "perhaps"),
        ("LOG_LEVEL", "loud"),
        ("EMAIL_URL", "carrierpigeon://coop"),
        ("CACHE_URL", "nothing"),
    ],
)
def test_a_malformed_variable_is_named(name: str, value: str, refusal: Refusal) -> None:
    assert name in refusal({name: value})


def test_every_variable_is_documented() -> None:
    text = (ROOT / "docs" / "configuration.md").read_text()
    sources = [ROOT / "config" / "env.py", *(ROOT / "config" / "settings").glob("*.py")]
    code = "\n".join(path.read_text() for path in sources)
    for name in PRODUCTION.keys() - {"DJANGO_SETTINGS_MODULE"}:
        assert f"`{name}`" in text
    read = set(re.findall(r'(?:environment|env)\.\w+\(\s*"([A-Z][A-Z_]+)"', code))
    assert read
    assert {name for name in read if f"`{name}`" not in text} == set()


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"TENANTRY_RETENTION_DAYS": "soon"}, "TENANTRY_RETENTION_DAYS is 'soon'"),
        ({"TENANTRY_RETENTION_NOTICES": "30,soon"}, "TENANTRY_RETENTION_NOTICES is '30,soon'"),
        ({"TENANTRY_RETENTION_NOTICES": "0"}, "TENANTRY_RETENTION_NOTICES is '0'"),
        (
            {"TENANTRY_RETENTION_DAYS": "14", "TENANTRY_RETENTION_NOTICES": "30"},
            "begins 30 days before the deletion, which is longer than TENANTRY_RETENTION_DAYS (14)",
        ),
        ({"TENANTRY_EXPORT_DIR": "exports"}, "TENANTRY_EXPORT_DIR is 'exports'"),
    ],
)
def test_how_long_data_is_kept(refusal: Refusal, changes: dict[str, str | None], why: str) -> None:
    assert why in refusal(changes)


@pytest.mark.parametrize(
    ("changes", "rates"),
    [
        ({}, (25, 100)),
        ({"STRIPE_SECRET_KEY": "sk_test_" + "0" * 24}, (25, 25)),
        ({"STRIPE_SECRET_KEY": "sk_test_" + "0" * 24, "STRIPE_API_BASE": "http://127.0.0.1:12111"}, (0, 0)),
        ({"STRIPE_REQUESTS_PER_SECOND": "10", "STRIPE_TOTAL_PER_SECOND": "0"}, (10, 0)),
    ],
    ids=["live", "test", "stand-in", "as given"],
)
def test_how_fast_stripe_is_asked(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, changes: dict[str, str], rates: tuple[int, int]
) -> None:
    for name, value in {**PRODUCTION, "TENANTRY_HOME": str(tmp_path), **changes}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delitem(sys.modules, "config.settings.base", raising=False)
    found = runpy.run_module("config.settings.production")
    assert (found["STRIPE_REQUESTS_PER_SECOND"], found["STRIPE_TOTAL_PER_SECOND"]) == rates
