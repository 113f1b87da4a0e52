"""What the operator sees of how many there are of what a tenant's plan limits."""

import re
from collections.abc import Callable

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from apps.core.actors import Actor
from apps.entitlements.services import set_totals
from apps.plans.models import PlanVersion
from apps.tenants.models import Tenant
from tests.factories import NOW, make_tenant
from tests.pages.test_operator_pages import path_of

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("only_users")]


def page_of(staff: Client, tenant: Tenant) -> str:
    return staff.get(path_of("tenants_tenant_change", tenant.pk)).content.decode()


def shown_rows(staff: Client, tenant: Tenant) -> dict[str, list[str]]:
    """The table of limits by entity: how many, who tells, where the limit comes from."""
    page = page_of(staff, tenant)
    table = page.partition("Where the limit comes from")[2].partition("</table>")[0]
    rows = (re.findall(r"<td.*?>(.*?)</td>", row, re.DOTALL) for row in table.split("<tr>")[1:])
    texts = ([" ".join(re.sub(r"<[^>]+>", " ", cell).split()) for cell in row] for row in rows)
    return {entity.split()[-1]: rest for entity, *rest in texts}


def tell(tenant: Tenant, **totals: int) -> None:
    set_totals(tenant=tenant, totals=totals, actor=Actor.api_key(name="fleet"), now=NOW)


def test_each_limit_has_its_total_with_source_and_time(
    staff: Client, acme: Tenant, give_plan: Callable[..., PlanVersion]
) -> None:
    give_plan(acme, "pro", clients=5, gateways=2, organizations=0, users=3)
    tell(acme, clients=3, gateways=4, projects=7)

    reported = "reported 1 Mar 2026, 12:00 by fleet"
    assert shown_rows(staff, acme) == {
        "applications": ["– · unlimited", "nobody", "plan:pro@3: not limited counts: nothing else grants it Override"],
        "clients": ["3 of 5", reported, "plan:pro@3: 5 counts: nothing else grants it Override"],
        "end-devices": ["– · unlimited", "nobody", "plan:pro@3: not limited counts: nothing else grants it Override"],
        "gateways": [
            "4 of 2 ⚠&#xFE0E; 2 over the limit",
            reported,
            "plan:pro@3: 2 counts: nothing else grants it Override",
        ],
        "organizations": ["– of 0", "nobody", "plan:pro@3: 0 counts: nothing else grants it Override"],
        "users": ["1 of 3", "counted now", "plan:pro@3: 3 counts: nothing else grants it Override"],
        "projects": ["7 · unlimited", reported, "no plan says anything"],
    }


def test_a_tenant_without_a_schema_has_what_was_reported(staff: Client) -> None:
    coming = make_tenant("coming", ready=False)
    tell(coming, clients=3)
    rows = shown_rows(staff, coming)
    assert rows["clients"][:2] == ["3 · unlimited", "reported 1 Mar 2026, 12:00 by fleet"]
    assert rows["users"][:2] == ["– · unlimited", "nobody"]


def test_who_reported_is_never_markup(staff: Client, acme: Tenant) -> None:
    set_totals(tenant=acme, totals={"clients": 1}, actor=Actor.api_key(name="<script>x"), now=NOW)
    page = page_of(staff, acme)
    assert "&lt;script&gt;x" in page
    assert "<script>x" not in page


def test_more_entities_cost_no_more_queries(staff: Client, acme: Tenant, give_plan: Callable[..., PlanVersion]) -> None:
    give_plan(acme, "pro", clients=5)
    shown_rows(staff, acme)
    with CaptureQueriesContext(connection) as few:
        shown_rows(staff, acme)
    names = [f"thing{number}" for number in range(9)]
    give_plan(acme, "extra", **dict.fromkeys(names, 5))
    tell(acme, **dict.fromkeys(names, 3))
    with CaptureQueriesContext(connection) as many:
        assert len(shown_rows(staff, acme)) == 6 + 9

    assert len(many) == len(few)
