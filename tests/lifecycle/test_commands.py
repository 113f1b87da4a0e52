"""The commands that mirror, reconcile and manage prices, as an operator runs them."""

import json
from collections.abc import Callable
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from apps.audit.models import Entry
from apps.billing.models import Event, Installation
from apps.plans.models import PlanAssignment
from apps.tenants.models import Tenant
from tests.factories import make_tenant
from tests.support.standin import StandIn
from tests.support.vendor import Vendor


def run(*words: str) -> str:
    out = StringIO()
    call_command(*words, stdout=out)
    return out.getvalue()


def run_json(*words: str) -> Any:
    return json.loads(run(*words, "--json"))


class TestReconcile:
    def test_a_dry_run_shows_what_would_change_and_changes_nothing(self, transactional_db: None) -> None:
        tenant = make_tenant(ready=False)
        Tenant.objects.update(state="flagged", state_description="stale")
        before = list(Tenant.objects.values())

        shown = run_json("reconcile", "--tenant", "acme", "--dry-run")

        assert shown["applied"] is False
        assert {change["field"]: (change["before"], change["after"]) for change in shown["tenants"][0]["changes"]} == {
            "state": ("flagged", "approved"),
            "state_description": ("stale", ""),
            "provisioning": ("pending", "ready"),
        }
        assert list(Tenant.objects.values()) == before
        assert not Entry.objects.filter(action="tenant.state_changed", subject=tenant.subject, before__state="flagged")

    def test_applying_does_exactly_what_the_dry_run_showed(self, transactional_db: None) -> None:
        make_tenant(ready=False)
        Tenant.objects.update(state="flagged", state_description="stale")
        shown = run_json("reconcile", "--all", "--dry-run")["tenants"]
        assert run_json("reconcile", "--all")["tenants"] == shown
        assert Tenant.objects.get().state == "approved"

    def test_a_tenant_as_it_should_be(self, transactional_db: None) -> None:
        make_tenant()
        assert run("reconcile", "--tenant", "acme") == "acme: as it should be\n"

    def test_without_tenants(self, transactional_db: None) -> None:
        assert "no tenants" in run("reconcile", "--all")
        assert run_json("reconcile", "--all") == {"applied": True, "tenants": []}

    def test_an_unknown_tenant_is_one_sentence(self, transactional_db: None) -> None:
        with pytest.raises(CommandError, match="There is no tenant 'nobody'"):
            run("reconcile", "--tenant", "nobody")


class TestSync:
    def test_an_account_that_was_there_before_becomes_tenants(self, vendor: Vendor, drain: Callable[[], None]) -> None:
        vendor.subscribe(vendor.customer(), vendor.price(), metadata={"tenant-id": "acme"})
        vendor.standin.drop()

        told = run_json("stripe_sync")
        drain()

        assert (told["prices"], told["customers"], told["errors"]) == (1, 1, {})
        assert [each["tenant_id"] for each in told["changed"]] == ["acme"]
        assert Tenant.objects.get().provisioning == "ready"
        assert run_json("stripe_sync")["changed"] == []

    def test_an_ended_subscription_reserves_its_id_without_a_schema(
        self, vendor: Vendor, drain: Callable[[], None]
    ) -> None:
        subscription = vendor.subscribe(vendor.customer(), vendor.price(), metadata={"tenant-id": "acme"})
        vendor.cancel(subscription)
        run("stripe_sync")
        drain()
        tenant = Tenant.objects.get()
        assert (tenant.state, tenant.provisioning) == ("suspended", "pending")

    def test_what_fails_is_told_and_does_not_keep_the_rest_back(
        self, vendor: Vendor, drain: Callable[[], None]
    ) -> None:
        price = vendor.price()
        vendor.subscribe(vendor.customer(), price, metadata={"tenant-id": "acme"})
        vendor.subscribe(vendor.customer(), price, metadata={"tenant-id": "globex"})
        tries = 3
        vendor.standin.fail("GET", "^/v1/prices/", status=500, times=tries)
        with pytest.raises(CommandError, match=price):
            run("stripe_sync")
        assert Tenant.objects.count() == 2

    def test_catching_up_reads_missed_events_and_sweeps(self, vendor: Vendor, drain: Callable[[], None]) -> None:
        run("stripe_sync")
        vendor.subscribe(vendor.customer(), vendor.price(), metadata={"tenant-id": "acme"})
        vendor.standin.drop()
        told = run_json("stripe_catch_up")
        assert told["events"] > 0
        assert Tenant.objects.count() == 1
        assert run_json("stripe_catch_up")["events"] == 0

    def test_a_key_of_another_account_is_refused(self, vendor: Vendor) -> None:
        run("stripe_sync")
        Installation.objects.update(account_id="acct_another")
        with pytest.raises(CommandError, match="belongs to Stripe account acct_another"):
            run("stripe_sync")


class TestManagingPrices:
    def test_managing_a_price_makes_tenants_of_those_who_have_it(
        self, vendor: Vendor, drain: Callable[[], None]
    ) -> None:
        price = vendor.price(managed=False)
        vendor.subscribe(vendor.customer(), price, metadata={"tenant-id": "acme"})
        vendor.standin.deliver()
        drain()
        assert not Tenant.objects.exists()

        assert run_json("price_manage", price, "recurring") == {"price_id": price, "group": "recurring"}
        drain()
        assert Tenant.objects.get().provisioning == "ready"

        run("price_manage", price, "none")
        drain()
        assert PlanAssignment.objects.present().count() == 1

    def test_listing_shows_plan_and_limits(self, vendor: Vendor, drain: Callable[[], None]) -> None:
        vendor.subscribe(vendor.customer(), vendor.price(), metadata={"tenant-id": "acme"})
        vendor.standin.deliver()
        drain()
        (tenant,) = run_json("tenant_list")["tenants"]
        assert (tenant["plan"], tenant["limits"]["users"], tenant["limits"]["clients"]) == ("plan:starter@1", 3, None)


class TestReplay:
    def test_an_event_is_worked_off_once_more(self, vendor: Vendor, drain: Callable[[], None]) -> None:
        customer = vendor.customer()
        vendor.subscribe(customer, vendor.price(), metadata={"tenant-id": "acme"})
        vendor.standin.deliver()
        drain()
        Tenant.objects.update(state="flagged")
        event = Event.objects.filter(type="customer.subscription.created").get()

        assert run_json("stripe_replay", event.event_id) == {"events": 1, "work": [f"customer:{customer}"]}
        drain()
        assert Tenant.objects.get().state == "approved"
        assert run_json("stripe_replay", "--customer", customer)["events"] > 1
        assert run_json("stripe_replay", "--failed") == {"events": 0, "work": []}

    def test_failed_work_is_taken_up_at_once(self, vendor: Vendor, drain: Callable[[], None]) -> None:
        vendor.subscribe(vendor.customer(), vendor.price(), metadata={"tenant-id": "acme"})
        vendor.standin.fail("GET", "^/v1/subscriptions$", status=403)
        vendor.standin.deliver()
        drain()
        assert not Tenant.objects.exists()
        assert run_json("stripe_replay", "--failed")["events"] > 0
        drain()
        assert Tenant.objects.get().state == "approved"

    def test_an_unknown_event_is_one_sentence(self, transactional_db: None) -> None:
        with pytest.raises(CommandError, match="The inbox has no event evt_nowhere"):
            run("stripe_replay", "evt_nowhere")


class TestSetup:
    URL = "http://localhost:8000/stripe/webhook/"

    def test_it_makes_an_endpoint_whose_events_arrive(self, standin: StandIn, transactional_db: None) -> None:
        made = run_json("stripe_setup", "--url", self.URL)
        assert made["created"]
        assert made["secret"].startswith("whsec_")

        found = run_json("stripe_setup", "--url", self.URL)
        assert (found["created"], found["endpoint_id"], found["secret"]) == (False, made["endpoint_id"], None)

    def test_it_adds_the_events_that_are_missing(self, standin: StandIn, transactional_db: None) -> None:
        vendor = Vendor(standin)
        vendor.client.v1.webhook_endpoints.create({"url": self.URL, "enabled_events": ["price.updated", "payout.paid"]})
        assert "customer.subscription.updated" in run_json("stripe_setup", "--url", self.URL)["added_events"]
        events = vendor.client.v1.webhook_endpoints.list().data[0].enabled_events
        assert {"payout.paid", "customer.subscription.updated"} <= set(events)

    def test_a_disabled_endpoint_is_told(self, standin: StandIn, transactional_db: None) -> None:
        vendor = Vendor(standin)
        made = run_json("stripe_setup", "--url", self.URL)
        vendor.client.v1.webhook_endpoints.update(made["endpoint_id"], {"disabled": True})
        with pytest.raises(CommandError, match="It is disabled"):
            run("stripe_setup", "--url", self.URL)
