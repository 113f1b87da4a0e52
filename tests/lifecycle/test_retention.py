"""How long data is kept: the pure rules, and the story of a tenant whose subscription has ended."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import time_machine
from django.core import mail
from django.core.management import call_command
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from apps.accounts.models import User
from apps.audit.models import Alert, Entry
from apps.lifecycle import tasks
from apps.lifecycle.retention import LATE, Policy, Retention, retention
from apps.tenants import burial, context
from apps.tenants.models import Tenant, Tombstone
from tests.factories import make_member
from tests.support.vendor import Vendor
from tests.support.working import failed_jobs

ENDED = datetime(2026, 1, 1, tzinfo=UTC)
POLICY = Policy(days=90, notices=(30, 7, 1))
Settle = Callable[[], None]


def days(number: float) -> timedelta:
    return timedelta(days=number)


def after(number: float, told: dict[int, float] | None = None, policy: Policy = POLICY) -> Retention:
    """So many days after the end, notices having been given at these days after it."""
    told_at = {left: ENDED + days(at) for left, at in (told or {}).items()}
    return retention(ENDED, policy=policy, given=told_at, now=ENDED + days(number))


class TestRules:
    def test_nothing_is_planned_while_a_subscription_lives(self) -> None:
        assert retention(None, policy=POLICY, given={}, now=ENDED) == Retention()

    def test_nothing_is_planned_without_a_number_of_days(self) -> None:
        assert after(10_000, policy=Policy(days=0, notices=(30,))) == Retention()

    def test_the_plan_is_known_from_the_first_day(self) -> None:
        assert after(0) == Retention(delete_at=ENDED + days(90), next_at=ENDED + days(60))

    @pytest.mark.parametrize(
        ("day", "told", "notice", "next_day"),
        [
            (60, {}, 30, 83),
            (60, {30: 60}, None, 83),
            (83, {30: 60}, 7, 89),
            (84, {30: 60, 7: 83}, None, 89),
            (89, {30: 60, 7: 83}, 1, 90),
            (89.5, {30: 60}, 1, 90),
        ],
    )
    def test_each_notice_in_its_time(self, day: float, told: dict[int, float], notice: int, next_day: float) -> None:
        found = after(day, told)
        assert (found.notice, found.next_at, found.deletion_due) == (notice, ENDED + days(next_day), False)

    def test_a_notice_that_was_overtaken_is_not_given_any_more(self) -> None:
        assert after(89.9, {30: 60, 1: 89}).notice is None

    def test_then_it_is_due(self) -> None:
        assert after(90, {30: 60, 7: 83, 1: 89}) == Retention(delete_at=ENDED + days(90), deletion_due=True)

    def test_switched_on_for_a_tenant_that_ended_long_ago_all_of_the_first_notices_time_is_given(self) -> None:
        assert after(500) == Retention(notice=30)
        assert after(500, {30: 500}) == Retention(delete_at=ENDED + days(530), next_at=ENDED + days(523))
        assert not after(529, {30: 500, 7: 523}).deletion_due
        assert after(530, {30: 500, 7: 523, 1: 529}).deletion_due

    def test_a_short_notice_that_comes_late_gives_its_whole_time_all_the_same(self) -> None:
        short = Policy(days=90, notices=(1,))
        assert after(89.5, policy=short) == Retention(notice=1)
        assert after(89.5, {1: 89.5}, policy=short).delete_at == ENDED + days(90.5)

    def test_a_notice_given_a_little_late_puts_nothing_off(self) -> None:
        assert after(60.2, {30: 60.2}).delete_at == ENDED + days(90)

    def test_without_notices(self) -> None:
        silent = Policy(days=90, notices=())
        assert after(0, policy=silent) == Retention(delete_at=ENDED + days(90), next_at=ENDED + days(90))
        assert after(90, policy=silent) == Retention(delete_at=ENDED + days(90), deletion_due=True)

    @hypothesis_settings(max_examples=300, deadline=None)
    @given(
        policy=st.builds(
            lambda length, notices: Policy(length, tuple(sorted({each for each in notices if each <= length})[::-1])),
            st.integers(1, 200),
            st.lists(st.integers(1, 200), min_size=1, max_size=4),
        ).filter(lambda policy: bool(policy.notices)),
        started=st.floats(0, 400),
        steps=st.lists(st.floats(0.01, 40), max_size=60),
        mail_works=st.lists(st.booleans(), min_size=60, max_size=60),
    )
    def test_whenever_one_looks_and_whatever_mail_does_the_promised_time_is_given(
        self, policy: Policy, started: float, steps: list[float], mail_works: list[bool]
    ) -> None:
        now, told = ENDED + days(started), {}
        for step, works in zip([0.0, *steps], mail_works, strict=False):
            now += days(step)
            found = retention(ENDED, policy=policy, given=told, now=now)
            assert found.next_at is None or found.next_at > now
            if found.deletion_due:
                left, at = min(told.items(), key=lambda each: each[1])
                assert now >= ENDED + days(policy.days)
                assert now - at >= days(left) - LATE
                return
            if found.notice is not None and works:
                assert found.notice not in told
                told[found.notice] = now


class TestStory:
    """A subscription ends; with retention on, its tenant is told three times and then deleted."""

    @pytest.fixture(autouse=True)
    def kept_for_90_days(self, settings: Any, tmp_path: Path) -> None:
        settings.TENANTRY_RETENTION_DAYS = 90
        settings.TENANTRY_RETENTION_NOTICES = (30, 7, 1)
        settings.TENANTRY_EXPORT_DIR = tmp_path

    def ended(self, vendor: Vendor, settle: Settle) -> tuple[str, datetime]:
        subscription = vendor.subscribe(vendor.customer(), vendor.price(), metadata={"tenant-id": "acme"})
        settle()
        vendor.cancel(subscription)
        settle()
        mail.outbox.clear()
        planned = Tenant.objects.get().delete_at
        assert planned is not None
        return subscription, planned

    def at(self, moment: datetime, drain: Callable[[], None]) -> None:
        with time_machine.travel(moment, tick=False):
            tasks.every_minute_job()
            drain()

    def test_told_three_times_then_deleted_with_an_export(
        self, vendor: Vendor, settle: Settle, drain: Callable[[], None]
    ) -> None:
        _, planned = self.ended(vendor, settle)
        make_member(Tenant.objects.get(), "second", role="administrator")
        self.at(planned - days(31), drain)
        assert mail.outbox == []

        for left in (30, 7, 1):
            mail.outbox.clear()
            self.at(planned - days(left), drain)
            assert sorted(each.to[0] for each in mail.outbox) == ["ann@acme.example", "second@acme.example"]
            assert f"{planned:%-d %B %Y}" in mail.outbox[0].subject
            assert f"in {left} day" in mail.outbox[0].body
            self.at(planned - days(left) + timedelta(minutes=5), drain)
            assert len(mail.outbox) == 2

        self.at(planned - timedelta(minutes=1), drain)
        assert Tenant.objects.exists()
        self.at(planned, drain)
        assert failed_jobs() == []
        assert not Tenant.objects.exists()
        tombstone = Tombstone.objects.get()
        assert "kept for 90 days" in tombstone.reason
        assert Entry.objects.get(action="tenant.deleted").actor_kind == "clock"
        assert not Alert.objects.open().exists()

    def test_whom_an_operator_restores_time_does_not_delete_again_at_once(
        self, vendor: Vendor, settle: Settle, drain: Callable[[], None], settings: Any
    ) -> None:
        settings.TENANTRY_RETENTION_NOTICES = ()
        _, planned = self.ended(vendor, settle)
        self.at(planned, drain)
        with time_machine.travel(planned + days(1), tick=False):
            call_command("tenant_restore", Tombstone.objects.get().export_path)
            drain()
            tasks.every_minute_job()
            drain()
        tenant = Tenant.objects.get()
        assert (tenant.state, tenant.delete_at, tenant.kept_because) == ("suspended", None, "It was restored.")

    def test_who_returns_is_not_deleted_and_is_told_anew_the_next_time(
        self, vendor: Vendor, settle: Settle, drain: Callable[[], None]
    ) -> None:
        first, planned = self.ended(vendor, settle)
        self.at(planned - days(30), drain)
        assert Tenant.objects.get().notices.keys() == {"30"}

        customer = vendor.client.v1.subscriptions.retrieve(first).customer
        vendor.subscribe(str(customer), vendor.price(name="Other"))
        settle()
        tenant = Tenant.objects.get()
        assert (tenant.state, tenant.delete_at, tenant.notices) == ("approved", None, {})
        self.at(planned + days(1), drain)
        assert Tenant.objects.exists()

    def test_who_is_kept_is_not_deleted(self, vendor: Vendor, settle: Settle, drain: Callable[[], None]) -> None:
        _, planned = self.ended(vendor, settle)
        call_command("tenant_keep", "acme", reason="A lawsuit")
        assert Tenant.objects.get().delete_at is None
        self.at(planned + days(10), drain)
        assert mail.outbox == []
        assert Tenant.objects.exists()

        with time_machine.travel(planned + days(10), tick=False):
            call_command("tenant_keep", "acme", release=True)
            drain()
        # Time for the whole notice is given from now.
        assert Tenant.objects.get().delete_at == planned + days(40)

    def test_mail_that_fails_puts_the_deletion_off_and_says_so(
        self, vendor: Vendor, settle: Settle, drain: Callable[[], None], settings: Any
    ) -> None:
        _, planned = self.ended(vendor, settle)
        working = settings.EMAIL_BACKEND
        settings.EMAIL_BACKEND = "no.such.backend"
        for late in range(5):
            self.at(planned - days(30) + days(8 * late), drain)
        assert Tenant.objects.get().notices == {}
        assert Alert.objects.open().get().code == "deletion_notice_failed"

        settings.EMAIL_BACKEND = working
        self.at(planned + days(5), drain)
        assert Tenant.objects.get().delete_at == planned + days(35)
        assert not Alert.objects.open().exists()

    def test_one_bad_address_keeps_nobody_else_from_being_told(
        self, vendor: Vendor, settle: Settle, drain: Callable[[], None], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        _, planned = self.ended(vendor, settle)
        make_member(Tenant.objects.get(), "bad", role="administrator")
        send = mail.EmailMultiAlternatives.send

        def refuse_one(message: mail.EmailMultiAlternatives, *given: Any, **named: Any) -> int:
            if message.to == ["bad@acme.example"]:
                raise OSError("550 no such user")
            return send(message, *given, **named)

        monkeypatch.setattr(mail.EmailMultiAlternatives, "send", refuse_one)
        self.at(planned - days(30), drain)
        self.at(planned - days(30) + timedelta(hours=2), drain)
        assert [each.to for each in mail.outbox] == [["ann@acme.example"]]
        assert Tenant.objects.get().notices.keys() == {"30"}
        assert "bad@acme.example: 550" in Alert.objects.open().get().message

    def test_a_killed_deletion_is_taken_up_again(
        self, vendor: Vendor, settle: Settle, drain: Callable[[], None], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        _, planned = self.ended(vendor, settle)
        self.at(planned - days(30), drain)
        burial.close_for_deletion(tenant=Tenant.objects.get())
        self.at(planned + timedelta(minutes=1), drain)
        self.at(planned + timedelta(minutes=3), drain)
        assert not Tenant.objects.exists()

    def test_nobody_to_tell_is_told_to_the_operator(
        self, vendor: Vendor, settle: Settle, drain: Callable[[], None]
    ) -> None:
        _, planned = self.ended(vendor, settle)
        with context.enter(Tenant.objects.get()):
            User.objects.update(email="")
        self.at(planned - days(30), drain)
        assert Alert.objects.open().get().code == "deletion_notice_without_address"
        assert Tenant.objects.get().notices.keys() == {"30"}

    def test_by_default_everything_is_kept_for_ever(
        self, vendor: Vendor, settle: Settle, drain: Callable[[], None], settings: Any
    ) -> None:
        settings.TENANTRY_RETENTION_DAYS = 0
        vendor.cancel(vendor.subscribe(vendor.customer(), vendor.price(), metadata={"tenant-id": "acme"}))
        settle()
        with time_machine.travel(datetime.now(UTC) + days(5000), tick=False):
            tasks.every_minute_job()
            drain()
        assert not Tombstone.objects.exists()
