"""What a member sees of their tenant's plan."""

import re
from collections.abc import Callable

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from apps.audit import services as audit
from apps.entitlements.services import set_totals
from apps.plans.models import PlanVersion
from apps.tenants.models import State, Tenant
from apps.tenants.services import move_state
from tests.factories import NOW, SOMEBODY

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("only_users")]


def shown_limits(page: str) -> dict[str, str]:
    """The table of limits, as a person sees it."""
    page = re.sub(r'<span class="unseen">.*?</span>', "", page)
    rows = re.findall(r'<th scope="row">(.*?)(?: <span.*?)?</th>\s*<td class="number">(.*?)</td>', page, re.DOTALL)
    return {name: " ".join(re.sub(r"<[^>]+>", "", limit).split()) for name, limit in rows}


@pytest.mark.parametrize("path", ["/", "/settings/"])
def test_strangers_are_asked_to_sign_in(acme: Tenant, at: Callable[[Tenant], Client], path: str) -> None:
    answer = at(acme).get(path, follow=True)

    assert answer.redirect_chain[-1][0] == "/accounts/login/?next=/settings/"


@pytest.mark.parametrize("role", ["administrator", "member"])
def test_every_member_sees_plan_and_limits(
    acme: Tenant, member_at: Callable[..., Client], give_plan: Callable[..., PlanVersion], role: str
) -> None:
    give_plan(acme, "pro", applications=25, clients=0, end_devices=12500, seats=4)

    page = member_at(acme, role=role).get("/settings/").content.decode()

    assert "plan:pro@3" in page
    assert shown_limits(page) == {
        "Applications": "– of 25",
        "Clients": "– of 0 none can be created",
        "End devices": "– of 12,500",
        "Gateways": "– · unlimited",
        "Organizations": "– · unlimited",
        "Users": "2 · unlimited",
        "Seats": "– of 4",
    }


def test_of_two_plans_both_are_named_and_the_larger_limit_is_shown(
    acme: Tenant, member_at: Callable[..., Client], give_plan: Callable[..., PlanVersion]
) -> None:
    give_plan(acme, "pro", applications=25)
    give_plan(acme, "extra", applications=40)

    page = member_at(acme).get("/settings/").content.decode()

    assert "plan:pro@3" in page
    assert "plan:extra@3" in page
    assert shown_limits(page)["Applications"] == "– of 40"


def test_a_tenant_without_a_plan_is_told_so(acme: Tenant, member_at: Callable[..., Client]) -> None:
    page = member_at(acme).get("/settings/").content.decode()

    assert "No plan" in page
    assert set(shown_limits(page).values()) == {"– · unlimited", "2 · unlimited"}


def test_each_limit_says_how_many_there_are(
    acme: Tenant, member_at: Callable[..., Client], give_plan: Callable[..., PlanVersion]
) -> None:
    give_plan(acme, "pro", applications=5, clients=2, end_devices=1000, gateways=0, users=3)
    tell(acme, applications=3, clients=2, end_devices=1204, gateways=0, projects=7)

    page = member_at(acme).get("/settings/").content.decode()

    assert shown_limits(page) == {
        "Applications": "3 of 5",
        "Clients": "2 of 2 limit reached",
        "End devices": "1,204 of 1,000 204 over the limit",
        "Gateways": "0 of 0 none can be created",
        "Organizations": "– · unlimited",
        "Users": "2 of 3",
        "Projects": "7 · unlimited",
    }
    assert [
        tuple(each) for each in re.findall(r'<meter .*?max="(\d+)" value="(\d+)".*?aria-valuetext="(.*?)"', page)
    ] == [
        ("5", "3", "3 of 5"),
        ("2", "2", "2 of 2"),
        ("1000", "1204", "1,204 of 1,000, 204 over the limit"),
        ("3", "2", "2 of 3"),
    ]


def test_more_entities_cost_no_more_queries(
    acme: Tenant, member_at: Callable[..., Client], give_plan: Callable[..., PlanVersion]
) -> None:
    client = member_at(acme)
    give_plan(acme, "pro", clients=5)
    client.get("/settings/")
    with CaptureQueriesContext(connection) as few:
        client.get("/settings/")
    names = [f"thing_{number}" for number in range(9)]
    give_plan(acme, "extra", **dict.fromkeys(names, 5), clients=5)
    give_plan(acme, "more", **dict.fromkeys(names, 5))
    tell(acme, **dict.fromkeys(names, 3))
    with CaptureQueriesContext(connection) as many:
        page = client.get("/settings/").content.decode()

    assert [shown_limits(page)[f"Thing {number}"] for number in range(9)] == ["3 · unlimited"] * 9
    assert len(many) == len(few)


def tell(tenant: Tenant, **totals: int) -> None:
    told = {name.replace("_", "-"): total for name, total in totals.items()}
    set_totals(tenant=tenant, totals=told, actor=SOMEBODY, now=NOW)


def test_the_state_is_a_word_with_its_reason_and_date(acme: Tenant, member_at: Callable[..., Client]) -> None:
    client = member_at(acme)
    move_state(tenant=acme, state=State.FLAGGED, description="Stripe subscription past due", actor=SOMEBODY, now=NOW)

    page = client.get("/settings/").content.decode()

    assert "Flagged</span>" in page
    assert "1 March 2026" in page


def test_another_tenants_plan_and_history_are_not_shown(
    acme: Tenant, member_at: Callable[..., Client], give_plan: Callable[..., PlanVersion]
) -> None:
    other = Tenant.objects.create(tenant_id="other", schema_name="t_other_1", created_at=NOW)
    give_plan(other, "secret", applications=1)
    audit.record(actor=SOMEBODY, action="tenant.state_changed", subject=other.subject, now=NOW, reason="secret")

    page = member_at(acme).get("/settings/").content.decode()

    assert "secret" not in page


def test_texts_of_the_tenant_are_never_markup(acme: Tenant, member_at: Callable[..., Client]) -> None:
    client = member_at(acme)
    Tenant.objects.filter(pk=acme.pk).update(name="<b>Acme", description="<script>alert(1)</script>")

    page = client.get("/settings/").content.decode()

    assert "<script" not in page
    assert "<b>Acme" not in page


def test_the_page_allows_no_script_and_no_style_of_its_own(acme: Tenant, member_at: Callable[..., Client]) -> None:
    answer = member_at(acme).get("/settings/")

    page = answer.content.decode()
    policy = answer["Content-Security-Policy"]
    assert "unsafe" not in policy
    assert not re.search(r"<style|<script|\sstyle=|\son\w+=|https?://", page)
