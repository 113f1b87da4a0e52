"""`push`, `pull`, `ls` and `whoami`, as whoever comes from Tier runs them."""

import io
import json
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from apps.billing import services as billing
from apps.credits import selectors as credits
from apps.lifecycle.publishing import services
from apps.plans import services as plans
from apps.plans.models import PlanVersion
from apps.plans.pricing.reading import read
from tests.factories import NOW
from tests.support.standin import StandIn
from tests.support.vendor import Vendor

pytestmark = pytest.mark.django_db
EXAMPLES = Path(__file__).parents[2] / "plans" / "pricing" / "examples"
TEXT = """{
  "plans": {
    "plan:pro@1": {
      "title": "Pro",
      "features": {
        "feature:base": {
          "title": "Base fee",
          "base": 990.5
        },
        "feature:calls": {
          "tiers": [
            {
              "upto": 1000
            },
            {
              "price": 0.25
            }
          ]
        }
      }
    }
  }
}"""


@pytest.fixture(autouse=True)
def _standin(standin: StandIn) -> None:
    """Every test here talks to an empty account."""


@pytest.fixture
def file(tmp_path: Path) -> str:
    path = tmp_path / "pricing.json"
    path.write_text(TEXT)
    return str(path)


def run(*words: str) -> str:
    out = io.StringIO()
    call_command(*words, stdout=out)
    return out.getvalue()


def run_json(*words: str) -> Any:
    return json.loads(run(*words, "--json"))


def test_push_prints_a_line_for_each_feature(file: str) -> None:
    lines = [line.split("\t") for line in run("push", file).splitlines()]
    assert [(*line[:3], line[4]) for line in lines] == [
        ("ok", "plan:pro@1", "feature:base", "[created]"),
        ("ok", "plan:pro@1", "feature:calls", "[created]"),
    ]
    assert all(line[3].startswith("https://dashboard.stripe.com/test/prices/price_") for line in lines)
    assert {line.split("\t")[4] for line in run("push", file).splitlines()} == {"[feature already exists]"}


def test_push_refuses_another_content_in_tiers_words(file: str) -> None:
    run("push", file)
    Path(file).write_text(TEXT.replace("990.5", "991"))
    out = io.StringIO()
    with pytest.raises(CommandError, match=r"^illegal attempt to push features to existing plan\(s\); aborting\.$"):
        call_command("push", file, stdout=out)
    assert out.getvalue().splitlines() == [
        "failed\tplan:pro@1\tfeature:base\t-\t[plan already exists]",
        "failed\tplan:pro@1\tfeature:calls\t-\t[plan already exists]",
    ]


def test_a_dry_run_shows_what_would_be_made(file: str, capsys: pytest.CaptureFixture[str]) -> None:
    shown = run("push", file, "--dry-run")
    assert "ok\tplan:pro@1\tfeature:base\t-\t[created]" in shown.splitlines()
    assert capsys.readouterr().err.splitlines() == [
        "+ meter tenantry_calls (sum)",
        "+ product tier__plan-pro-1 Pro",
        "+ price tier__feature-base-plan-pro-1 990.5 usd each month",
        "+ price tier__feature-calls-plan-pro-1 graduated 0+0 to 1000, 0.25+0 to the end usd by use each month",
    ]
    assert not services.account().prices
    assert not PlanVersion.objects.exists()


def test_push_as_json(file: str) -> None:
    planned = run_json("push", file, "--dry-run")
    assert planned["applied"] is False
    assert [each["lookup_key"] for each in planned["difference"]["prices"]] == [
        "tier__feature-base-plan-pro-1",
        "tier__feature-calls-plan-pro-1",
    ]
    done = run_json("push", file)
    assert done["applied"] is True
    assert {(each["feature"], each["status"], each["reason"]) for each in done["results"]} == {
        ("feature:base@plan:pro@1", "ok", "created"),
        ("feature:calls@plan:pro@1", "ok", "created"),
    }


def test_pull_prints_the_file(file: str) -> None:
    run("push", file)
    assert run("pull") == f"{TEXT}\n"
    assert run_json("pull") == json.loads(TEXT)


def test_everything_beyond_tier_travels(standin: StandIn) -> None:
    source = str(EXAMPLES / "extended.hujson")
    run("push", source)
    document = read(Path(source).read_text())
    assert read(run("pull")).extension.credit_types == document.extension.credit_types
    assert {each.value: each.amount for each in credits.credit_types()}["credit-project-creation"] == 2


def test_push_reads_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(TEXT.encode())))
    assert len(run("push", "-").splitlines()) == 2


@pytest.mark.parametrize(
    ("source", "message"),
    [("/nowhere/pricing.json", "cannot be read"), ("http://127.0.0.1:1/pricing.json", "cannot be fetched")],
)
def test_a_source_that_cannot_be_read_is_told(source: str, message: str) -> None:
    with pytest.raises(CommandError, match=message):
        run("push", source)


def test_a_file_that_is_wrong_is_told_in_tiers_words(file: str) -> None:
    Path(file).write_text('{"plans": {"plan:pro@1": {"features": {}}}}')
    with pytest.raises(CommandError, match=r'^plans\["plan:pro@1"\]: plans must have at least one feature$'):
        run("push", file)


def test_ls_lists_the_features(file: str) -> None:
    run("push", file)
    assert run("ls").splitlines() == [
        "PLAN        FEATURE        MODE       AGG  BASE",
        "plan:pro@1  feature:base   -          -    990.5",
        "plan:pro@1  feature:calls  graduated  sum  0",
    ]
    assert run_json("ls")["features"][0] == {
        "plan": "plan:pro@1",
        "feature": "feature:base",
        "mode": "-",
        "agg": "-",
        "base": "990.5",
    }


def test_whoami_tells_whose_account_it_is() -> None:
    lines = run("whoami").splitlines()
    assert [line.split()[0] for line in lines] == ["ID:", "KeySource:", "Isolated:", "Email:", "Created:", "URL:"]
    found = run_json("whoami")
    assert found["id"].startswith("acct_")
    assert (found["email"], found["isolated"]) == ("stand-in@localhost.example", False)


class TestPlansConvert:
    """Between The Things Stack's prices and pricing.json, on one catalogue."""

    @pytest.fixture
    def price(self, standin: StandIn) -> str:
        """A published price of The Things Stack's kind."""
        price = Vendor(standin).price(limits={"max-end-devices": "50", "max-projects": "3"})
        billing.refresh_price(price)
        plans.publish_price(price_id=price, now=NOW)
        return price

    def test_prices_become_a_file(self, price: str, capsys: pytest.CaptureFixture[str]) -> None:
        document = read(run("plans_convert"))
        (ref,) = document.refs()
        assert str(ref) == "plan:starter@1"
        assert document.plans[ref].currency == "eur"
        assert sorted(map(str, document.extension.plans[ref].features)) == ["feature:end:devices", "feature:projects"]
        assert capsys.readouterr().err.splitlines() == [
            "lost: plan:starter@1: that projects is unlimited in plans that do not name it",
            f"lost: plan:starter@1: that it is {price}: whoever subscribed to that stays with it",
        ]

    def test_a_price_that_is_no_plan_of_a_file_is_not_pulled_as_a_free_one(self, price: str, file: str) -> None:
        run("push", file)
        assert list(run_json("pull")["plans"]) == ["plan:pro@1"]
        assert "plan:starter@1" not in run("pull")

    def test_a_file_becomes_metadata(self, file: str, capsys: pytest.CaptureFixture[str]) -> None:
        assert run("plans_convert", file).splitlines() == [
            "plan:pro@1  Pro  990.5 usd each month",
            "  tenantry-grant-base=on",
            "  tenantry-grant-calls=unlimited/billing_period",
        ]
        assert "lost: plan:pro@1: what the use of feature:calls costs" in capsys.readouterr().err.splitlines()
        assert run_json("plans_convert", file)["plans"][0]["amount"] == "990.5"
