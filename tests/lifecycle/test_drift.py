"""What the drift report tells after events were lost, and that it changes nothing."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import connection

from apps.audit.models import Alert
from apps.billing import drift as billing_drift
from apps.billing import gateway, mirror
from apps.billing import services as billing
from apps.billing.errors import StripeMissing
from apps.billing.models import Installation
from apps.core import clock
from apps.lifecycle import services
from apps.lifecycle.drift import Drift, of_account, of_customer
from apps.plans.models import PlanVersion
from apps.tenants.models import Tenant
from tests.factories import SOMEBODY, make_tenant
from tests.support import databases
from tests.support.standin import ROOT
from tests.support.vendor import KEY, Vendor
from tests.tenants.probes import dump_all

Settle = Callable[[], None]


def told(*words: str) -> tuple[Any, str]:
    """What `stripe_drift --json` prints, and the sentence with which it fails. It may have changed nothing."""
    before, out, failure = dump_all(), StringIO(), ""
    try:
        call_command("stripe_drift", *words, "--json", stdout=out)
    except CommandError as error:
        failure = str(error)
    assert dump_all() == before
    return json.loads(out.getvalue()), failure


def drift(*words: str) -> dict[str, dict[str, tuple[Any, Any]]]:
    """The changes of every object and tenant by name, where nothing failed."""
    found, failure = told(*words)
    assert found["errors"] == {}
    assert bool(failure) == bool(found["objects"] or found["tenants"])
    objects = {
        each["object"]: {change["field"]: (change["here"], change["in_stripe"]) for change in each["changes"]}
        for each in found["objects"]
    }
    tenants = {
        f"tenant:{each['tenant_id']}": {
            change["field"]: (change["before"], change["after"]) for change in each["changes"]
        }
        for each in found["tenants"]
    }
    return objects | tenants


def run(*words: str) -> Any:
    out = StringIO()
    call_command(*words, "--json", stdout=out)
    return json.loads(out.getvalue())


class House:
    """A vendor with one customer whose tenant is in order."""

    def __init__(self, vendor: Vendor) -> None:
        self.vendor = vendor
        self.api = vendor.client.v1
        self.price = vendor.price(limits={"max-users": "3"})
        self.product = str(self.api.prices.retrieve(self.price).product)
        self.customer = vendor.customer()
        self.subscription = vendor.subscribe(self.customer, self.price, metadata={"tenant-id": "acme"})

    def lose_events(self) -> None:
        """What happened in Stripe is never told."""
        self.vendor.standin.drop()


@pytest.fixture
def house(vendor: Vendor, settle: Settle) -> House:
    made = House(vendor)
    settle()
    billing.verify_account(now=clock.now())
    return made


class TestNoDrift:
    def test_a_settled_account_exits_with_0(self, house: House) -> None:
        out = StringIO()
        call_command("stripe_drift", stdout=out)
        assert out.getvalue() == "No drift: 1 customers and 1 tenants are what Stripe says.\n"

    def test_nor_after_a_life_whose_events_all_came(self, house: House, settle: Settle) -> None:
        vendor = house.vendor
        house.api.prices.update(house.price, {"metadata": {"max-users": "7"}, "nickname": "Basic"})
        house.api.products.update(house.product, {"name": "Renamed"})
        vendor.standin.move_subscription(house.subscription, "past_due")
        settle()
        assert drift() == {}
        vendor.standin.move_subscription(house.subscription, "active")
        vendor.change_price(house.subscription, vendor.price(name="Business"))
        settle()
        assert drift() == {}
        house.api.customers.delete(house.customer)
        unused = house.api.products.create({"name": "Unused"})
        settle()
        house.api.products.delete(unused.id)
        settle()
        assert drift() == {}


class TestLostEvents:
    @pytest.fixture(autouse=True)
    def _taken_over(self, house: House, settle: Settle) -> Any:
        """Whatever a test lost: the report reads as `reconcile --dry-run` does, and a sync mends it."""
        yield
        shown, _ = told()
        synced = run("stripe_sync")
        assert synced["errors"] == {}
        assert synced["changed"] == [each for each in shown["tenants"] if each["tenant_id"] != "handmade"]
        settle()
        if "handmade" not in [each["tenant_id"] for each in shown["tenants"]]:
            assert drift() == {}

    def test_metadata(self, house: House) -> None:
        house.vendor.edit_metadata(house.subscription, tenant_name="New name", admin_password="correct-horse")
        house.lose_events()
        assert drift() == {
            f"subscription:{house.subscription}": {"metadata.tenant-name": (None, "New name")},
            "tenant:acme": {"name": ("Acme Ltd", "New name")},
        }

    def test_metadata_whose_keys_are_names_of_fields(self, house: House) -> None:
        house.vendor.edit_metadata(house.subscription, plan="gold", id="1", object="list")
        house.api.prices.update(house.price, {"metadata": {"plan": "silver"}})
        house.lose_events()
        assert drift() == {
            f"subscription:{house.subscription}": {
                "metadata.plan": (None, "gold"),
                "metadata.id": (None, "1"),
                "metadata.object": (None, "list"),
            },
            f"price:{house.price}": {"metadata.plan": (None, "silver")},
        }

    def test_an_archived_price(self, house: House) -> None:
        archived = house.vendor.price(name="Old")
        house.api.prices.update(archived, {"active": False})
        house.lose_events()
        assert drift()[f"price:{archived}"] == {"exists": (False, True)}

    def test_a_price_that_a_subscription_described_itself(self, house: House, settle: Settle) -> None:
        described = {"currency": "eur", "product": house.product, "recurring": {"interval": "month"}, "unit_amount": 1}
        given: Any = {"subscription": house.subscription, "price_data": described}
        price = house.api.subscription_items.create(given).price.id
        settle()
        assert drift() == {}
        house.api.prices.update(price, {"nickname": "Special"})
        house.lose_events()
        assert drift() == {f"price:{price}": {"nickname": (None, "Special")}}

    def test_another_price(self, house: House) -> None:
        business = house.vendor.price(name="Business", limits={"max-users": "50"})
        house.vendor.change_price(house.subscription, business)
        house.lose_events()
        found = drift()
        item = house.api.subscriptions.retrieve(house.subscription)["items"].data[0].id
        changes = found.pop(f"subscription:{house.subscription}")
        assert changes[f"items.{item}.price"] == (house.price, business)
        assert found.pop(f"price:{business}") == {"exists": (False, True)}
        assert found["plan:business"] == {"exists": (False, True)}
        assert found["tenant:acme"] == {
            "plans": ([f"1 × plan:starter@1 by {item}"], [f"1 × plan:business@1 by {item}"])
        }

    def test_another_item(self, house: House) -> None:
        added = house.vendor.price(name="Support", limits={})
        house.api.subscription_items.create({"subscription": house.subscription, "price": added})
        house.lose_events()
        item = house.api.subscriptions.retrieve(house.subscription)["items"].data[1].id
        assert drift()[f"subscription:{house.subscription}"][f"items.{item}.exists"] == (False, True)

    def test_a_status_with_its_open_invoice(self, house: House) -> None:
        house.vendor.standin.move_subscription(house.subscription, "past_due")
        house.lose_events()
        found = drift()
        assert found[f"subscription:{house.subscription}"]["status"] == ("active", "past_due")
        assert found["tenant:acme"] == {
            "state": ("approved", "flagged"),
            "state_description": ("", "Stripe subscription past due"),
        }
        assert [changes for name, changes in found.items() if name.startswith("invoice:")] == [{"open": (False, True)}]

    def test_a_payment(self, house: House, settle: Settle) -> None:
        house.vendor.standin.move_subscription(house.subscription, "past_due")
        settle()
        house.vendor.standin.move_subscription(house.subscription, "active")
        house.lose_events()
        found = drift()
        assert [changes for name, changes in found.items() if name.startswith("invoice:")] == [{"open": (True, False)}]
        assert found["tenant:acme"]["state"] == ("flagged", "approved")

    def test_a_cancellation(self, house: House) -> None:
        house.vendor.cancel(house.subscription)
        house.lose_events()
        found = drift()
        assert found[f"subscription:{house.subscription}"]["status"] == ("active", "canceled")
        assert found["tenant:acme"]["state"] == ("approved", "suspended")

    def test_a_subscription_whose_tenant_would_be_made(self, house: House) -> None:
        customer = house.vendor.customer(name="Globex")
        metadata = {"tenant-id": "globex", "admin-password": "correct-horse"}
        subscription = house.vendor.subscribe(customer, house.price, metadata=metadata)
        house.lose_events()
        found = drift()
        item = house.api.subscriptions.retrieve(subscription)["items"].data[0].id
        assert found == {
            f"customer:{customer}": {"exists": (False, True)},
            f"subscription:{subscription}": {"exists": (False, True)},
            "tenant:globex": {
                "state": ("requested", "approved"),
                "plans": ([], [f"1 × plan:starter@1 by {item}"]),
                "provisioning": ("pending", "ready"),
            },
        }
        assert house.vendor.metadata_of(subscription)["admin-password"] == "correct-horse"

    def test_a_deleted_customer(self, house: House) -> None:
        house.api.customers.delete(house.customer)
        house.lose_events()
        found = drift()
        assert found[f"customer:{house.customer}"] == {"deleted": (False, True)}
        assert found[f"subscription:{house.subscription}"]["status"] == ("active", "canceled")
        assert found["tenant:acme"]["state"] == ("approved", "suspended")

    def test_a_customer_without_any_subscription(self, house: House, settle: Settle) -> None:
        customer = house.vendor.customer(email="old@globex.example")
        settle()
        house.api.customers.update(customer, {"email": "new@globex.example"})
        house.lose_events()
        assert drift() == {f"customer:{customer}": {"email": ("old@globex.example", "new@globex.example")}}

    def test_time_on_a_test_clock(self, house: House, settle: Settle) -> None:
        start = 1_780_000_000
        made = house.api.test_helpers.test_clocks.create({"frozen_time": start})
        customer = house.vendor.customer(test_clock=made.id)
        house.vendor.subscribe(customer, house.price, metadata={"tenant-id": "globex"})
        settle()
        house.api.test_helpers.test_clocks.advance(made.id, {"frozen_time": start + 86_400})
        house.lose_events()
        assert drift() == {f"customer:{customer}": {"tenantry_frozen_time": (start, start + 86_400)}}

    def test_limits_in_a_prices_metadata(self, house: House) -> None:
        house.api.prices.update(house.price, {"metadata": {"max-users": "30", "max-gateways": "2"}})
        house.lose_events()
        item = house.api.subscriptions.retrieve(house.subscription)["items"].data[0].id
        assert drift() == {
            f"price:{house.price}": {"metadata.max-users": ("3", "30"), "metadata.max-gateways": (None, "2")},
            "plan:starter": {
                "version": ("plan:starter@1", "plan:starter@2"),
                "limits.users": (3, 30),
                "limits.gateways": (None, 2),
            },
            "tenant:acme": {"plans": ([f"1 × plan:starter@1 by {item}"], [f"1 × plan:starter@2 by {item}"])},
        }

    def test_a_products_name(self, house: House) -> None:
        house.api.products.update(house.product, {"name": "Beginner"})
        house.lose_events()
        found = drift()
        assert found[f"product:{house.product}"]["name"] == ("Starter", "Beginner")
        assert found["plan:starter"] == {"name": ("Starter", "Beginner")}

    def test_a_deleted_product(self, house: House, settle: Settle) -> None:
        product = house.api.products.create({"name": "Unused"})
        settle()
        house.api.products.delete(product.id)
        house.lose_events()
        assert drift() == {f"product:{product.id}": {"exists": (True, False)}}

    def test_a_plan_that_was_never_published(self, house: House) -> None:
        house.api.prices.update(house.price, {"metadata": {"max-users": "30"}})
        billing.refresh_price(house.price)
        house.lose_events()
        assert drift()["plan:starter"]["limits.users"] == (3, 30)

    def test_a_tenant_edited_by_hand(self, house: House) -> None:
        Tenant.objects.update(state="rejected", name="Mallory")
        assert drift() == {"tenant:acme": {"state": ("rejected", "approved"), "name": ("Mallory", "Acme Ltd")}}

    def test_a_tenant_without_a_customer(self, house: House) -> None:
        make_tenant("handmade")
        Tenant.objects.filter(tenant_id="handmade").update(state="suspended")
        assert drift() == {"tenant:handmade": {"state": ("suspended", "approved")}}
        assert drift("--tenant", "acme") == {}
        assert drift("--tenant", "handmade") == {"tenant:handmade": {"state": ("suspended", "approved")}}


class TestTheSameDifference:
    def test_as_a_dry_run_of_reconcile_shows_once_the_mirror_is_fresh(self, house: House) -> None:
        house.vendor.standin.move_subscription(house.subscription, "past_due")
        house.vendor.edit_metadata(house.subscription, tenant_name="New name")
        house.lose_events()
        shown = told()[0]["tenants"]
        assert shown == told("--tenant", "acme")[0]["tenants"] == told("--customer", house.customer)[0]["tenants"]

        billing.refresh_customer(house.customer)
        assert run("reconcile", "--tenant", "acme", "--dry-run")["tenants"] == shown
        assert run("reconcile", "--tenant", "acme")["tenants"] == shown
        assert drift() == {}


class TestVanished:
    def test_a_subscription_and_what_is_left_of_its_tenant(self, house: House, settle: Settle) -> None:
        mirror_what_stripe_does_not_have(house, tenant_id="globex")
        settle()
        found = drift()
        assert found == {
            "subscription:sub_vanished": {"exists": (True, False)},
            "tenant:globex": {
                "state": ("approved", "suspended"),
                "state_description": ("", "Stripe subscription ended"),
                "plans": (["1 × plan:starter@1 by si_vanished"], []),
            },
        }
        assert [each["tenant_id"] for each in run("stripe_sync")["changed"]] == ["globex"]
        assert drift() == {}

    def test_a_customer_who_is_gone_without_a_trace_leaves_the_tenant_as_it_is(self, house: House) -> None:
        house.vendor.standin.reset()
        found = drift("--customer", house.customer)
        assert found == {f"customer:{house.customer}": {"exists": (True, False)}}
        assert drift()[f"price:{house.price}"] == {"exists": (True, False)}
        assert run("stripe_sync")["errors"] == {}
        assert Tenant.objects.get().state == "approved"

    def test_who_is_gone_without_a_trace_is_for_people_to_end_and_no_sync_is_advised(self, house: House) -> None:
        house.vendor.standin.reset()
        _, failure = told("--tenant", "acme")
        assert f"Stripe has no trace of customer:{house.customer}" in failure
        assert "`manage.py tenant_hold`" in failure
        assert "`manage.py tenant_delete`" in failure
        assert failure.endswith("acme")

        hold(house)
        _, failure = told("--customer", house.customer)
        assert f"Stripe has no trace of customer:{house.customer}" in failure
        assert "manage.py tenant_" not in failure

    def test_what_a_sync_mends_beside_it_is_told_as_such(self, house: House) -> None:
        house.vendor.standin.reset()
        _, failure = told()
        assert "stripe_sync" not in failure
        house.vendor.price(name="New")
        house.lose_events()
        _, failure = told()
        assert "`manage.py stripe_sync` takes over what Stripe says." in failure
        assert "Stripe has no trace of" in failure

    def test_a_tenant_that_lives_by_nobody_is_an_alert_until_somebody_ends_it(self, house: House) -> None:
        house.vendor.standin.reset()
        run("stripe_sync")
        alert = Alert.objects.open().get()
        assert (alert.code, alert.subject) == ("customer_gone", Tenant.objects.get().subject)
        assert house.customer in alert.message
        assert "tenant_hold acme" in alert.message
        run("stripe_sync")
        assert Alert.objects.get() == alert

        hold(house)
        run("stripe_sync")
        assert not Alert.objects.open().exists()

    def test_the_alert_ends_when_the_customer_is_seen_again(
        self, house: House, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def gone(customer_id: str) -> Any:
            raise StripeMissing("No such customer.", name=f"customer:{customer_id}")

        with monkeypatch.context() as patched:
            patched.setattr(gateway, "fetch_customer", gone)
            run("stripe_sync")
        assert Alert.objects.open().get().code == "customer_gone"
        run("stripe_sync")
        assert not Alert.objects.open().exists()

    def test_a_customer_who_was_deleted_is_not_one_without_a_trace(self, house: House) -> None:
        house.api.customers.delete(house.customer)
        house.lose_events()
        _, failure = told()
        assert "no trace" not in failure
        run("stripe_sync")
        assert not Alert.objects.open().exists()

    def test_something_else_that_is_missing_is_not_the_customer(
        self, house: House, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def gone(customer_id: str) -> Any:
            raise StripeMissing("No such test clock.")

        monkeypatch.setattr(gateway, "fetch_customer", gone)
        found, failure = told()
        assert (set(found["errors"]), found["objects"]) == ({house.customer}, [])
        assert "no trace" not in failure
        with pytest.raises(CommandError):
            call_command("stripe_sync")
        assert not Alert.objects.open().exists()


def hold(house: House) -> None:
    now = clock.now()
    tenant = Tenant.objects.get(stripe_customer_id=house.customer)
    services.hold_tenant(
        tenant=tenant, state="suspended", reason="Gone from Stripe", until=None, actor=SOMEBODY, now=now
    )


class TestStripe:
    def test_it_is_only_read(self, house: House) -> None:
        house.vendor.edit_metadata(house.subscription, admin_password="correct-horse")
        house.vendor.subscribe(house.vendor.customer(), house.price, metadata={"tenant-id": "globex"})
        house.lose_events()
        house.vendor.standin.clear_requests()
        drift()
        assert house.vendor.standin.requests("POST") == house.vendor.standin.requests("DELETE") == []

    def test_what_is_as_it_should_be_costs_a_request_per_customer_and_page(self, house: House) -> None:
        for _ in range(3):
            archived = house.vendor.price()
            house.vendor.subscribe(house.vendor.customer(), archived)
            house.api.prices.update(archived, {"active": False})
        house.lose_events()
        run("stripe_sync")
        house.vendor.standin.clear_requests()
        drift()
        paths = sorted(house.vendor.standin.requests())
        listed = ["/v1/account", *["/v1/prices"] * 2, "/v1/products", *["/v1/subscriptions"] * (1 + 4)]
        assert paths == [*listed, "/v1/test_helpers/test_clocks"]


class TestScope:
    def test_one_customer_with_the_prices_of_its_own(self, house: House) -> None:
        other = house.vendor.price(name="Other")
        globex = house.vendor.customer()
        house.vendor.subscribe(globex, other, metadata={"tenant-id": "globex"})
        house.api.prices.update(house.price, {"metadata": {"max-users": "30"}})
        house.lose_events()
        assert set(drift("--customer", house.customer)) == {f"price:{house.price}", "plan:starter", "tenant:acme"}
        assert {"plan:other", "tenant:globex", f"price:{other}"} <= set(drift("--customer", globex))

    def test_nobody_of_that_name(self, house: House) -> None:
        found, failure = told("--customer", "cus_nobody")
        assert set(found["errors"]) == {"cus_nobody"}
        assert "No such customer" in failure
        with pytest.raises(CommandError, match="There is no tenant 'nobody'"):
            call_command("stripe_drift", "--tenant", "nobody")


class TestMeanwhile:
    def test_what_was_listed_before_an_event_came_is_no_drift(self, house: House, settle: Settle) -> None:
        found: list[Drift] = []
        hold = house.vendor.standin.hold("GET", "^/v1/prices$")
        thread = in_a_thread(lambda: found.append(of_account(clock=clock.now)))
        house.vendor.standin.wait_for_held(hold)
        house.api.prices.update(house.price, {"metadata": {"max-users": "30"}})
        settle()
        house.vendor.standin.release(hold)
        thread.join(60)
        assert [bool(each) for each in found] == [False]

    def test_a_price_that_was_mirrored_after_it_was_looked_at_is_left_alone(self, house: House) -> None:
        house.api.prices.update(house.price, {"metadata": {"max-users": "30"}})
        house.lose_events()
        hold = house.vendor.standin.hold("GET", "^/v1/subscriptions$")
        found: list[Drift] = []
        thread = in_a_thread(lambda: found.append(of_customer(customer_id=house.customer, clock=clock.now)))
        house.vendor.standin.wait_for_held(hold)
        house.api.prices.update(house.price, {"metadata": {"max-users": "300"}})
        services.follow_price(price_id=house.price, clock=clock.now)
        house.vendor.standin.release(hold)
        thread.join(60)
        ((change,),) = [each.changes for each in found[0].different]
        assert "plan:starter@2" in str(change)
        assert list(found[0].objects) == []


def in_a_thread(work: Callable[[], None]) -> threading.Thread:
    def run() -> None:
        try:
            work()
        finally:
            connection.close()

    thread = threading.Thread(target=run)
    thread.start()
    return thread


class TestTrouble:
    def test_one_customer_that_fails_is_told_and_hides_no_other(self, house: House) -> None:
        globex = house.vendor.customer(name="Globex")
        overdue = house.vendor.subscribe(globex, house.price, metadata={"tenant-id": "globex"})
        house.vendor.standin.move_subscription(overdue, "past_due")
        house.vendor.cancel(house.subscription)
        house.lose_events()
        house.vendor.standin.fail("GET", "^/v1/invoices$", status=500, times=9)
        found, failure = told()
        assert set(found["errors"]) == {globex}
        assert [each["tenant_id"] for each in found["tenants"]] == ["acme"]
        assert "1 tenants are different" in failure
        assert f"These could not be looked at:\n  {globex}: Stripe answered with an error of its own" in failure

    def test_a_price_nobody_anticipated_hides_no_other(self, house: House, monkeypatch: pytest.MonkeyPatch) -> None:
        strange, other = house.vendor.price(name="Strange"), house.vendor.price(name="Other")
        house.lose_events()
        store = billing_drift.STORE["price"]

        def broken(price: dict[str, Any]) -> None:
            if price["id"] == strange:
                raise KeyError("surprise")
            store(price)

        monkeypatch.setitem(billing_drift.STORE, "price", broken)
        found, _ = told()
        assert found["errors"] == {f"price:{strange}": "KeyError: 'surprise'"}
        assert f"price:{other}" in [each["object"] for each in found["objects"]]

    def test_errors_alone_are_a_failure_too(self, house: House, settle: Settle) -> None:
        house.vendor.standin.move_subscription(house.subscription, "past_due")
        settle()
        house.vendor.standin.fail("GET", "^/v1/invoices$", status=500, times=9)
        found, failure = told()
        assert (found["objects"], found["tenants"], set(found["errors"])) == ([], [], {house.customer})
        assert failure.startswith("These could not be looked at:")

    def test_another_account_is_refused(self, house: House) -> None:
        Installation.objects.update(account_id="acct_another")
        with pytest.raises(CommandError, match="belongs to Stripe account acct_another"):
            call_command("stripe_drift")

    def test_a_database_that_knows_nothing_yet_is_left_so(self, vendor: Vendor) -> None:
        vendor.subscribe(vendor.customer(), vendor.price(), metadata={"tenant-id": "acme"})
        vendor.standin.drop()
        assert drift()["tenant:acme"]["state"] == ("requested", "approved")
        assert not Installation.objects.exists()
        assert not PlanVersion.objects.exists()


class TestOutput:
    def test_people_read_it_as_a_dry_run_of_reconcile(self, house: House, caplog: pytest.LogCaptureFixture) -> None:
        house.vendor.edit_metadata(house.subscription, tenant_name="New name", tenant_id="globex")
        house.lose_events()
        out = StringIO()
        with pytest.raises(CommandError, match="1 objects and 1 tenants are different"):
            call_command("stripe_drift", stdout=out)
        assert out.getvalue().splitlines() == [
            f"subscription:{house.subscription}:",
            "  metadata.tenant-id: acme → globex",
            "  metadata.tenant-name: none → New name",
            "acme:",
            "  name: Acme Ltd → New name",
        ]
        assert "alert raised" not in caplog.text

    def test_no_password_is_shown(self, house: House) -> None:
        metadata = {"tenant-id": "globex", "admin-password": "correct-horse"}
        house.vendor.subscribe(house.vendor.customer(), house.price, metadata=metadata)
        house.vendor.edit_metadata(house.subscription, admin_password="battery-staple")
        house.lose_events()
        out = StringIO()
        with pytest.raises(CommandError):
            call_command("stripe_drift", stdout=out)
        shown = out.getvalue() + json.dumps(told())
        assert "correct-horse" not in shown
        assert "battery-staple" not in shown

    def test_a_process_tells_by_its_exit_code(self, house: House, tmp_path: Any) -> None:
        assert process(house, tmp_path).returncode == 0
        house.vendor.cancel(house.subscription)
        house.lose_events()
        ended = process(house, tmp_path)
        assert ended.returncode == 1
        assert [each["tenant_id"] for each in json.loads(ended.stdout)["tenants"]] == ["acme"]
        assert "Nothing was changed" in ended.stderr


def process(house: House, home: Any) -> "subprocess.CompletedProcess[str]":
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "config.settings.test",
        "DATABASE_URL": databases.url(),
        "STRIPE_API_BASE": house.vendor.standin.url,
        "TENANTRY_HOME": str(home),
        "STRIPE_SECRET_KEY": KEY,
    }
    command = [sys.executable, "manage.py", "stripe_drift", "--json"]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60, check=False)


def mirror_what_stripe_does_not_have(house: House, *, tenant_id: str) -> None:
    """Another subscription of the customer's, with a tenant of its own, as if Stripe had had it once."""
    fetched = gateway.fetch_customer(house.customer)
    (there,) = fetched.subscriptions
    items = {
        **there["items"],
        "data": [{**item, "id": "si_vanished", "subscription": "sub_vanished"} for item in there["items"]["data"]],
    }
    vanished = {**there, "id": "sub_vanished", "metadata": {"tenant-id": tenant_id, "tenant-name": "G"}, "items": items}
    mirror.store_customer(replace(fetched, subscriptions=(there, vanished)))
    services.rebind_customer(customer_id=house.customer, actor=SOMEBODY, clock=clock.now)
