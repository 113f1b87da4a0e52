"""What the operator sees and does about one tenant's exceptions."""

from collections.abc import Callable

import pytest
from django.test import Client

from apps.audit.models import Entry
from apps.plans.catalogue import define_feature, publish_plan
from apps.plans.models import Override, PlanVersion
from apps.plans.resolution import Grant
from apps.tenants.models import Tenant
from tests.factories import NOW, SOMEBODY
from tests.pages.test_operator_pages import path_of
from tests.pages.test_operator_totals import shown_rows

pytestmark = pytest.mark.django_db


def page_for(tenant: Tenant, action: str = "override", feature: str = "gateways") -> str:
    return f"{path_of(f'tenant_{action}', tenant.pk)}?feature={feature}"


def send(staff: Client, tenant: Tenant, allowed: str, **given: str) -> str:
    data = {"feature": "gateways", "allowed": allowed, "reason": "A pilot.", "until": "", **given}
    return staff.post(page_for(tenant), data, follow=True).content.decode()


def test_an_override_is_made_shown_and_ended(
    staff: Client, acme: Tenant, give_plan: Callable[..., PlanVersion]
) -> None:
    give_plan(acme, "pro", gateways=5)
    form = staff.get(page_for(acme)).content.decode()
    assert '<option value="gateways" selected' in form

    assert "The override for Acme is in force." in send(staff, acme, "50", until="2099-01-02T03:04:05")
    shown = shown_rows(staff, acme)["gateways"]
    assert shown[0] == "– of 50"
    assert shown[2] == (
        "override by olga: 50 until 2 Jan 2099, 03:04:05 counts: it wins over every plan: A pilot. "
        "plan:pro@3: 5 does not count: an override wins over it End the override"
    )
    assert Entry.objects.get(action="tenant.override_set").actor_label == "olga"
    assert 'value="A pilot."' in staff.get(page_for(acme)).content.decode()

    end = page_for(acme, "end_override")
    assert "gateways: A pilot." in staff.get(end).content.decode()
    staff.post(end, {"feature": "gateways", "reason": "Over."})
    assert shown_rows(staff, acme)["gateways"][2] == "plan:pro@3: 5 counts: nothing else grants it Override"
    assert Override.objects.get().ended_because == "Over."


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"allowed": "many"}, "must be a whole number or"),
        ({"allowed": "5", "until": "2020-01-01T00:00"}, "is not in the future"),
        ({"allowed": "5", "feature": "gatewayz"}, "Select a valid choice"),
        ({"allowed": "5", "reason": ""}, "This field is required"),
    ],
)
def test_what_is_wrong_is_told_on_the_form(staff: Client, acme: Tenant, given: dict[str, str], sentence: str) -> None:
    assert sentence in send(staff, acme, **given)
    assert not Override.objects.exists()


def test_other_kinds_of_features_are_shown_with_their_source(staff: Client, acme: Tenant) -> None:
    define_feature(key="sso", kind="switch", actor=SOMEBODY, now=NOW)
    page = staff.get(path_of("tenants_tenant_change", acme.pk)).content.decode()
    assert "<code>sso</code>" not in page
    send(staff, acme, "on", feature="sso")
    page = staff.get(path_of("tenants_tenant_change", acme.pk)).content.decode()
    assert "<code>sso</code>" in page
    assert "override by olga: on" in page


def test_the_list_of_plans_shows_every_kind_of_plan(staff: Client) -> None:
    define_feature(key="sso", kind="switch", actor=SOMEBODY, now=NOW)
    publish_plan(key="more", grants={"sso": Grant(value=True)}, add_on=True, actor=SOMEBODY, now=NOW)
    page = staff.get(path_of("plans_planversion_changelist")).content.decode()
    assert "<code>plan:more@1</code> add-on" in page
    assert "Sso <b>on</b>" in page


def test_only_staff_may(acme: Tenant, member_at: Callable[..., Client], visitor: Client) -> None:
    for action in ("override", "end_override"):
        assert visitor.post(page_for(acme, action), {}).status_code == 302
    assert not Override.objects.exists()
