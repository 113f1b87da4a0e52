"""What plans give of credits is the same whether or not somebody, or a job, has looked in between."""

from datetime import datetime, timedelta

import pytest

from apps.audit.models import Alert
from apps.credits import services as credits
from apps.credits.models import Account, LedgerEntry, Reservation
from apps.entitlements import settling, snapshot, wallets
from apps.plans import catalogue
from apps.plans import selectors as plans
from apps.plans.grants import read_grant
from apps.plans.overriding import end_override, set_override
from apps.plans.resolution import Grant
from apps.plans.terms import Kind
from apps.tenants.models import Tenant
from tests.entitlements.granting import define, fresh, give_everybody
from tests.factories import NOW, SOMEBODY, make_tenant

DAY = timedelta(days=1)
looked = pytest.mark.parametrize("looked", [False, True], ids=["unsettled", "settled"])


@pytest.fixture(autouse=True)
def feature(db: None) -> None:
    define("credits", Kind.CREDITS)


def look(tenant: Tenant, now: datetime, looked: bool = True) -> None:
    if looked:
        settling.settle(tenants=[fresh(tenant)], now=now)


def publish(credits: str, now: datetime) -> None:
    grants = {"credits": read_grant(plans.feature("credits"), credits)}
    catalogue.publish_plan(key="free", grants=grants, actor=SOMEBODY, now=now)


def override(tenant: Tenant, limit: int, now: datetime, until: datetime | None = None) -> None:
    grant = Grant(limit=limit)
    set_override(tenant=tenant, feature="credits", grant=grant, reason="why", until=until, actor=SOMEBODY, now=now)


def balance(tenant: Tenant, now: datetime) -> int:
    return wallets.balance(tenant=fresh(tenant), feature="credits", now=now).amount


class TestWhenTermsChange:
    @looked
    def test_an_override_counts_from_its_moment_on(self, acme: Tenant, looked: bool) -> None:
        give_everybody(credits="100/month;rollover=0..100000")
        look(acme, NOW)
        look(acme, NOW + 170 * DAY - DAY, looked)
        override(acme, 5000, NOW + 170 * DAY)
        assert balance(acme, NOW + 170 * DAY) == 5500

    @looked
    def test_so_it_does_in_a_wallet_that_nobody_has_opened(self, acme: Tenant, looked: bool) -> None:
        give_everybody(credits="100/month;rollover=0..100000")
        look(acme, NOW + DAY, looked)
        override(acme, 5000, NOW + 170 * DAY)
        assert balance(acme, NOW + 171 * DAY) == 5500

    @looked
    def test_one_that_ended_by_itself_has_given_what_it_was_to_give(self, acme: Tenant, looked: bool) -> None:
        give_everybody(credits="100/month")
        look(acme, NOW)
        override(acme, 1000, NOW, until=NOW + 40 * DAY)
        look(acme, NOW + 35 * DAY, looked)
        assert balance(acme, NOW + 41 * DAY) == 1000
        assert balance(acme, NOW + 70 * DAY) == 100

    @looked
    def test_and_so_has_one_of_what_no_plan_grants(self, acme: Tenant, looked: bool) -> None:
        override(acme, 1000, NOW, until=NOW + 40 * DAY)
        look(acme, NOW + 35 * DAY, looked)
        assert balance(acme, NOW + 41 * DAY) == 1000

    @looked
    def test_one_that_was_ended_too(self, acme: Tenant, looked: bool) -> None:
        give_everybody(credits="100/month;rollover=0..2000")
        override(acme, 1000, NOW)
        look(acme, NOW + 35 * DAY, looked)
        end_override(tenant=acme, feature="credits", reason="why", actor=SOMEBODY, now=NOW + 40 * DAY)
        assert balance(acme, NOW + 41 * DAY) == 2000

    @looked
    def test_one_that_gave_less_is_made_up_for_at_its_end(self, acme: Tenant, looked: bool) -> None:
        give_everybody(credits="100/month;rollover=0..1000")
        override(acme, 10, NOW + 32 * DAY, until=NOW + 70 * DAY)
        for day in range(33, 120, 5):
            look(acme, NOW + day * DAY, looked)
        assert balance(acme, NOW + 120 * DAY) == 400

    @looked
    def test_a_default_plan_published_anew_counts_from_then_on(self, acme: Tenant, looked: bool) -> None:
        give_everybody(credits="100/month;rollover=0..1000")
        look(acme, NOW)
        look(acme, NOW + 69 * DAY, looked)
        publish("10/month", NOW + 70 * DAY)
        assert balance(acme, NOW + 70 * DAY) == 300

    @looked
    def test_and_what_it_gives_more_is_given_at_once(self, acme: Tenant, looked: bool) -> None:
        give_everybody(credits="10/month;rollover=0..1000")
        look(acme, NOW)
        publish("100/month;rollover=0..1000", NOW + 20 * DAY)
        look(acme, NOW + 21 * DAY, looked)
        assert balance(acme, NOW + 40 * DAY) == 200

    @looked
    def test_another_default_plan_as_well(self, acme: Tenant, looked: bool) -> None:
        give_everybody(credits="100/month;rollover=0..1000")
        look(acme, NOW)
        look(acme, NOW + 69 * DAY, looked)
        catalogue.publish_plan(key="bare", grants={}, actor=SOMEBODY, now=NOW)
        catalogue.set_default_plan(key="bare", actor=SOMEBODY, now=NOW + 70 * DAY)
        assert balance(acme, NOW + 71 * DAY) == 300
        assert balance(acme, NOW + 100 * DAY) == 0

    def test_what_is_no_wallet_opens_none(self, acme: Tenant) -> None:
        define("api-calls")
        give_everybody(api_calls="100/month")
        set_override(
            tenant=acme, feature="api-calls", grant=Grant(limit=1), reason="w", until=None, actor=SOMEBODY, now=NOW
        )
        assert not Account.objects.exists()


class TestSince:
    def test_a_default_plan_gives_credits_since_it_grants_them(self, acme: Tenant) -> None:
        define("api-calls")
        give_everybody(api_calls="100/month")
        publish("10/month;rollover=0..1000", NOW + 100 * DAY)
        assert balance(acme, NOW + 101 * DAY) == 10

    def test_from_its_last_version_on_that_did_not(self, acme: Tenant) -> None:
        give_everybody(credits="10/month;rollover=0..1000")
        catalogue.publish_plan(key="free", grants={}, actor=SOMEBODY, now=NOW + 80 * DAY)
        publish("10/month;rollover=0..1000", NOW + 100 * DAY)
        publish("11/month;rollover=0..1000", NOW + 101 * DAY)
        since = plans.entitlements(acme, now=NOW + 102 * DAY)["credits"].since
        assert since == NOW + 100 * DAY

    def test_of_a_plan_chosen_later_since_it_was_chosen(self, acme: Tenant) -> None:
        catalogue.publish_plan(key="free", grants={}, actor=SOMEBODY, now=NOW)
        publish("10/month", NOW + DAY)
        catalogue.set_default_plan(key="free", actor=SOMEBODY, now=NOW + 9 * DAY)
        assert plans.entitlements(acme, now=NOW + 9 * DAY)["credits"].since == NOW + 9 * DAY


class TestEveryNight:
    def test_one_damaged_wallet_does_not_keep_the_others(self, acme: Tenant) -> None:
        give_everybody(credits="10/month")
        other, later = make_tenant("other", ready=False), NOW + 40 * DAY
        asked = {"feature": "credits", "amount": 2, "actor": SOMEBODY, "plan": None}
        credits.grant(tenant=acme, reason="why", now=NOW, **asked)
        credits.reserve(tenant=acme, expires_at=NOW + DAY, now=NOW, **asked)
        Reservation.objects.update(parts=[[str(acme.pk), 2]])
        settling.settle(tenants=[acme, other], now=later)
        assert Account.objects.get(tenant_uuid=other.pk).settled_at == later
        assert Alert.objects.open().get(code=settling.WALLET_NOT_SETTLED).subject == acme.subject

    def test_one_that_cannot_be_written_does_not_either(self, acme: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
        give_everybody(credits="10/month")
        other = make_tenant("other", ready=False)
        whole = credits.settle

        def settle(**asked: object) -> int:
            if asked["tenant"] == acme:
                raise RuntimeError("damaged")
            return whole(**asked)  # type: ignore[arg-type]

        monkeypatch.setattr(credits, "settle", settle)
        settling.settle(tenants=[acme, other], now=NOW)
        assert [each.tenant_uuid for each in Account.objects.all()] == [other.pk]
        (alert,) = Alert.objects.open().filter(code=settling.WALLET_NOT_SETTLED)
        assert alert.subject == acme.subject and "damaged" in alert.message

        monkeypatch.setattr(credits, "settle", whole)
        settling.settle(tenants=[acme, other], now=NOW)
        assert not Alert.objects.open().filter(code=settling.WALLET_NOT_SETTLED).exists()

    def test_a_wallet_with_nothing_to_book_is_only_read(self, acme: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
        give_everybody(credits="10/month")
        look(acme, NOW)
        monkeypatch.setattr(credits, "settle", lambda **asked: pytest.fail("it was locked"))
        look(acme, NOW + DAY)
        snapshot.kept.clear()
        assert Account.objects.get().settled_at == NOW
        assert LedgerEntry.objects.count() == 1


def test_a_broken_wallet_does_not_keep_a_default_plan_from_being_chosen(
    acme: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    give_everybody(credits="10/month")
    look(acme, NOW)
    monkeypatch.setattr(credits, "settle", lambda **asked: 1 // 0)
    publish("20/month", NOW + DAY)
    assert plans.entitlements(acme, now=NOW + DAY)["credits"].limit == 20
    assert Alert.objects.open().filter(code=settling.WALLET_NOT_SETTLED, subject=acme.subject).exists()
