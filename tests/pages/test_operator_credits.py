"""What the operator sees of a tenant's credits, and what can be done about them."""

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from apps.accounts.models import User
from apps.audit.models import Entry
from apps.core import clock
from apps.credits import selectors
from apps.credits.models import Grant, LedgerEntry
from apps.credits.verifying import verify
from apps.entitlements import facade, wallets
from apps.tenants.models import Tenant
from tests.entitlements.granting import define, fresh, give_everybody
from tests.factories import SOMEBODY, make_tenant
from tests.pages.reading import path_of, text

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("only_users", "_wallet")]


@pytest.fixture
def _wallet(db: None) -> None:
    define("credits", kind="credits")
    give_everybody(credits="10/month")


def page_of(staff: Client, tenant: Tenant, **asked: Any) -> str:
    return text(staff.get(path_of("tenant_credits", tenant.pk), asked))


def balance(tenant: Tenant) -> int:
    return wallets.balance(tenant=fresh(tenant), feature="credits", now=clock.now()).amount


def give(tenant: Tenant, amount: int = 100, **given: Any) -> Grant:
    terms = {"priority": 50, "effective_at": None, "expires_at": None, "reason": "Welcome"} | given
    made = wallets.grant(
        tenant=fresh(tenant), feature="credits", amount=amount, actor=SOMEBODY, now=clock.now(), **terms
    )
    return Grant.objects.get(tenant_uuid=tenant.pk, id=made.grant_id)


def spend(tenant: Tenant, times: int = 1, **given: Any) -> None:
    facade.spend(
        tenant=fresh(tenant),
        credit_type="credit-project-creation",
        times=times,
        actor=SOMEBODY,
        now=clock.now(),
        **given,
    )


def filled(staff: Client, tenant: Tenant, action: str = "grant", **given: str) -> dict[str, str]:
    """A form as the page gives it, with what was typed."""
    page = staff.get(path_of(f"tenant_credits_{action}", tenant.pk), {"wallet": "credits"}).content.decode()
    key = re.search(r'name="key" value="([^"]+)"', page)
    assert key
    usual = {"category": "manual", "priority": "50", "effective_at": "", "expires_at": ""} if action == "grant" else {}
    return {"key": key[1], "wallet": "credits", "amount": "100", "reason": "For the outage.", **usual, **given}


def send(staff: Client, tenant: Tenant, data: dict[str, str], action: str = "grant", *args: object) -> str:
    return text(staff.post(path_of(f"tenant_credits_{action}", tenant.pk, *args), data, follow=True))


class TestPage:
    def test_it_tells_the_balance_the_grants_in_order_and_the_ledger(self, staff: Client, acme: Tenant) -> None:
        give(acme, 40, reason="Paid in advance", category="paid")
        give(acme, 30, reason="Welcome aboard", category="promotional", expires_at=clock.now() + timedelta(days=3))
        give(acme, 7, reason="Later", effective_at=clock.now() + timedelta(days=9))
        spend(acme, 3, object_ref="/app/projects/1/")

        page = page_of(staff, acme)
        assert "Balance 74" in page
        assert "6 of 80" in page
        # What expires first is spent first, what is not effective yet stands last.
        grants = page.partition("in the order in which they are spent")[2].partition("Ledger")[0]
        order = ["Welcome aboard", "plan:free@1", "Paid in advance", "Later"]
        assert sorted(order, key=grants.index) == order
        assert "24 of 30" in grants
        assert "not effective yet" in grants
        ledger = page.partition("Ledger Kind")[2]
        assert re.search(r"Spent −6 74 Promotional 30 somebody credit-project-creation .* Granted Welcome", ledger)

    def test_an_object_on_the_tenants_host_is_linked_and_nothing_else(self, staff: Client, acme: Tenant) -> None:
        for ref in ("/app/projects/1/", "//evil.example/", "javascript:alert(1)", "project:7"):
            spend(acme, object_ref=ref)
        page = staff.get(path_of("tenant_credits", acme.pk)).content.decode()
        assert 'href="http://acme.localhost' in page
        assert page.count('rel="noreferrer"') == 1
        assert 'href="javascript' not in page

    def test_the_ledger_is_filtered_and_paged(self, staff: Client, acme: Tenant) -> None:
        for number in range(33):
            give(acme, 1, reason=f"number {number}.")
        spend(acme)
        assert "−2" in page_of(staff, acme, kind="burn")
        assert "number 3." not in page_of(staff, acme, kind="burn").partition("Ledger Kind")[2]

        first = page_of(staff, acme, kind="grant").partition("Ledger Kind")[2]
        assert "number 32." in first
        assert "number 1." not in first
        where = re.search(
            r"before=(\d+)", staff.get(path_of("tenant_credits", acme.pk), {"kind": "grant"}).content.decode()
        )
        assert where
        second = page_of(staff, acme, kind="grant", before=where[1]).partition("Ledger Kind")[2]
        assert "number 1." in second
        assert "number 32." not in second
        assert "Newest" in second

    def test_what_there_is_no_page_of(self, staff: Client, acme: Tenant) -> None:
        page = path_of("tenant_credits", acme.pk)
        for asked in ({"wallet": "other"}, {"kind": "theft"}, {"before": "x"}, {"before": "-1"}):
            assert staff.get(page, asked).status_code == 404
        assert staff.get(path_of("tenant_credits", uuid4())).status_code == 404

    def test_a_tenant_without_a_wallet_is_told_how_one_comes(self, staff: Client, acme: Tenant) -> None:
        define("calls")
        give_everybody(calls="5/month")
        assert "feature_define credits credits" in page_of(staff, acme)

    def test_what_the_plan_gave_and_nobody_has_booked_is_there(self, staff: Client, acme: Tenant) -> None:
        page = page_of(staff, acme)
        assert "Balance 10" in page
        assert "booked with whatever happens next" in page
        assert not LedgerEntry.objects.exists()

    def test_more_grants_and_wallets_cost_no_more_queries(self, staff: Client, acme: Tenant) -> None:
        def cost(wallet_count: int, grant_count: int) -> int:
            names = [f"tokens{number}" for number in range(wallet_count)]
            for name in names:
                define(name, kind="credits")
            give_everybody(credits="10/month", **dict.fromkeys(names, "5/month"))
            for _ in range(grant_count):
                give(acme, 1)
                spend(acme)
            with CaptureQueriesContext(connection) as queries:
                page_of(staff, acme)
            return len(queries)

        cost(1, 1)
        assert cost(2, 1) == cost(6, 6)


class TestGrant:
    def test_credits_are_granted_once_however_often_the_form_is_sent(self, staff: Client, acme: Tenant) -> None:
        data = filled(staff, acme, expires_at="2099-01-02T03:04:05", category="paid", priority="7")

        assert "100 credits are granted to Acme. The balance was 110 then." in send(staff, acme, data)
        assert "had been sent already, so nothing more was done" in send(staff, acme, data)

        grant = Grant.objects.get(category="paid")
        assert (grant.amount, grant.priority, grant.author, grant.reason) == (100, 7, "olga", "For the outage.")
        assert grant.expires_at and grant.expires_at.isoformat() == "2099-01-02T03:04:05+00:00"
        assert balance(acme) == 110
        entry = Entry.objects.get(action="tenant.credits_granted")
        assert (entry.actor_label, entry.subject, entry.reason) == ("olga", acme.subject, "For the outage.")

    def test_the_same_form_with_another_amount_is_refused(self, staff: Client, acme: Tenant) -> None:
        data = filled(staff, acme)
        send(staff, acme, data)
        assert "sent before with other values" in send(staff, acme, data | {"amount": "200"})
        assert balance(acme) == 110

    def test_each_form_counts_for_itself(self, staff: Client, acme: Tenant) -> None:
        send(staff, acme, filled(staff, acme))
        send(staff, acme, filled(staff, acme))
        assert balance(acme) == 210

    def test_what_was_typed_and_the_key_stay_after_an_error(self, staff: Client, acme: Tenant) -> None:
        data = filled(staff, acme, reason="")
        page = staff.post(path_of("tenant_credits_grant", acme.pk), data).content.decode()
        assert f'value="{data["key"]}"' in page
        assert 'value="100"' in page

    @pytest.mark.parametrize(
        ("given", "sentence"),
        [
            ({"amount": "0"}, "greater than or equal to 1"),
            ({"amount": "many"}, "Enter a whole number"),
            ({"amount": "9" * 20}, "less than or equal to"),
            ({"reason": " "}, "This field is required"),
            ({"category": "plan"}, "Select a valid choice"),
            ({"priority": "101"}, "less than or equal to 100"),
            ({"expires_at": "2020-01-01T00:00"}, "over before it began"),
            ({"wallet": "gold"}, "Select a valid choice"),
            ({"key": "x"}, "has lost its key"),
            ({"key": ""}, "has lost its key"),
        ],
    )
    def test_what_is_wrong_is_told_on_the_form(
        self, staff: Client, acme: Tenant, given: dict[str, str], sentence: str
    ) -> None:
        assert sentence in send(staff, acme, filled(staff, acme) | given)
        assert not Grant.objects.exists()

    def test_the_form_tells_what_there_is_now(self, staff: Client, acme: Tenant) -> None:
        page = text(staff.get(path_of("tenant_credits_grant", acme.pk)))
        assert "Credits now 10" in page


class TestAdjust:
    def test_a_balance_is_changed_either_way_once(self, staff: Client, acme: Tenant) -> None:
        data = filled(staff, acme, "adjust", amount="-4")
        assert "The balance of Acme is changed by -4." in send(staff, acme, data, "adjust")
        send(staff, acme, data, "adjust")
        assert balance(acme) == 6
        send(staff, acme, filled(staff, acme, "adjust", amount="14"), "adjust")
        assert balance(acme) == 20
        assert verify() == []

    def test_more_than_there_is_cannot_be_taken(self, staff: Client, acme: Tenant) -> None:
        page = send(staff, acme, filled(staff, acme, "adjust", amount="-11"), "adjust")
        assert "has 10 credits, so 11 cannot be taken away" in page
        assert "By 0 nothing would change" in send(staff, acme, filled(staff, acme, "adjust", amount="0"), "adjust")


class TestEndingAGrant:
    @pytest.mark.parametrize(("action", "kind"), [("void", "void"), ("expire", "expire")])
    def test_what_is_left_is_gone(self, staff: Client, acme: Tenant, action: str, kind: str) -> None:
        grant = give(acme)
        form = text(staff.get(path_of(f"tenant_credits_{action}", acme.pk, grant.id)))
        assert "Left 100" in form
        assert "110 → 10" in form

        send(staff, acme, {"reason": "A mistake."}, action, grant.id)

        assert balance(acme) == 10
        entry = LedgerEntry.objects.get(kind=kind, grant_id=grant.id)
        assert (entry.amount, entry.actor, entry.note) == (-100, "olga", "A mistake.")
        again = send(staff, acme, {"reason": "Once more."}, action, grant.id)
        assert "Nothing is left of the grant" in again
        assert verify() == []

    def test_one_that_is_not_effective_yet_is_voided_and_does_not_expire(self, staff: Client, acme: Tenant) -> None:
        grant = give(acme, effective_at=clock.now() + timedelta(days=2))
        assert "not effective yet; void it instead" in send(staff, acme, {"reason": "x"}, "expire", grant.id)
        assert "10 → 10" in text(staff.get(path_of("tenant_credits_void", acme.pk, grant.id)))
        send(staff, acme, {"reason": "x"}, "void", grant.id)
        assert [each.remaining for each in selectors.grants(tenant=acme, feature="credits") if each.id == grant.id] == [
            0
        ]

    def test_a_reason_is_needed(self, staff: Client, acme: Tenant) -> None:
        grant = give(acme)
        assert "This field is required" in send(staff, acme, {"reason": ""}, "void", grant.id)
        assert balance(acme) == 110

    def test_there_is_no_such_grant(self, staff: Client, acme: Tenant) -> None:
        for action in ("void", "expire"):
            assert staff.get(path_of(f"tenant_credits_{action}", acme.pk, uuid4())).status_code == 404
            assert staff.post(path_of(f"tenant_credits_{action}", acme.pk, uuid4()), {"reason": "x"}).status_code == 404

    def test_the_grant_of_another_tenant_is_none_of_this_one(self, staff: Client, acme: Tenant) -> None:
        grant = give(acme)
        other = make_tenant("other", ready=False)
        assert staff.post(path_of("tenant_credits_void", other.pk, grant.id), {"reason": "x"}).status_code == 404
        assert balance(acme) == 110


def test_only_operators_may(acme: Tenant, visitor: Client, member_at: Callable[..., Client]) -> None:
    clerk = User(username="clerk", is_staff=True)
    clerk.save()
    for action, args in (("grant", ()), ("adjust", ()), ("void", (uuid4(),)), ("expire", (uuid4(),))):
        path = path_of(f"tenant_credits_{action}", acme.pk, *args)
        assert visitor.post(path, {}).status_code == 302
    visitor.force_login(clerk)
    assert visitor.post(path_of("tenant_credits_grant", acme.pk), {}, follow=True).status_code == 403
    assert not Grant.objects.exists()


def test_a_tenant_that_is_being_deleted_gets_nothing(staff: Client, acme: Tenant) -> None:
    data = filled(staff, acme)
    Tenant.objects.filter(pk=acme.pk).update(provisioning="deleting")
    assert "is being deleted. Nothing was changed" in send(staff, acme, data)
    assert not Grant.objects.exists()
    assert "Grant credits" not in page_of(staff, acme)
