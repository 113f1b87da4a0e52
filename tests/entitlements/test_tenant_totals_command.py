"""`tenant_totals`, as an operator runs it."""

import json
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from apps.plans.models import Feature
from apps.tenants.models import Tenant
from apps.usage.models import ReportedTotal
from tests.factories import make_tenant

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("only_users")]


@pytest.fixture
def acme(db: None) -> Tenant:
    return make_tenant("acme")


def run(*words: str) -> str:
    out = StringIO()
    call_command("tenant_totals", *words, stdout=out)
    return out.getvalue()


def totals(*words: str) -> dict[str, Any]:
    return {each["entity"]: each for each in json.loads(run(*words, "--json"))["totals"]}


def test_it_shows_what_is_counted_and_what_is_not_told(acme: Tenant) -> None:
    told = run("acme").splitlines()
    assert "Gateways: nobody tells" in told
    assert any(line.startswith("Users: 1 (counted, ") for line in told)


def test_it_sets_several_and_shows_them(acme: Tenant) -> None:
    found = totals("acme", "--set", "end-devices=12", "--set", "gateways=0")
    assert (found["end-devices"]["total"], found["gateways"]["total"], found["clients"]["total"]) == (12, 0, None)
    assert (found["gateways"]["source"], found["gateways"]["told_by"]) == ("reported", "tenant_totals")


def test_an_entity_that_a_plan_limits_is_known(acme: Tenant) -> None:
    Feature.objects.create(key="projects", name="Projects")
    assert totals("acme", "--set", "projects=3")["projects"]["total"] == 3


@pytest.mark.parametrize("told", ["gateways", "gateways=", "gateways=-1", "gateways=1.5", "=1", "gateways=٣"])
def test_what_is_no_total_is_one_sentence(acme: Tenant, told: str) -> None:
    with pytest.raises(CommandError, match=r"whole number|no entity"):
        run("acme", "--set", told)
    assert not ReportedTotal.objects.exists()


@pytest.mark.parametrize(
    ("told", "sentence"),
    [
        ("gatewayz=1", "There is no entity 'gatewayz', but activated-end-devices, applications"),
        ("users=1", "'users' is counted"),
        ("gateways=9223372036854775808", "must be a whole number from 0 to 9223372036854775807"),
    ],
)
def test_one_refused_total_sets_none(acme: Tenant, told: str, sentence: str) -> None:
    with pytest.raises(CommandError, match=sentence):
        run("acme", "--set", "clients=1", "--set", told)
    assert not ReportedTotal.objects.exists()


def test_an_unknown_tenant_is_one_sentence(acme: Tenant) -> None:
    with pytest.raises(CommandError, match="There is no tenant 'nobody'"):
        run("nobody")
