"""What a member sees of their tenant's plan."""

import re
from collections.abc import Callable

import pytest
from django.test import Client

from apps.audit import services as audit
from apps.plans.models import PlanVersion
from apps.tenants.models import State, Tenant
from apps.tenants.services import move_state
from tests.factories import NOW, SOMEBODY

pytestmark = pytest.mark.django_db


def shown_limits(page: str) -> dict[str, str]:
    """The table of limits, as text."""
    rows = re.findall(r'<th scope="row">(.*?)</th>\s*<td class="number">(.*?)</td>', page, re.DOTALL)
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
        "Applications": "25",
        "Clients": "0 – none can be created",
        "End devices": "12,500",
        "Gateways": "Unlimited",
        "Organizations": "Unlimited",
        "Users": "Unlimited",
        "Seats": "4",
    }


def test_of_two_plans_both_are_named_and_the_larger_limit_is_shown(
    acme: Tenant, member_at: Callable[..., Client], give_plan: Callable[..., PlanVersion]
) -> None:
    give_plan(acme, "pro", applications=25)
    give_plan(acme, "extra", applications=40)

    page = member_at(acme).get("/settings/").content.decode()

    assert "plan:pro@3" in page
    assert "plan:extra@3" in page
    assert shown_limits(page)["Applications"] == "40"


def test_a_tenant_without_a_plan_is_told_so(acme: Tenant, member_at: Callable[..., Client]) -> None:
    page = member_at(acme).get("/settings/").content.decode()

    assert "No plan" in page
    assert set(shown_limits(page).values()) == {"Unlimited"}


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
