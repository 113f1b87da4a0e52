"""`entitlement_explain`, `override_set`, `override_end`, and the commands about plans, as an operator runs them."""

import json
from datetime import UTC, datetime
from io import StringIO
from typing import Any

import pytest
import time_machine
from django.core.management import call_command
from django.core.management.base import CommandError

from apps.entitlements.selectors import limits_with_totals
from apps.entitlements.services import set_total
from apps.plans import selectors
from apps.plans.catalogue import define_feature
from apps.plans.models import Override
from apps.tenants.models import Tenant
from tests.factories import NOW, SOMEBODY, give_plan_to, make_tenant

pytestmark = pytest.mark.django_db
MAY = datetime(2026, 5, 1, tzinfo=UTC)


@pytest.fixture
def acme(db: None) -> Tenant:
    tenant = make_tenant("acme", ready=False)
    give_plan_to(tenant, "pro", gateways=5)
    return tenant


def run(*words: str) -> str:
    out = StringIO()
    call_command(*words, stdout=out)
    return out.getvalue()


def explained(*words: str) -> dict[str, Any]:
    return {each["feature"]: each for each in json.loads(run("entitlement_explain", *words, "--json"))["entitlements"]}


def test_it_tells_which_source_counts_and_why(acme: Tenant) -> None:
    assert run("entitlement_explain", "acme", "gateways").splitlines() == [
        "gateways: 5 by plan:pro@3",
        "  plan:pro@3 says 5: counts, nothing else grants it",
    ]


def test_it_tells_of_every_feature(acme: Tenant) -> None:
    define_feature(key="sso", kind="switch", actor=SOMEBODY, now=NOW)
    found = explained("acme")
    assert set(found) == {*(each.entity for each in selectors.limits(acme, now=NOW)), "sso"}
    assert (found["sso"]["granted"], found["sso"]["origin"]) == (False, "absent")
    assert "sso: not granted\n  plan:pro@3 says nothing: does not count, it does not grant it" in run(
        "entitlement_explain", "acme"
    )


def test_an_override_is_set_explained_and_ended_and_the_past_stays(acme: Tenant) -> None:
    with time_machine.travel(MAY, tick=False):
        told = run(
            "override_set", "acme", "gateways", "--limit", "50", "--reason", "Fair", "--until", "2026-05-03T00:00:00Z"
        )
        assert told == "gateways of acme is 50 until 2026-05-03 00:00:00 UTC.\n"
        assert run("entitlement_explain", "acme", "gateways").splitlines() == [
            "gateways: 50 by override by override_set",
            "  override by override_set says 50, until 2026-05-03 00:00:00 UTC: counts, it wins over every plan: Fair",
            "  plan:pro@3 says 5: does not count, an override wins over it",
        ]
        assert explained("acme", "gateways", "--at", "2026-05-03T00:00:00Z")["gateways"]["limit"] == 5
    with time_machine.travel("2026-05-02T00:00:00Z", tick=False):
        assert (
            run("override_end", "acme", "gateways", "--reason", "Sold out")
            == "gateways of acme is 5 again, by plan:pro@3.\n"
        )
        limits = {at: explained("acme", "gateways", "--at", at)["gateways"]["limit"] for at in AT}
    assert limits == AT


AT = {"2026-04-30T23:59:59Z": 5, "2026-05-01T00:00:00Z": 50, "2026-05-01T23:59:59Z": 50, "2026-05-02": 5}


@pytest.mark.parametrize(
    ("words", "shown"),
    [(["--unlimited"], None), (["--limit", "0"], 0), (["--limit", "7"], 7)],
)
def test_a_limit_shown_is_the_one_that_is_in_force(acme: Tenant, words: list[str], shown: int | None) -> None:
    run("override_set", "acme", "gateways", *words, "--reason", "why")
    now = datetime.now(UTC)
    assert {each.entity: each.limit for each in selectors.limits(acme, now=now)}["gateways"] == shown
    assert json.loads(run("tenant_list", "--json"))["tenants"][0]["limits"]["gateways"] == shown
    assert selectors.entitlements(acme, now=now)["gateways"].most == shown


def test_what_is_reported_but_not_granted_is_not_shown_as_unlimited(acme: Tenant) -> None:
    define_feature(key="seats", kind="count", actor=SOMEBODY, now=NOW)
    set_total(tenant=acme, entity="seats", total=3, actor=SOMEBODY, now=NOW)
    shown = {each.entity: each.limit for each in limits_with_totals(tenant=acme, now=NOW)}
    assert shown["seats"] == 0


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["entitlement_explain", "acme", "gatewayz"], "There is no feature 'gatewayz', but applications"),
        (["entitlement_explain", "acme", "--at", "noon"], "--at is 'noon', but must be a time such as"),
        (["override_set", "acme", "gateways", "--value", "{", "--reason", "x"], "--value is '{', but must be JSON"),
        (["override_set", "acme", "gateways", "--value", "true", "--reason", "x"], "granted as a number or unlimited"),
        (["override_set", "acme", "gateways", "--limit", "1", "--reason", ""], "Say why"),
        (
            ["override_set", "acme", "gateways", "--limit", "1", "--reason", "x", "--until", "2020-01-01"],
            "not in the future",
        ),
        (["override_end", "acme", "gateways", "--reason", "x"], "is not overridden"),
        (["plan_publish", "free", "--grant", "gateways"], "must be a feature and what is granted"),
        (["plan_default", "gold"], "There is no plan 'gold'"),
    ],
)
def test_what_is_wrong_is_one_sentence(acme: Tenant, words: list[str], sentence: str) -> None:
    with pytest.raises(CommandError, match=sentence):
        run(*words)
    assert not Override.objects.exists()


def test_a_default_plan_is_published_and_chosen_and_taken_back(acme: Tenant) -> None:
    make_tenant("guest", ready=False)
    run("feature_define", "sso", "switch", "--name", "Single sign-on")
    run("feature_define", "calls", "metered")
    told = run(
        "plan_publish", "free", "--grant", "gateways=1", "--grant", "sso=on", "--grant", "calls=10/day", "--default"
    )
    assert told == ("plan:free@1 is published and is the default plan.\n  calls=10/day\n  gateways=1\n  sso=on\n")
    found = explained("guest")
    assert [(found[key]["limit"], found[key]["origin"]) for key in ("gateways", "calls")] == [
        (1, "default_plan"),
        (10, "default_plan"),
    ]
    assert found["sso"]["granted"]
    assert json.loads(run("tenant_list", "--json"))["tenants"][1]["plan"] == "plan:free@1"
    assert explained("acme")["gateways"]["limit"] == 5
    assert run("plan_default", "--none") == "The default plan is none.\n"
    assert explained("guest")["gateways"]["granted"] and explained("guest")["gateways"]["limit"] is None
