"""Erasing a person when the process is killed halfway, and when two do it at once."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from apps.accounts import personal as accounts_personal
from apps.accounts.errors import LastAdministrator, LastOperator, UserNotFound
from apps.accounts.models import User
from apps.audit.models import Entry
from apps.lifecycle import personal
from apps.tenants.context import enter
from apps.tenants.models import Tenant
from tests.factories import NOW, SOMEBODY, make_member, make_operator, make_tenant
from tests.support import databases
from tests.tenants.probes import at_once, dump_all, wait_for_waiter

pytestmark = pytest.mark.django_db(transaction=True)

ROOT = Path(__file__).parents[2]
SCRIPT = """
import os, signal, django
django.setup()
from django.core.management import call_command
from apps.accounts import services
from apps.audit import services as audit
def die(**given):
    os.kill(os.getpid(), signal.SIGKILL)
{module}.{function} = die
call_command("user_erase", "acme", "ann", "--even-the-last", "--yes")
"""


@pytest.fixture
def acme() -> Tenant:
    return make_tenant()


def erase(tenant: Tenant, user: User) -> None:
    personal.erase_member(tenant=tenant, user=user, reason="", even_the_last=False, actor=SOMEBODY, now=NOW)


def outcomes(results: list[object]) -> list[str]:
    return sorted(type(each).__name__ for each in results)


@pytest.mark.parametrize(
    ("module", "function"), [("services", "erase_user"), ("audit", "record")], ids=["before_the_user", "at_the_end"]
)
def test_killed_in_the_middle_it_has_not_begun(acme: Tenant, module: str, function: str) -> None:
    before = dump_all()
    environment = {
        **os.environ,
        "DATABASE_URL": databases.url(),
        "DJANGO_SETTINGS_MODULE": "config.settings.test",
        "PYTHONPATH": str(ROOT),
    }
    script = SCRIPT.format(module=module, function=function)
    ended = subprocess.run(
        [sys.executable, "-c", script], check=False, cwd=ROOT, env=environment, capture_output=True, timeout=60
    )
    assert ended.returncode == -signal.SIGKILL, ended.stderr.decode()
    assert dump_all() == before


def test_of_two_who_erase_one_user_the_second_finds_nobody(acme: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second comes when the first has begun and not ended."""
    max_ = make_member(acme)
    monkeypatch.setattr(accounts_personal, "_parts", {})
    accounts_personal.register(name="slow", description="", export=str, erase=lambda user: wait_for_waiter())

    results = at_once(*[lambda: erase(acme, max_)] * 2)

    assert outcomes(results) == ["NoneType", "UserNotFound"]
    (error,) = [each for each in results if isinstance(each, UserNotFound)]
    assert str(error) == "There is no user 'max' any more."
    assert Entry.objects.filter(action="user.erased").count() == 1


def test_of_two_administrators_who_erase_each_other_one_stays(acme: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    eve = make_member(acme, "eve", role=User.Role.ADMINISTRATOR)
    with enter(acme):
        ann = User.objects.get(username="ann")
    monkeypatch.setattr(accounts_personal, "_parts", {})
    accounts_personal.register(name="slow", description="", export=str, erase=lambda user: wait_for_waiter())

    results = at_once(lambda: erase(acme, ann), lambda: erase(acme, eve))

    assert outcomes(results) == sorted(["NoneType", LastAdministrator.__name__])
    with enter(acme):
        assert User.objects.filter(role=User.Role.ADMINISTRATOR).count() == 1


def test_of_two_operators_who_erase_each_other_one_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    remove = accounts_personal._remove

    def remove_once_the_other_waits(user: User) -> None:
        wait_for_waiter()
        remove(user)

    monkeypatch.setattr(accounts_personal, "_remove", remove_once_the_other_waits)
    operators = [make_operator("olga"), make_operator("otto")]

    results = at_once(
        *[
            lambda user=user: personal.erase_operator(user=user, reason="", actor=SOMEBODY, now=NOW)
            for user in operators
        ]
    )

    assert outcomes(results) == sorted([LastOperator.__name__, "NoneType"])
    assert User.objects.filter(is_staff=True).count() == 1
