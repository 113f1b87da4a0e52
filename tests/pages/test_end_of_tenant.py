"""The operator's pages about the end of a tenant: planned, asked for, and what is left."""

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import time_machine
from django.core.management import call_command
from django.test import Client

from apps.accounts.models import User
from apps.audit.models import Entry
from apps.backoffice.admin.tenants import TABS
from apps.core import clock
from apps.lifecycle import offboarding
from apps.plans.models import Subscription
from apps.tenants.models import Provisioning, State, Tenant, Tombstone
from tests.factories import NOW
from tests.pages.reading import path_of, text
from tests.support.vendor import Vendor
from tests.support.working import failed_jobs

pytestmark = pytest.mark.django_db
ENDING = ["delete", "keep", "keep_no_more"]


def page_of(tenant: Tenant) -> str:
    return path_of("tenants_tenant_change", tenant.pk)


def offered(page: Any) -> set[str]:
    """The actions that a tenant's page offers; its tabs only show."""
    return set(re.findall(r"/tenants/tenant/[0-9a-f-]+/([\w/-]+)/", page.content.decode())) - {"change", *TABS}


@pytest.fixture(autouse=True)
def exports(settings: Any, tmp_path: Path) -> Path:
    settings.TENANTRY_EXPORT_DIR = tmp_path
    return tmp_path


@pytest.fixture
def retention(settings: Any) -> None:
    """Data is kept for 90 days, and notices are given."""
    settings.TENANTRY_RETENTION_DAYS = 90
    settings.TENANTRY_RETENTION_NOTICES = (30, 7, 1)


@pytest.fixture
def planned(acme: Tenant, retention: None) -> datetime:
    """Acme is deleted in twenty days, and has been told once."""
    at = clock.now() + timedelta(days=20)
    told = {"30": (at - timedelta(days=30)).isoformat()}
    Tenant.objects.filter(pk=acme.pk).update(delete_at=at, notices=told, state=State.SUSPENDED)
    acme.refresh_from_db()
    return at


class TestPlanned:
    def test_the_day_and_its_notices_are_told(self, staff: Client, acme: Tenant, planned: datetime) -> None:
        page = text(staff.get(page_of(acme)))

        assert f"Its data is deleted on {planned:%-d %B %Y}" in page
        sent, week, day = (planned - timedelta(days=days) for days in (30, 7, 1))
        assert f"Notice 30 days before sent {sent:%-d %b %Y, %H:%M}" in page
        assert f"Notice 7 days before comes {week:%-d %b %Y, %H:%M}" in page
        assert f"Notice 1 day before comes {day:%-d %b %Y, %H:%M}" in page

    def test_a_notice_that_is_due_is_being_sent_and_an_overtaken_one_is_not_named(
        self, staff: Client, operator: User, acme: Tenant, planned: datetime
    ) -> None:
        with time_machine.travel(planned - timedelta(hours=3), tick=False):
            staff.force_login(operator)
            page = text(staff.get(page_of(acme)))

        assert "Notice 1 day before is being sent" in page
        assert "Notice 7 days" not in page

    def test_without_notices_it_says_that_nobody_is_told(
        self, staff: Client, acme: Tenant, planned: datetime, settings: Any
    ) -> None:
        settings.TENANTRY_RETENTION_NOTICES = ()
        Tenant.objects.filter(pk=acme.pk).update(notices={})

        assert "Nobody is told before" in text(staff.get(page_of(acme)))

    def test_an_ordinary_tenant_is_spared_all_that(self, staff: Client, acme: Tenant) -> None:
        page = text(staff.get(page_of(acme)))

        assert "Its data is" not in page
        assert "Notice " not in page

    def test_the_list_tells_the_day_and_finds_them(self, staff: Client, acme: Tenant, planned: datetime) -> None:
        Tenant.objects.create(tenant_id="other", schema_name="t_other", created_at=NOW)
        rows = path_of("tenants_tenant_changelist")

        assert f"Its data is deleted on {planned:%-d %B %Y}." in text(staff.get(rows))
        for query, found in (("end=soon", True), ("end=planned", True), ("end=kept", False)):
            page = staff.get(f"{rows}?{query}").content.decode()
            assert (page_of(acme) in page) is found
            assert "other" not in re.findall(r"/tenant/[0-9a-f-]+/change/[^>]*>(\w+)<", page)

    def test_the_overview_counts_those_of_the_next_30_days(
        self, staff: Client, acme: Tenant, planned: datetime
    ) -> None:
        page = staff.get("/operator/")
        assert "1 Tenant deleted within 30 days" in text(page)
        assert "?end=soon" in page.content.decode()

        Tenant.objects.update(delete_at=clock.now() + timedelta(days=31))
        assert "within 30 days" not in text(staff.get("/operator/"))

    def test_the_tenants_own_host_tells_until_when(self, acme: Tenant, planned: datetime) -> None:
        closed = Client(HTTP_HOST="acme.localhost").get("/").content.decode()

        assert f"Everything is kept until {planned:%-d %B %Y} and is deleted then." in closed


class TestKeeping:
    def test_it_is_offered_where_time_deletes(self, staff: Client, acme: Tenant, settings: Any) -> None:
        assert not {"keep", "keep_no_more"} & offered(staff.get(page_of(acme)))

        settings.TENANTRY_RETENTION_DAYS = 90
        assert "keep" in offered(staff.get(page_of(acme)))

        settings.TENANTRY_RETENTION_DAYS = 0
        Tenant.objects.filter(pk=acme.pk).update(kept_because="A lawsuit")
        assert {"keep", "keep_no_more"} & offered(staff.get(page_of(acme))) == {"keep_no_more"}

    def test_a_kept_tenant_says_why(self, staff: Client, acme: Tenant, planned: datetime) -> None:
        answer = staff.post(path_of("tenant_keep", acme.pk), {"reason": "A lawsuit"})

        assert answer["Location"] == page_of(acme)
        page = text(staff.get(page_of(acme)))
        assert "Its data is kept" in page
        assert "A lawsuit" in page
        acme.refresh_from_db()
        # What it was told is void: once it is kept no more, it is told anew.
        assert (acme.kept_because, acme.delete_at, acme.notices) == ("A lawsuit", None, {})
        entry = Entry.objects.get(action="tenant.kept")
        assert (entry.actor_label, entry.reason) == ("olga", "A lawsuit")

    def test_it_needs_a_reason(self, staff: Client, acme: Tenant) -> None:
        assert "This field is required." in text(staff.post(path_of("tenant_keep", acme.pk), {"reason": " "}))
        assert not Entry.objects.filter(action="tenant.kept").exists()

    def test_it_is_kept_no_more(self, staff: Client, acme: Tenant) -> None:
        staff.post(path_of("tenant_keep", acme.pk), {"reason": "A lawsuit"})

        staff.post(path_of("tenant_keep_no_more", acme.pk), {"reason": "They settled"})

        acme.refresh_from_db()
        assert acme.kept_because == ""
        entry = Entry.objects.get(action="tenant.kept_no_more")
        assert (entry.reason, entry.before) == ("They settled", {"kept_because": "A lawsuit"})


@pytest.mark.django_db(transaction=True)
class TestKeptAcrossItsEnd:
    """A tenant that was told, then kept beyond its day, is told anew before it is deleted."""

    @pytest.fixture
    def kept(self, vendor: Vendor, drain: Callable[[], None], retention: None) -> datetime:
        vendor.cancel(vendor.subscribe(vendor.customer(), vendor.price(), metadata={"tenant-id": "acme"}))
        vendor.standin.deliver()
        drain()
        planned = Tenant.objects.get().delete_at
        assert planned
        with time_machine.travel(planned - timedelta(days=30), tick=False):
            call_command("reconcile", tenant="acme")
            drain()
            assert Tenant.objects.get().notices.keys() == {"30"}
            call_command("tenant_keep", "acme", reason="A lawsuit")
        return planned

    def test_the_page_says_so_before_and_it_is_so(
        self, staff: Client, operator: User, kept: datetime, drain: Callable[[], None]
    ) -> None:
        tenant = Tenant.objects.get()
        with time_machine.travel(kept + timedelta(days=100), tick=False):
            staff.force_login(operator)
            action = path_of("tenant_keep_no_more", tenant.pk)
            assert "its administrators are told today that its data is deleted in 30 days" in text(staff.get(action))
            staff.post(action, {"reason": ""})
            drain()

        assert Tenant.objects.get().delete_at == kept + timedelta(days=130)

    def test_retention_switched_off_meanwhile_voids_the_notice_too(
        self, kept: datetime, drain: Callable[[], None], settings: Any
    ) -> None:
        call_command("tenant_keep", "acme", release=True)
        told = {"30": (kept - timedelta(days=30)).isoformat()}
        Tenant.objects.update(notices=told)
        settings.TENANTRY_RETENTION_DAYS = 0
        call_command("reconcile", tenant="acme")
        settings.TENANTRY_RETENTION_DAYS = 90
        with time_machine.travel(kept + timedelta(days=100), tick=False):
            call_command("reconcile", tenant="acme")
            drain()

        assert Tenant.objects.get().delete_at == kept + timedelta(days=130)


class TestDeleting:
    REASON = "They left"

    def ask(self, staff: Client, tenant: Tenant, **fields: str) -> Any:
        given = {"reason": self.REASON, "tenant_id": tenant.tenant_id}
        return staff.post(path_of("tenant_delete", tenant.pk), given | fields)

    def test_the_page_says_what_happens(self, staff: Client, acme: Tenant, exports: Path) -> None:
        page = text(staff.get(path_of("tenant_delete", acme.pk)))

        for told in ("http://acme.localhost", str(exports), "10 minutes later", "not given out again", "audit"):
            assert told in page
        assert "manage.py tenant_restore FILE" in page

    @pytest.mark.parametrize(
        ("fields", "told"),
        [
            ({"reason": ""}, "This field is required."),
            ({"tenant_id": "Acme"}, "That is not the tenant’s id. Nothing was deleted; type acme"),
            ({"tenant_id": ""}, "This field is required."),
        ],
    )
    def test_it_wants_a_reason_and_the_very_id(
        self, staff: Client, acme: Tenant, fields: dict[str, str], told: str
    ) -> None:
        assert told in text(self.ask(staff, acme, **fields))
        assert not offboarding.deletion_is_requested(acme)

    def test_a_living_subscription_is_told_on_opening_and_refused(self, staff: Client, acme: Tenant) -> None:
        Subscription.objects.create(
            stripe_id="sub_7", customer_id="cus_1", tenant=acme, status="past_due", outcome="bound", created_at=NOW
        )

        opened = staff.get(path_of("tenant_delete", acme.pk))
        assert "a subscription of it lives in Stripe" in text(opened)
        assert "sub_7" in text(opened)
        assert 'name="tenant_id"' not in opened.content.decode()

        assert "still has a living subscription in Stripe: sub_7" in text(self.ask(staff, acme))
        assert not offboarding.deletion_is_requested(acme)
        assert not Entry.objects.filter(action="tenant.deletion_requested").exists()

    def test_while_the_job_waits_the_page_says_so(self, staff: Client, acme: Tenant) -> None:
        answer = self.ask(staff, acme)

        assert answer["Location"] == page_of(acme)
        page = staff.get(page_of(acme))
        assert "A job exports Acme into a file and then deletes it." in text(page)
        assert "It is about to be deleted" in text(page)
        assert "delete" not in offered(page)

    def test_a_tenant_being_deleted_offers_nothing(self, staff: Client, acme: Tenant) -> None:
        Tenant.objects.filter(pk=acme.pk).update(provisioning=Provisioning.DELETING)

        page = staff.get(page_of(acme))

        assert "It is being deleted" in text(page)
        assert offered(page) == set()
        assert [offered(staff.get(path_of(f"tenant_{tab}", acme.pk))) for tab in TABS] == [set(), set()]
        assert "Being deleted" in text(staff.get(path_of("tenants_tenant_changelist")))

    @pytest.mark.parametrize("name", ["hold", "describe", "resync", "resume", *ENDING])
    def test_nothing_can_be_done_to_it(self, staff: Client, acme: Tenant, name: str) -> None:
        Tenant.objects.filter(pk=acme.pk).update(provisioning=Provisioning.DELETING)
        before = Entry.objects.count()

        given = {"reason": "x", "tenant_id": "acme", "state": "suspended", "name": "New"}
        answer = staff.post(path_of(f"tenant_{name}", acme.pk), given, follow=True)

        assert "Acme is being deleted. Nothing was changed." in text(answer)
        assert Entry.objects.count() == before


@pytest.mark.django_db(transaction=True)
class TestDeleted:
    @pytest.fixture
    def gone(self, staff: Client, acme: Tenant, drain: Callable[[], None]) -> Tombstone:
        """Acme, deleted through the pages."""
        given = {"reason": "They left", "tenant_id": "acme"}
        staff.post(path_of("tenant_delete", acme.pk), given)
        drain()
        assert failed_jobs() == []
        return Tombstone.objects.get()

    def test_its_page_leads_to_what_is_left(self, staff: Client, acme: Tenant, gone: Tombstone) -> None:
        answer = staff.get(page_of(acme), follow=True)

        assert answer.redirect_chain[-1][0] == path_of("tenants_tombstone_change", gone.pk)
        page = text(answer)
        for told in ("Deleted", "olga", "They left", "acme.localhost", gone.schema_name, gone.export_sha256):
            assert told in page
        assert "emptied; a worker drops it after" in page
        assert f"manage.py tenant_restore {gone.export_path}" in page
        assert "tenant.deletion_requested" in page

    def test_the_command_on_its_page_restores_it(self, staff: Client, acme: Tenant, gone: Tombstone) -> None:
        page = text(staff.get(path_of("tenants_tombstone_change", gone.pk)))
        (file,) = re.findall(r"manage\.py tenant_restore (\S+)", page)
        call_command("tenant_restore", file)

        page = text(staff.get(path_of("tenants_tombstone_change", gone.pk)))
        assert "It was restored" in page
        assert "How it is restored" not in page
        assert Tenant.objects.get().pk == acme.pk
        assert "Acme" in text(staff.get(page_of(acme)))


class TestWhoMay:
    @pytest.mark.parametrize("name", ENDING)
    def test_looking_changes_nothing(self, staff: Client, acme: Tenant, name: str) -> None:
        before = Entry.objects.count()

        page = staff.get(path_of(f"tenant_{name}", acme.pk))

        assert page.content.decode().count("<h1") == 1
        assert Entry.objects.count() == before

    @pytest.mark.parametrize("name", ENDING)
    def test_nothing_is_done_without_a_token(self, operator: User, acme: Tenant, name: str) -> None:
        strict = Client(HTTP_HOST="localhost", enforce_csrf_checks=True)
        strict.force_login(operator)

        answer = strict.post(path_of(f"tenant_{name}", acme.pk), {"reason": "x", "tenant_id": "acme"})

        assert answer.status_code == 403
        assert not Entry.objects.filter(action__in=["tenant.kept", "tenant.deletion_requested"]).exists()

    @pytest.mark.parametrize("name", ENDING)
    def test_staff_that_is_no_operator_may_not(self, visitor: Client, acme: Tenant, name: str) -> None:
        clerk = User(username="clerk", is_staff=True)
        clerk.save()
        visitor.force_login(clerk)

        answer = visitor.post(path_of(f"tenant_{name}", acme.pk), {"reason": "x", "tenant_id": "acme"}, follow=True)

        assert answer.status_code == 403
        assert not Entry.objects.filter(actor_label="clerk").exists()
