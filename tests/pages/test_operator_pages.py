"""The operator's lists, the page of a tenant, and what can be done there."""

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from djstripe import models as djstripe

from apps.accounts.models import User
from apps.audit import services as audit
from apps.audit.models import Alert, Entry
from apps.audit.services import Cause
from apps.backoffice.overview import SHOWN
from apps.backoffice.templatetags.backoffice import amount
from apps.billing import gateway
from apps.billing.models import Event
from apps.billing.selectors import _price
from apps.billing.types import Price
from apps.plans.catalogue import define_feature
from apps.plans.models import ManagedPrice, PlanVersion, Subscription
from apps.tenants.models import Hold, Provisioning, State, Tenant
from tests.factories import NOW, PASSWORD, SOMEBODY, make_member
from tests.pages.reading import text

pytestmark = pytest.mark.django_db
urlconf = "config.urls.public"

LISTS = [
    "tenants_tenant",
    "tenants_tombstone",
    "plans_subscription",
    "billing_event",
    "audit_alert",
    "audit_entry",
    "plans_managedprice",
    "plans_planversion",
    "plans_feature",
    "credits_credittype",
    "accounts_user",
]


def path_of(name: str, *args: object) -> str:
    return reverse(f"admin:{name}", args=args, urlconf=urlconf)


def page_of(tenant: Tenant) -> str:
    return path_of("tenants_tenant_change", tenant.pk)


def make_event(**values: Any) -> Event:
    defaults = {"event_id": "evt_1", "type": "price.updated", "livemode": False, "happened_at": NOW, "received_at": NOW}
    return Event.objects.create(**(defaults | values))


def raise_alert(subject: str, message: str) -> None:
    audit.set_alerts(subject=subject, codes=["x"], causes=[Cause("x", message)], now=NOW)


class TestWhoMayEnter:
    def test_strangers_go_through_the_ordinary_sign_in(self, visitor: Client, db: None) -> None:
        answer = visitor.get("/operator/", follow=True)

        assert answer.redirect_chain[-1][0] == "/accounts/login/?next=%2Foperator%2F"

    @pytest.mark.parametrize("name", LISTS)
    def test_a_member_of_a_tenant_finds_no_such_page(
        self, acme: Tenant, member_at: Callable[..., Client], name: str
    ) -> None:
        answer = member_at(acme).get(path_of(f"{name}_changelist"))

        assert answer.status_code == 404

    def test_staff_that_is_no_operator_sees_nothing(self, visitor: Client, acme: Tenant) -> None:
        clerk = User(username="clerk", is_staff=True)
        clerk.save()
        visitor.force_login(clerk)

        hold = {"state": "suspended", "reason": "x"}
        for answer in (
            visitor.get("/operator/", follow=True),
            visitor.get(path_of("tenants_tenant_changelist"), follow=True),
            visitor.get(page_of(acme), follow=True),
            visitor.post(path_of("tenant_hold", acme.pk), hold, follow=True),
            visitor.post(path_of("plans_managedprice_changelist"), {"price": "p"}, follow=True),
        ):
            assert answer.status_code == 403
            assert "acme" not in answer.content.decode()
        assert not Hold.objects.exists()

    @pytest.mark.parametrize(
        ("name", "lookup"),
        [
            ("accounts_user", "password__startswith=x"),
            ("accounts_user", "last_login__isnull=1"),
            ("tenants_tenant", "first_administrator__password_hash__startswith=p"),
        ],
    )
    def test_nothing_can_be_guessed_by_filters_that_are_not_shown(self, staff: Client, name: str, lookup: str) -> None:
        assert staff.get(f"{path_of(f'{name}_changelist')}?{lookup}").status_code == 400

    def test_signing_out_ends_the_session(self, staff: Client) -> None:
        staff.post("/operator/logout/")

        assert staff.get("/operator/").status_code == 302


class TestLists:
    @pytest.mark.parametrize("name", LISTS)
    def test_an_empty_list_says_what_would_be_there(self, staff: Client, name: str) -> None:
        User.objects.update(is_staff=True)

        answer = staff.get(path_of(f"{name}_changelist"))

        assert answer.status_code == 200
        page = answer.content.decode()
        assert "manage.py" in page or "appear" in page or "Every " in page or "olga" in page

    def test_a_list_that_is_searched_in_vain_offers_the_way_back(self, staff: Client) -> None:
        page = staff.get(path_of("tenants_tenant_changelist") + "?q=nothing").content.decode()

        assert "Nothing matches" in page

    @pytest.mark.parametrize("term", ["acme", "Acme", "cus_7"])
    def test_a_tenant_is_found_by_id_name_and_customer(self, staff: Client, acme: Tenant, term: str) -> None:
        Tenant.objects.filter(pk=acme.pk).update(stripe_customer_id="cus_7")

        page = staff.get(path_of("tenants_tenant_changelist") + f"?q={term}").content.decode()

        assert page_of(acme) in page

    def test_tenants_cost_no_query_each(self, staff: Client, give_plan: Callable[..., PlanVersion]) -> None:
        def queries(count: int) -> int:
            for number in range(count):
                tenant = Tenant.objects.create(tenant_id=f"t-{number}", schema_name=f"t_{number}_x", created_at=NOW)
                give_plan(tenant, "pro", applications=1)
            staff.get(path_of("tenants_tenant_changelist"))
            with CaptureQueriesContext(connection) as captured:
                answer = staff.get(path_of("tenants_tenant_changelist"))
            assert answer.content.decode().count("plan:pro@3") == count
            Tenant.objects.all().delete()
            return len(captured)

        assert queries(3) == queries(30)

    @pytest.mark.parametrize(("query", "shown"), [("", "open one"), ("?shown=cleared", "old one")])
    def test_alerts_are_the_open_ones_unless_asked(self, staff: Client, query: str, shown: str) -> None:
        raise_alert("tenant:a", "open one")
        raise_alert("tenant:b", "old one")
        Alert.objects.filter(subject="tenant:b").update(cleared_at=NOW)

        page = staff.get(path_of("audit_alert_changelist") + query).content.decode()

        found = {message for message in ("open one", "old one") if message in page}
        assert found == {shown}

    def test_an_event_shows_its_attempts_and_error(self, staff: Client) -> None:
        event = make_event(attempts=4, error="no answer within 30 s")

        page = staff.get(path_of("billing_event_change", event.pk)).content.decode()

        assert "no answer within 30 s" in page
        assert 'name="_save"' not in page

    @pytest.mark.parametrize("name", [name for name in LISTS if name not in {"accounts_user", "tenants_tenant"}])
    def test_nothing_is_added_by_hand(self, staff: Client, name: str) -> None:
        assert staff.get(path_of(f"{name}_add")).status_code == 403

    def test_a_page_of_each_kind_opens(
        self, staff: Client, operator: User, acme: Tenant, give_plan: Callable[..., PlanVersion]
    ) -> None:
        version = give_plan(acme, "pro", applications=3)
        raise_alert(acme.subject, "look")
        subscription = Subscription.objects.create(
            stripe_id="sub_1", customer_id="cus_1", tenant=acme, status="active", outcome="bound", created_at=NOW
        )
        rows = [version, subscription, Alert.objects.get(), Entry.objects.first(), make_event(), operator]
        for row in rows:
            assert row
            path = path_of(f"{row._meta.app_label}_{row._meta.model_name}_change", row.pk)
            assert staff.get(path).status_code == 200, path


class TestOverview:
    def test_it_counts_what_needs_attention(self, staff: Client, acme: Tenant) -> None:
        raise_alert(acme.subject, "The limits of price_1 are malformed.")
        make_event(received_at=NOW - timedelta(days=2))
        Tenant.objects.create(tenant_id="stuck", schema_name="t_x", created_at=NOW, provisioning=Provisioning.FAILED)

        page = staff.get("/operator/").content.decode()

        assert "The limits of price_1 are malformed." in page
        assert "stuck" in page
        assert "Pending event, the oldest for" in page

    def test_it_counts_more_failures_than_it_lists(self, staff: Client) -> None:
        for number in range(SHOWN + 2):
            Tenant.objects.create(
                tenant_id=f"stuck-{number}", schema_name=f"t_{number}", created_at=NOW, provisioning=Provisioning.FAILED
            )

        page = staff.get("/operator/").content.decode()

        assert f"<b>{SHOWN + 2}</b><span>Provisioning failed</span>" in page

    def test_it_is_kind_to_a_new_installation(self, staff: Client) -> None:
        page = staff.get("/operator/").content.decode()

        assert "Nothing needs you" in page
        assert "Stripe has not sent anything yet" in page


class TestTenantPage:
    def test_it_tells_where_each_limit_comes_from(
        self, staff: Client, acme: Tenant, give_plan: Callable[..., PlanVersion]
    ) -> None:
        give_plan(acme, "pro", applications=25)
        give_plan(acme, "extra", users=3)

        page = staff.get(page_of(acme)).content.decode()

        assert "plan:pro@3: 25" in page
        assert "plan:extra@3: not limited" in page

    def test_it_shows_steps_alerts_and_audit(self, staff: Client, acme: Tenant) -> None:
        raise_alert(acme.subject, "Something is wrong.")
        Tenant.objects.filter(pk=acme.pk).update(provisioning="failed", provisioning_error="DatabaseError: no room")

        page = staff.get(page_of(acme)).content.decode()

        assert "Something is wrong." in page
        assert "DatabaseError: no room" in page
        assert "tenant.created" in page
        assert "Resume provisioning" in page

    @pytest.mark.parametrize(
        ("live", "address"), [(False, "/test/customers/cus_7"), (True, "stripe.com/customers/cus_7")]
    )
    def test_it_leads_to_the_customer_in_stripe(
        self, staff: Client, acme: Tenant, settings: Any, live: bool, address: str
    ) -> None:
        settings.TENANTRY_SANDBOX = False
        settings.STRIPE_LIVE_MODE = live
        Tenant.objects.filter(pk=acme.pk).update(stripe_customer_id="cus_7")

        assert address in staff.get(page_of(acme)).content.decode()

    def test_the_stand_in_has_no_dashboard(self, staff: Client, acme: Tenant) -> None:
        Tenant.objects.filter(pk=acme.pk).update(stripe_customer_id="cus_7")

        assert "dashboard.stripe.com" not in staff.get(page_of(acme)).content.decode()

    def test_an_unknown_tenant_is_not_found(self, staff: Client, operator: User) -> None:
        assert staff.get(path_of("tenants_tenant_change", operator.pk)).status_code == 404
        assert staff.get(path_of("tenants_tenant_change", "nonsense")).status_code == 404
        assert staff.get(path_of("tenant_hold", operator.pk)).status_code == 404


class TestActions:
    def test_a_hold_closes_the_tenant_with_its_reason(self, staff: Client, acme: Tenant) -> None:
        answer = staff.post(path_of("tenant_hold", acme.pk), {"state": "suspended", "reason": "Abuse of the relay"})

        assert answer["Location"] == page_of(acme)
        closed = Client(HTTP_HOST="acme.localhost").get("/")
        assert closed.status_code == 403
        assert "Abuse of the relay" in closed.content.decode()
        assert "Abuse of the relay" in staff.get(page_of(acme)).content.decode()

    def test_a_hold_needs_a_reason(self, staff: Client, acme: Tenant) -> None:
        page = staff.post(path_of("tenant_hold", acme.pk), {"state": "suspended", "reason": ""}).content.decode()

        assert "This field is required." in page
        assert not Hold.objects.exists()

    def test_a_hold_may_end_by_itself(self, staff: Client, acme: Tenant) -> None:
        fields = {"state": "rejected", "reason": "x", "until": "2099-05-01T12:30"}

        staff.post(path_of("tenant_hold", acme.pk), fields)

        assert Hold.objects.get().until is not None
        assert "until 1 May 2099, 12:30 UTC" in staff.get(page_of(acme)).content.decode()

    def test_changing_a_hold_starts_from_the_one_there_is(self, staff: Client, acme: Tenant) -> None:
        fields = {"state": "rejected", "reason": "Abuse of the relay", "until": "2099-05-01T12:30"}
        staff.post(path_of("tenant_hold", acme.pk), fields)

        page = staff.get(path_of("tenant_hold", acme.pk)).content.decode()

        assert 'value="Abuse of the relay"' in page
        assert 'value="2099-05-01T12:30:00"' in page
        (chosen,) = [each for each in re.findall(r"<input[^>]*>", page) if re.search(r"\schecked\b(?!:)", each)]
        assert 'value="rejected"' in chosen

    def test_lifting_a_hold_gives_the_tenant_back(self, staff: Client, acme: Tenant) -> None:
        staff.post(path_of("tenant_hold", acme.pk), {"state": "suspended", "reason": "x"})

        staff.post(path_of("tenant_unhold", acme.pk), {"reason": "settled"})

        acme.refresh_from_db()
        assert acme.state == State.APPROVED

    def test_lifting_what_is_not_held_is_explained(self, staff: Client, acme: Tenant) -> None:
        page = staff.post(path_of("tenant_unhold", acme.pk), {"reason": ""}).content.decode()

        assert "is not on hold" in page

    def test_name_and_description_are_edited(self, staff: Client, acme: Tenant) -> None:
        staff.post(path_of("tenant_describe", acme.pk), {"name": "Acme GmbH", "description": "Sensors"})

        acme.refresh_from_db()
        assert (acme.name, acme.description, acme.described_by_operator) == ("Acme GmbH", "Sensors", True)

    def test_a_re_sync_shows_first_what_it_would_change(self, staff: Client, acme: Tenant) -> None:
        Tenant.objects.filter(pk=acme.pk).update(state=State.FLAGGED)

        page = staff.get(path_of("tenant_resync", acme.pk)).content.decode()

        acme.refresh_from_db()
        assert acme.state == State.FLAGGED
        assert "What would change now" in page
        staff.post(path_of("tenant_resync", acme.pk))
        acme.refresh_from_db()
        assert acme.state == State.APPROVED

    def test_a_re_sync_without_a_difference_says_so(self, staff: Client, acme: Tenant) -> None:
        Tenant.objects.filter(pk=acme.pk).update(next_reconcile_at=None)

        assert "Nothing would change now" in staff.get(path_of("tenant_resync", acme.pk)).content.decode()

    def test_provisioning_is_resumed_by_a_job(self, staff: Client, acme: Tenant, drain: Callable[[], None]) -> None:
        Tenant.objects.filter(pk=acme.pk).update(provisioning=Provisioning.FAILED)

        staff.post(path_of("tenant_resume", acme.pk))

        assert "goes on in a job" in staff.get(page_of(acme)).content.decode()

    def test_what_a_person_did_is_in_our_audit_and_in_no_other_log(self, staff: Client, acme: Tenant) -> None:
        staff.post(path_of("tenant_hold", acme.pk), {"state": "suspended", "reason": "x"})

        entry = Entry.objects.get(action="tenant.held")
        assert (entry.actor_kind, entry.actor_label) == ("person", "olga")
        assert not LogEntry.objects.exists()

    @pytest.mark.parametrize("name", ["hold", "unhold", "describe", "resync", "resume"])
    def test_a_page_has_one_heading(self, staff: Client, acme: Tenant, name: str) -> None:
        assert staff.get(path_of(f"tenant_{name}", acme.pk)).content.decode().count("<h1") == 1

    def test_the_radios_are_a_named_group(self, staff: Client, acme: Tenant) -> None:
        page = staff.get(path_of("tenant_hold", acme.pk)).content.decode()

        assert re.search(r"<fieldset[^>]*>\s*<legend>State", page)

    def test_what_describes_a_field_is_on_the_page(self, staff: Client, acme: Tenant) -> None:
        page = staff.post(path_of("tenant_hold", acme.pk), {"state": "x", "reason": ""}).content.decode()

        named = " ".join(re.findall(r'aria-describedby="([^"]+)"', page)).split()
        assert {"id_state_error", "id_reason_error", "id_reason_helptext", "id_until_helptext"} <= set(named)
        assert [each for each in named if page.count(f'id="{each}"') != 1] == []

    @pytest.mark.parametrize("name", ["hold", "unhold", "describe", "resync", "resume"])
    def test_looking_changes_nothing(self, staff: Client, acme: Tenant, name: str) -> None:
        before = Entry.objects.count()

        assert staff.get(path_of(f"tenant_{name}", acme.pk)).status_code == 200
        assert Entry.objects.count() == before


class TestPrices:
    @pytest.fixture(autouse=True)
    def mirrored(self, monkeypatch: pytest.MonkeyPatch) -> None:
        found = (
            make_price("price_pro", {"max-users": "25", "max-clients": "abc"}),
            make_price("price_free", {}, amount=None, tiered=True),
        )
        monkeypatch.setattr("apps.billing.selectors.mirrored_prices", lambda: found)
        monkeypatch.setattr(
            "apps.billing.selectors.prices", lambda ids: {each.id: each for each in found if each.id in ids}
        )

    def test_each_price_shows_its_limits_and_what_is_wrong_with_them(self, staff: Client) -> None:
        page = staff.get(path_of("plans_managedprice_changelist")).content.decode()

        assert "users <b>25</b>" in page
        assert "max-clients is “abc”" in page
        assert "49.00 EUR a month" in page
        assert "none: everything is unlimited" in page

    def test_a_price_shows_whatever_it_grants(self, staff: Client, monkeypatch: pytest.MonkeyPatch) -> None:
        define_feature(key="calls", kind="metered", actor=SOMEBODY, now=NOW)
        granted = {"tenantry-grant-calls": "1000/month;soft", "tenantry-add-on": "true", "tenantry-grant-x": "5"}
        found = (make_price("price_calls", granted), make_price("price_nothing", {"tenantry-add-on": "true"}))
        monkeypatch.setattr("apps.billing.selectors.mirrored_prices", lambda: found)

        page = text(staff.get(path_of("plans_managedprice_changelist")))

        assert "Add-on: calls 1,000 every month · soft" in page
        assert "tenantry-grant-x is “5”: it cannot be granted: there is no feature" in page
        assert "Add-on: none: it adds nothing" in page
        assert "everything is unlimited" not in page

    @pytest.mark.parametrize("group", ["recurring", "metered"])
    def test_a_price_is_marked_and_unmarked(self, staff: Client, group: str) -> None:
        staff.post(path_of("plans_managedprice_changelist"), {"price": "price_pro", "group": group})
        assert ManagedPrice.objects.get().group == group

        staff.post(path_of("plans_managedprice_changelist"), {"price": "price_pro", "group": ""})
        assert not ManagedPrice.objects.exists()
        assert set(Entry.objects.values_list("actor_label", flat=True)) == {"olga"}

    def test_a_price_that_cannot_be_had_is_said_plainly(self, staff: Client, settings: Any) -> None:
        settings.STRIPE_API_BASE = "http://127.0.0.1:1"
        gateway.client.cache_clear()
        answer = staff.post(
            path_of("plans_managedprice_changelist"), {"price": "price_gone", "group": "metered"}, follow=True
        )
        gateway.client.cache_clear()
        assert "is not reachable" in answer.content.decode()
        assert not ManagedPrice.objects.exists()

    def test_a_price_of_the_settings_is_not_changed_here(self, staff: Client, settings: Any) -> None:
        settings.TENANTRY_RECURRING_PRICES = ["price_pro"]

        page = staff.get(path_of("plans_managedprice_changelist")).content.decode()

        assert "by the settings" in page
        assert 'value="price_pro"' not in page


class TestAmounts:
    @pytest.mark.parametrize(
        ("values", "shown"),
        [
            ({"amount": Decimal(4900)}, "49.00 EUR a month"),
            ({"amount": Decimal(490000), "interval_count": 3}, "4,900.00 EUR every 3 months"),
            ({"amount": Decimal("0.5")}, "0.005 EUR a month"),
            ({"amount": Decimal("1250.10")}, "12.501 EUR a month"),
            ({"amount": Decimal(4900), "currency": "jpy"}, "4,900 JPY a month"),
            ({"amount": Decimal(0)}, "0.00 EUR a month"),
            ({"amount": None, "tiered": True}, "tiered, every month"),
            ({"amount": None, "interval_count": 2}, "no fixed amount, every 2 months"),
        ],
    )
    def test_a_price_is_written_out(self, values: dict[str, Any], shown: str) -> None:
        assert amount(replace(make_price("price_1", {}), **values)) == shown

    @pytest.mark.parametrize(
        ("data", "found"),
        [
            ({"unit_amount": 4900, "unit_amount_decimal": "4900"}, Decimal(4900)),
            ({"unit_amount": None, "unit_amount_decimal": "0.5"}, Decimal("0.5")),
            ({"unit_amount": 0, "unit_amount_decimal": "0"}, Decimal(0)),
            ({"unit_amount": None, "unit_amount_decimal": None}, None),
        ],
    )
    def test_the_mirror_tells_fractions_of_a_cent(self, data: dict[str, Any], found: Decimal | None) -> None:
        recurring = {"interval": "month", "interval_count": 3}
        row = djstripe.Price(
            id="price_1",
            product=djstripe.Product(id="prod_1", stripe_data={"name": "Pro"}),
            stripe_data={**data, "billing_scheme": "tiered", "recurring": recurring},
        )

        price = _price(row)

        assert price.amount == found
        assert isinstance(price.amount, Decimal) or found is None
        assert (price.tiered, price.interval, price.interval_count) == (True, "month", 3)


def make_price(
    price_id: str, metadata: dict[str, str], amount: Decimal | None = Decimal(4900), *, tiered: bool = False
) -> Price:
    return Price(
        id=price_id,
        product_id="prod_1",
        product_name="Pro",
        nickname="",
        lookup_key="",
        metadata=metadata,
        active=True,
        amount=amount,
        tiered=tiered,
        currency="eur",
        interval="month",
        interval_count=1,
    )


class TestOperators:
    def test_a_new_one_gets_a_link_and_no_password(self, staff: Client) -> None:
        staff.post(path_of("accounts_user_add"), {"username": "otto", "email": "otto@vendor.example"})

        otto = User.objects.get(username="otto")
        assert otto.is_staff
        assert not otto.has_usable_password()
        answer = staff.post(path_of("operator_link", otto.pk))
        assert "/welcome/" in answer.content.decode()
        assert "no-store" in answer["Cache-Control"]
        assert Entry.objects.filter(subject="operator:otto").count() == 2

    def test_a_taken_name_is_refused(self, staff: Client, operator: User) -> None:
        page = staff.post(path_of("accounts_user_add"), {"username": "olga", "email": "x@vendor.example"})

        assert "already exists" in page.content.decode()

    def test_a_link_is_not_made_by_looking(self, staff: Client, operator: User) -> None:
        assert staff.get(path_of("operator_link", operator.pk)).status_code == 405

    def test_a_deactivated_one_is_out_at_once(self, staff: Client) -> None:
        otto = User.objects.create_superuser("otto", "otto@vendor.example", PASSWORD)
        theirs = Client(HTTP_HOST="localhost")
        theirs.force_login(otto)

        staff.post(path_of("operator_deactivate", otto.pk))

        assert theirs.get("/operator/").status_code == 302

        staff.post(path_of("operator_reactivate", otto.pk))
        otto.refresh_from_db()
        assert otto.is_active

    def test_an_address_that_another_operator_has_is_refused_beside_the_form(self, staff: Client) -> None:
        given = {"username": "otto", "email": "otto@vendor.example"}
        staff.post(path_of("accounts_user_add"), given)
        answer = staff.post(path_of("accounts_user_add"), {**given, "username": "otto2"})
        assert "somebody else" in answer.content.decode()
        assert not User.objects.filter(username="otto2").exists()

    def test_nobody_locks_themselves_out(self, staff: Client, operator: User) -> None:
        answer = staff.post(path_of("operator_deactivate", operator.pk))

        operator.refresh_from_db()
        assert answer.status_code == 403
        assert operator.is_active

    def test_members_of_tenants_are_not_among_them(self, staff: Client, acme: Tenant) -> None:
        member = make_member(acme, "max")

        assert staff.get(path_of("accounts_user_change", member.pk)).status_code == 404


class TestPolicy:
    def test_only_the_operators_pages_may_do_what_unfold_does(self, staff: Client, acme: Tenant) -> None:
        inside = staff.get(page_of(acme))["Content-Security-Policy"]
        outside = staff.get("/accounts/password/change/")["Content-Security-Policy"]

        assert "script-src 'self' 'unsafe-eval'" in inside
        assert "style-src 'self' 'unsafe-inline'" in inside
        assert "script-src 'self' 'unsafe-inline'" not in inside
        assert "unsafe" not in outside


def test_only_tenantrys_own_pages_are_registered() -> None:
    from apps.backoffice.site import site

    assert {model._meta.label_lower.replace(".", "_") for model in site._registry} == set(LISTS)
