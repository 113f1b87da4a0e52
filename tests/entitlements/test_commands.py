"""The commands about credits, usage and what a tenant may."""

import json
from collections.abc import Callable
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from apps.core import clock
from apps.credits import registry as credit_types
from apps.credits.models import Account
from apps.credits.types import CreditType
from apps.entitlements.facade import consume, spend
from apps.plans.terms import Kind
from apps.tenants.models import Tenant
from tests.entitlements.granting import define, fresh, give_everybody
from tests.factories import SOMEBODY

Run = Callable[..., Any]


@pytest.fixture
def run() -> Run:
    """Runs a command and tells what it printed; with `--json`, the document."""

    def _run(name: str, *arguments: str) -> Any:
        out = StringIO()
        try:
            call_command(name, *arguments, stdout=out, stderr=StringIO())
        except SystemExit as ended:
            return ended.code, json.loads(out.getvalue()) if "--json" in arguments else out.getvalue()
        return 0, json.loads(out.getvalue()) if "--json" in arguments else out.getvalue()

    return _run


@pytest.fixture
def rich(acme: Tenant, monkeypatch: pytest.MonkeyPatch) -> Tenant:
    """A tenant with ten credits and a hundred calls a month."""
    monkeypatch.setattr(credit_types, "_defined", {})
    credit_types.define(CreditType("report", "Report", amount=4))
    define("credits", Kind.CREDITS)
    define("api-calls")
    give_everybody(credits="10/month", api_calls="100/month")
    return fresh(acme)


class TestEntitlementCheck:
    def test_yes(self, rich: Tenant, run: Run) -> None:
        code, told = run("entitlement_check", "acme", "api-calls", "--requested", "100", "--json")
        assert (code, told["has_access"], told["limit"], told["remaining"]) == (0, True, 100, 100)

    def test_no(self, rich: Tenant, run: Run) -> None:
        code, told = run("entitlement_check", "acme", "api-calls", "--requested", "101")
        assert code == 2
        assert told.startswith("no (limit_exceeded): The limit for api calls is reached: 0 of 100 in use.")

    def test_there_is_no_such_feature(self, rich: Tenant, run: Run) -> None:
        code, told = run("entitlement_check", "acme", "flying")
        assert (code, told.strip()) == (2, "no (feature_not_found): There is no feature 'flying'.")

    def test_a_value_that_is_no_json(self, rich: Tenant, run: Run) -> None:
        with pytest.raises(CommandError, match="--value is 'eu'"):
            run("entitlement_check", "acme", "api-calls", "--value", "eu")


class TestCredits:
    def test_granted_shown_and_voided(self, rich: Tenant, run: Run) -> None:
        told = ("--reason", "sorry", "--category", "promotional", "--key", "ticket-7", "--json")
        _, first = run("credits_grant", "acme", "5", *told)
        _, again = run("credits_grant", "acme", "5", *told)
        _, shown = run("credits_balance", "acme", "--json")

        assert (first["balance"], again["outcome"], again["grant_id"]) == (15, "repeated", first["grant_id"])
        wallet = shown["wallets"]["credits"]
        assert (wallet["amount"], [each["category"] for each in wallet["grants"]]) == (15, ["plan", "promotional"])

        _, void = run("credits_void", "acme", first["grant_id"], "--reason", "by mistake", "--json")
        assert void["balance"] == 10

    def test_the_balance_for_people(self, rich: Tenant, run: Run) -> None:
        spend(tenant=rich, credit_type="report", actor=SOMEBODY, now=clock.now())
        _, told = run("credits_balance", "acme")
        assert told.startswith("credits: 6 of 10 left\n")
        assert "6 of 10 plan" in told
        assert "the plan gives again" in told

    def test_what_it_will_be(self, rich: Tenant, run: Run) -> None:
        spend(tenant=rich, credit_type="report", actor=SOMEBODY, now=clock.now())
        later = (clock.now() + timedelta(days=31)).isoformat()
        _, told = run("credits_balance", "acme", "--at", later, "--json")
        assert told["wallets"]["credits"]["amount"] == 10

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (("credits_grant", "acme", "0", "--reason", "x"), "0"),
            (("credits_grant", "acme", "5", "--reason", " "), "[Rr]eason|why"),
            (("credits_grant", "acme", "5", "--reason", "x", "--wallet", "gold"), "There is no feature 'gold'"),
            (("credits_grant", "acme", "5", "--reason", "x", "--wallet", "api-calls"), "no wallet of credits"),
            (("credits_grant", "nobody", "5", "--reason", "x"), "nobody"),
            (("credits_void", "acme", "7", "--reason", "x"), "'7' is no grant's id"),
            (("credits_void", "acme", "00000000-0000-0000-0000-000000000000", "--reason", "x"), "grant"),
        ],
    )
    def test_bad_input_is_one_sentence(self, rich: Tenant, run: Run, arguments: Any, message: str) -> None:
        with pytest.raises(CommandError, match=message):
            run(*arguments)


class TestCreditsVerify:
    def test_right_books(self, rich: Tenant, run: Run) -> None:
        spend(tenant=rich, credit_type="report", actor=SOMEBODY, now=clock.now())
        consume(tenant=rich, feature="api-calls", actor=SOMEBODY, now=clock.now())
        assert run("credits_verify", "--json") == (0, {"credits": [], "usage": []})

    def test_falsified_ones(self, rich: Tenant, run: Run) -> None:
        spend(tenant=rich, credit_type="report", actor=SOMEBODY, now=clock.now())
        consume(tenant=rich, feature="api-calls", actor=SOMEBODY, now=clock.now())
        Account.objects.update(balance=99)
        with connection.cursor() as cursor:
            cursor.execute("UPDATE usage_counter SET used = 7")

        code, told = run("credits_verify", "--tenant", "acme")

        assert code == 1
        assert "the balance is 99, by the ledger 6" in told
        assert "used is 7, by the events 1" in told


class TestUsageReport:
    def test_as_it_is_now(self, rich: Tenant, run: Run) -> None:
        consume(tenant=rich, feature="api-calls", amount=85, actor=SOMEBODY, now=clock.now())
        _, told = run("usage_report", "acme", "--json")
        calls = next(each for each in told["usage"] if each["feature"] == "api-calls")
        assert (calls["used"], calls["limit"], calls["percent"], calls["level"]) == (85, 100, 85, "near")
        assert "api-calls: 85 of 100, near, anew " in run("usage_report", "acme")[1]

    def test_over_time(self, rich: Tenant, run: Run) -> None:
        now = clock.now()
        consume(tenant=rich, feature="api-calls", amount=3, actor=SOMEBODY, at=now - timedelta(days=2), now=now)
        consume(tenant=rich, feature="api-calls", amount=4, actor=SOMEBODY, now=now)
        _, told = run("usage_report", "acme", "api-calls", "--json")
        assert len(told["buckets"]) == 31
        assert [each["used"] for each in told["buckets"][-3:]] == [3, 0, 4]

    def test_a_time_that_ends_before_it_begins(self, rich: Tenant, run: Run) -> None:
        with pytest.raises(CommandError, match="must lie before"):
            run("usage_report", "acme", "api-calls", "--since", "2026-03-02T00:00Z", "--until", "2026-03-01T00:00Z")
