"""What a subscription's metadata brings about, from a `created` and from an `updated` event alike."""

from collections.abc import Callable

import pytest
from django.core.mail import EmailMessage
from django.db import connection

from apps.accounts.models import User
from apps.audit.models import Alert, Entry
from apps.billing.models import Event
from apps.lifecycle import services
from apps.plans.models import Subscription
from apps.tenants import context
from apps.tenants.models import Provisioning, Tenant, Tombstone
from tests.factories import NOW, make_tenant
from tests.support.vendor import Vendor

Settle = Callable[[], None]

FULL = {
    "tenant-id": "acme",
    "tenant-name": "Acme Rockets",
    "tenant-description": "We launch.",
    "admin-user": "wile",
    "admin-email": "wile@acme.example",
    "admin-full-name": "Wile E. Coyote",
}


def administrator_of(tenant_id: str) -> User:
    with context.enter(Tenant.objects.get(tenant_id=tenant_id)):
        return User.objects.get()


@pytest.mark.parametrize("later", [False, True], ids=["at creation", "by a later edit"])
def test_every_key_is_taken(vendor: Vendor, settle: Settle, later: bool, mailoutbox: list[EmailMessage]) -> None:
    price = vendor.price()
    if later:
        subscription = vendor.subscribe(vendor.customer(), price)
        settle()
        vendor.client.v1.subscriptions.update(subscription, {"metadata": FULL})
    else:
        vendor.subscribe(vendor.customer(), price, metadata=FULL)
    settle()

    tenant = Tenant.objects.get()
    assert (tenant.tenant_id, tenant.name, tenant.description) == ("acme", "Acme Rockets", "We launch.")
    user = administrator_of("acme")
    assert (user.username, user.email, user.full_name, user.role) == (
        "wile",
        "wile@acme.example",
        "Wile E. Coyote",
        "administrator",
    )


@pytest.mark.parametrize("later", [False, True], ids=["at creation", "by a later edit"])
def test_every_fallback_is_taken(vendor: Vendor, settle: Settle, later: bool) -> None:
    customer = vendor.customer(name="Customer Ltd", email="c@customer.example", description="About the customer")
    subscription = vendor.subscribe(customer, vendor.price(), metadata={} if later else {"tenant-id": "acme"})
    if later:
        settle()
        vendor.edit_metadata(subscription, tenant_id="acme")
    settle()

    tenant = Tenant.objects.get()
    assert (tenant.name, tenant.description) == ("Customer Ltd", "About the customer")
    user = administrator_of("acme")
    assert (user.username, user.email, user.full_name) == ("acme", "c@customer.example", "")


@pytest.mark.parametrize(
    ("metadata", "name"),
    [({"name": "By name", "company": "By company"}, "By name"), ({"company": "By company"}, "By company")],
)
def test_deprecated_keys(vendor: Vendor, settle: Settle, metadata: dict[str, str], name: str) -> None:
    vendor.subscribe(vendor.customer(), vendor.price(), metadata={"tenant-id": "acme", **metadata})
    settle()
    assert Tenant.objects.get().name == name


def test_texts_that_are_too_long_are_shortened_at_a_word_and_the_audit_says_so(vendor: Vendor, settle: Settle) -> None:
    customer = vendor.customer(name="The Very Long Established Manufacturing Company of Northern Europe")
    vendor.subscribe(customer, vendor.price(), metadata={"tenant-id": "acme"})
    settle()
    assert Tenant.objects.get().name == "The Very Long Established Manufacturing Company…"
    assert "shortened" in Entry.objects.get(action="tenant.described").reason


def test_a_changed_name_in_stripe_is_followed_unless_an_operator_changed_it(vendor: Vendor, settle: Settle) -> None:
    subscription = vendor.subscribe(vendor.customer(), vendor.price(), metadata={"tenant-id": "acme"})
    settle()
    vendor.edit_metadata(subscription, tenant_name="Renamed")
    settle()
    assert Tenant.objects.get().name == "Renamed"

    Tenant.objects.update(name="By hand", described_by_operator=True)
    vendor.edit_metadata(subscription, tenant_name="Renamed again")
    settle()
    assert Tenant.objects.get().name == "By hand"


def test_malformed_and_reserved_ids_are_refused_with_an_alert_each(vendor: Vendor, settle: Settle) -> None:
    price = vendor.price()
    ids = ["ab", "Acme", "acme_1", "-acme", "acme--x", "a" * 37, "admin", "pg-catalog", "www"]
    refused = {
        vendor.subscribe(vendor.customer(), price, metadata={"tenant-id": tenant_id}): tenant_id for tenant_id in ids
    }
    other = vendor.subscribe(vendor.customer(), price, metadata={"tenant-id": "unharmed"})
    settle()

    assert [tenant.tenant_id for tenant in Tenant.objects.all()] == ["unharmed"]
    outcomes = dict(Subscription.objects.values_list("pk", "outcome"))
    assert outcomes == {other: Subscription.Outcome.BOUND, **dict.fromkeys(refused, Subscription.Outcome.REFUSED)}
    alerts = {alert.subject: alert for alert in Alert.objects.open()}
    assert {alert.code for alert in alerts.values()} == {"tenant_id_refused"}
    assert set(alerts) == {f"subscription:{subscription}" for subscription in refused}
    assert all(repr(tenant_id) in alerts[f"subscription:{each}"].message for each, tenant_id in refused.items())

    for number, subscription in enumerate(refused):
        vendor.edit_metadata(subscription, tenant_id=f"mended-{number}")
    settle()
    assert Tenant.objects.filter(tenant_id__startswith="mended-").count() == len(refused)
    assert not Alert.objects.open().exists()


def test_another_customers_id_is_refused(vendor: Vendor, settle: Settle) -> None:
    price = vendor.price()
    vendor.subscribe(vendor.customer(), price, metadata={"tenant-id": "acme"})
    settle()
    thief = vendor.subscribe(vendor.customer(name="Thief"), price, metadata={"tenant-id": "acme"})
    settle()

    assert Tenant.objects.get().name == "Acme Ltd"
    assert Alert.objects.open().get().subject == f"subscription:{thief}"


def test_a_buried_id_is_refused(vendor: Vendor, settle: Settle) -> None:
    gone = make_tenant("gone", ready=False)
    Tombstone.objects.create(tenant_id="gone", tenant_uuid=gone.pk, schema_name=gone.schema_name, buried_at=NOW)
    gone.delete()
    vendor.subscribe(vendor.customer(), vendor.price(), metadata={"tenant-id": "gone"})
    settle()
    assert not Tenant.objects.exists()
    assert "deleted" in Alert.objects.open().get().message


def test_a_bound_subscription_stays_where_it_is(vendor: Vendor, settle: Settle) -> None:
    subscription = vendor.subscribe(vendor.customer(), vendor.price(), metadata={"tenant-id": "acme"})
    settle()
    vendor.edit_metadata(subscription, tenant_id="other")
    settle()

    assert [tenant.tenant_id for tenant in Tenant.objects.all()] == ["acme"]
    assert Alert.objects.open().get().code == "tenant_id_changed"

    vendor.edit_metadata(subscription, tenant_id="acme")
    settle()
    assert not Alert.objects.open().exists()


def test_one_customer_may_have_several_tenants_and_then_must_say_which(vendor: Vendor, settle: Settle) -> None:
    price, customer = vendor.price(), vendor.customer()
    vendor.subscribe(customer, price, metadata={"tenant-id": "first"})
    vendor.subscribe(customer, price, metadata={"tenant-id": "second"})
    third = vendor.subscribe(customer, price)
    settle()

    assert Tenant.objects.count() == 2
    assert Subscription.objects.get(pk=third).outcome == Subscription.Outcome.WAITING
    assert Alert.objects.open().get().code == "tenant_ambiguous"


@pytest.mark.parametrize("first_seen", ["older", "newer"])
def test_of_two_claims_before_provisioning_the_older_subscription_wins(
    vendor: Vendor, settle: Settle, first_seen: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("apps.lifecycle.reconciling.enqueue", lambda *args, **kwargs: None)
    price = vendor.price()
    customers = {"older": vendor.customer(name="Older"), "newer": vendor.customer(name="Newer")}
    vendor.standin.set_clock(1_780_000_000)
    vendor.subscribe(customers["older"], price, metadata={"tenant-id": "acme"})
    vendor.standin.set_clock(1_780_000_100)
    vendor.subscribe(customers["newer"], price, metadata={"tenant-id": "acme"})
    vendor.standin.drop()
    order = [first_seen, *({"older", "newer"} - {first_seen})]
    for which in order:
        services.follow_customer(customer_id=customers[which], actor=_actor(), clock=lambda: NOW)
    settle()

    tenant = Tenant.objects.get()
    assert (tenant.name, tenant.provisioning) == ("Older", Provisioning.PENDING)
    assert {each.customer_id: each.outcome for each in Subscription.objects.all()} == {
        customers["older"]: "bound",
        customers["newer"]: "refused",
    }
    assert [alert.code for alert in Alert.objects.open()] == ["tenant_id_refused"]


def _actor() -> "services.Actor":
    return services.Actor.stripe(customer_id="test")


class TestPasswordInMetadata:
    PASSWORD = "tr0ub4dor&3-very-secret"

    def test_it_is_used_once_and_taken_out_of_stripe(self, vendor: Vendor, settle: Settle) -> None:
        subscription = vendor.subscribe(
            vendor.customer(), vendor.price(), metadata={"tenant-id": "acme", "admin-password": self.PASSWORD}
        )
        settle()
        assert administrator_of("acme").check_password(self.PASSWORD)
        assert "admin-password" not in vendor.metadata_of(subscription)

        vendor.edit_metadata(subscription, admin_password="another-one-entirely")
        settle()
        assert administrator_of("acme").check_password(self.PASSWORD)
        assert "admin-password" not in vendor.metadata_of(subscription)

    def test_it_is_nowhere_in_the_database_nor_in_the_log(
        self, vendor: Vendor, settle: Settle, caplog: pytest.LogCaptureFixture
    ) -> None:
        subscription = vendor.subscribe(
            vendor.customer(), vendor.price(), metadata={"tenant-id": "acme", "admin-password": self.PASSWORD}
        )
        vendor.standin.move_subscription(subscription, "past_due")
        settle()
        assert Tenant.objects.get().state == "flagged"
        assert tables_that_hold(self.PASSWORD) == []
        assert self.PASSWORD not in caplog.text

    def test_of_a_refused_subscription_it_is_neither_used_nor_kept_nor_lost(
        self, vendor: Vendor, settle: Settle
    ) -> None:
        subscription = vendor.subscribe(
            vendor.customer(), vendor.price(), metadata={"tenant-id": "admin", "admin-password": self.PASSWORD}
        )
        settle()
        assert tables_that_hold(self.PASSWORD) == []
        assert vendor.metadata_of(subscription)["admin-password"] == self.PASSWORD

        vendor.edit_metadata(subscription, tenant_id="acme")
        settle()
        assert administrator_of("acme").check_password(self.PASSWORD)


def tables_that_hold(secret: str) -> list[str]:
    """Every table of every schema in which a row contains this text."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT format('%I.%I', schemaname, tablename) FROM pg_tables WHERE schemaname !~ '^(pg_|information)'"
        )
        tables = [row[0] for row in cursor.fetchall()]
        found = []
        for table in tables:
            cursor.execute(f"SELECT count(*) FROM {table} AS r WHERE r::text LIKE %s", [f"%{secret}%"])
            if cursor.fetchone()[0]:
                found.append(table)
    assert len(tables) > 50
    return found


def test_the_welcome_mail_carries_a_link_that_signs_in(
    vendor: Vendor, settle: Settle, mailoutbox: list[EmailMessage]
) -> None:
    vendor.subscribe(vendor.customer(email="ann@acme.example"), vendor.price(), metadata={"tenant-id": "acme"})
    settle()
    (mail,) = mailoutbox
    assert mail.to == ["ann@acme.example"]
    assert "http://acme.localhost:8000/welcome/" in str(mail.body)


def test_no_event_is_left_behind(vendor: Vendor, settle: Settle) -> None:
    vendor.subscribe(vendor.customer(), vendor.price(), metadata={"tenant-id": "acme"})
    settle()
    assert not Event.objects.filter(state=Event.State.PENDING).exists()
    assert set(Event.objects.filter(state=Event.State.IGNORED).values_list("type", flat=True)) <= {
        "payment_intent.created"
    }
