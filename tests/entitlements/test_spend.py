"""Paying for actions with credits."""

from datetime import timedelta

import pytest
from django.db import transaction

from apps.core.errors import IdempotencyKeyReused, UnknownReservation
from apps.credits import registry as credit_types
from apps.credits import services as credits
from apps.credits.errors import UnknownCreditType, UnusableAmount, UnusableKey, UnusableText
from apps.credits.models import LedgerEntry
from apps.credits.types import CreditType
from apps.entitlements.decisions import Reason
from apps.entitlements.errors import InvalidRequest
from apps.entitlements.facade import check, confirm, consume, release_reservation, reserve, spend
from apps.entitlements.reserving import ORDINARY_TIME
from apps.plans.terms import Kind
from apps.tenants.models import State, Tenant
from apps.usage.errors import UnusableKey as UnusableUsageKey
from apps.usage.models import UsageEvent
from tests.entitlements.granting import define, fresh, give_everybody
from tests.factories import NOW, SOMEBODY


@pytest.fixture(autouse=True)
def prices(monkeypatch: pytest.MonkeyPatch) -> None:
    """What actions cost here."""
    monkeypatch.setattr(credit_types, "_defined", {})
    credit_types.define(CreditType("report", "Report", amount=4))
    credit_types.define(CreditType("export", "Export", amount=4, usage_feature="exports"))


@pytest.fixture
def rich(acme: Tenant) -> Tenant:
    """A tenant with ten credits a month, of which at most three are kept, and two exports."""
    define("credits", Kind.CREDITS)
    define("exports")
    give_everybody(credits="10/month;rollover=0..3", exports="2/month")
    return fresh(acme)


class TestSpending:
    def test_charges_and_tells(self, rich: Tenant) -> None:
        decision = spend(tenant=rich, credit_type="report", actor=SOMEBODY, object_ref="/app/1", now=NOW)

        assert (decision.has_access, decision.used, decision.limit, decision.remaining) == (True, 4, 10, 6)
        assert decision.requested == 4
        entry = LedgerEntry.objects.get(kind="burn")
        assert (entry.amount, entry.balance_after, entry.object_ref, entry.credit_type) == (-4, 6, "/app/1", "report")

    def test_is_refused_when_not_enough_is_left(self, rich: Tenant) -> None:
        spend(tenant=rich, credit_type="report", times=2, actor=SOMEBODY, now=NOW)
        decision = spend(tenant=rich, credit_type="report", actor=SOMEBODY, now=NOW)
        assert (decision.has_access, decision.reason, decision.remaining) == (False, Reason.INSUFFICIENT_CREDITS, 2)
        assert decision.message == "Not enough credits: 4 needed, 2 left."

    def test_comes_back_with_the_next_period_and_keeps_a_little(self, rich: Tenant) -> None:
        spend(tenant=rich, credit_type="report", actor=SOMEBODY, now=NOW)
        decision = check(tenant=rich, feature="credits", requested=14, now=NOW + timedelta(days=31))
        assert (decision.has_access, decision.remaining) == (False, 13)

    def test_repeated_it_charges_once(self, rich: Tenant) -> None:
        calls = [
            spend(tenant=rich, credit_type="report", idempotency_key="one", actor=SOMEBODY, now=NOW) for _ in range(3)
        ]
        assert calls[0] == calls[1] == calls[2]
        assert LedgerEntry.objects.filter(kind="burn").count() == 1

    def test_bought_credits_are_spent_without_any_plan(self, acme: Tenant) -> None:
        define("credits", Kind.CREDITS)
        assert spend(tenant=acme, credit_type="report", actor=SOMEBODY, now=NOW).reason == Reason.INSUFFICIENT_CREDITS
        credits.grant(
            tenant=acme,
            feature="credits",
            amount=5,
            category="paid",
            reason="bought",
            actor=SOMEBODY,
            plan=None,
            now=NOW,
        )
        assert spend(tenant=acme, credit_type="report", actor=SOMEBODY, now=NOW).remaining == 1

    def test_suspended_tenants_spend_nothing(self, rich: Tenant) -> None:
        Tenant.objects.update(state=State.SUSPENDED)
        decision = spend(tenant=fresh(rich), credit_type="report", actor=SOMEBODY, now=NOW)
        assert decision.reason == Reason.TENANT_SUSPENDED

    def test_there_is_no_such_type(self, rich: Tenant) -> None:
        with pytest.raises(UnknownCreditType, match="export, report"):
            spend(tenant=rich, credit_type="flight", actor=SOMEBODY, now=NOW)

    def test_overdraft_where_the_plan_is_soft(self, acme: Tenant) -> None:
        define("credits", Kind.CREDITS)
        give_everybody(credits="10/month;soft")
        decision = spend(tenant=fresh(acme), credit_type="report", times=3, actor=SOMEBODY, now=NOW)
        assert (decision.has_access, decision.reason, decision.remaining) == (True, Reason.OVER_SOFT_LIMIT, 0)


class TestUsageBesides:
    def test_both_are_booked(self, rich: Tenant) -> None:
        spend(tenant=rich, credit_type="export", actor=SOMEBODY, now=NOW)
        assert check(tenant=rich, feature="exports", now=NOW).used == 1
        assert check(tenant=rich, feature="credits", now=NOW).remaining == 6

    def test_neither_where_the_credits_do_not_suffice(self, rich: Tenant) -> None:
        spend(tenant=rich, credit_type="report", times=2, actor=SOMEBODY, now=NOW)
        with transaction.atomic():
            decision = spend(tenant=rich, credit_type="export", actor=SOMEBODY, now=NOW)
            assert decision.reason == Reason.INSUFFICIENT_CREDITS
            assert check(tenant=rich, feature="exports", now=NOW).used == 0

    def test_neither_where_the_limit_is_reached(self, rich: Tenant) -> None:
        spend(tenant=rich, credit_type="export", times=2, actor=SOMEBODY, now=NOW)
        credits.grant(tenant=rich, feature="credits", amount=50, reason="gift", actor=SOMEBODY, plan=None, now=NOW)
        decision = spend(tenant=rich, credit_type="export", actor=SOMEBODY, now=NOW)
        assert (decision.reason, decision.feature) == (Reason.LIMIT_EXCEEDED, "exports")
        assert LedgerEntry.objects.filter(credit_type="export", kind="burn").count() == 1


@pytest.mark.parametrize(("feature", "limit"), [("credits", 10), ("exports", 2)])
class TestReserving:
    def test_confirmed(self, rich: Tenant, feature: str, limit: int) -> None:
        made = reserve(tenant=rich, feature=feature, amount=2, actor=SOMEBODY, now=NOW)
        assert check(tenant=rich, feature=feature, now=NOW).remaining == limit - 2
        confirm(tenant=rich, reservation=made.reservation, amount=1, actor=SOMEBODY, now=NOW)
        assert check(tenant=rich, feature=feature, now=NOW).remaining == limit - 1

    def test_released(self, rich: Tenant, feature: str, limit: int) -> None:
        made = reserve(tenant=rich, feature=feature, amount=2, actor=SOMEBODY, now=NOW)
        release_reservation(tenant=rich, reservation=made.reservation, actor=SOMEBODY, now=NOW)
        assert check(tenant=rich, feature=feature, now=NOW).remaining == limit

    def test_run_out(self, rich: Tenant, feature: str, limit: int) -> None:
        reserve(tenant=rich, feature=feature, amount=2, actor=SOMEBODY, now=NOW)
        assert check(tenant=rich, feature=feature, now=NOW + ORDINARY_TIME).remaining == limit

    def test_refused(self, rich: Tenant, feature: str, limit: int) -> None:
        made = reserve(tenant=rich, feature=feature, amount=limit + 1, actor=SOMEBODY, now=NOW)
        assert (made.decision.has_access, made.reservation) == (False, "")

    def test_of_somebody_else_or_nonsense(self, rich: Tenant, feature: str, limit: int) -> None:
        for nonsense in ("", "usage:", "other:00000000-0000-0000-0000-000000000000"):
            with pytest.raises(UnknownReservation):
                confirm(tenant=rich, reservation=nonsense, actor=SOMEBODY, now=NOW)


def at_the_price_of(amount: int, monkeypatch: pytest.MonkeyPatch, **other: str) -> None:
    monkeypatch.setattr(credit_types, "_defined", {})
    credit_types.define(CreditType("report", "Report", amount=amount, **other))


class TestRepeating:
    def test_repeats_also_after_the_price_has_changed(self, rich: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
        call = {"tenant": rich, "credit_type": "report", "idempotency_key": "one", "actor": SOMEBODY, "now": NOW}
        first = spend(**call)
        at_the_price_of(5, monkeypatch)
        assert spend(**call).remaining == first.remaining == 6
        at_the_price_of(4, monkeypatch, feature="tokens")
        define("tokens", Kind.CREDITS)
        assert spend(**{**call, "tenant": fresh(rich)}).remaining == 6
        with pytest.raises(IdempotencyKeyReused):
            spend(**call, times=2)

    def test_repeats_also_once_the_tenant_is_suspended(self, rich: Tenant) -> None:
        call = {"credit_type": "export", "actor": SOMEBODY, "now": NOW}
        first = spend(tenant=rich, idempotency_key="one", **call)
        aside = {"feature": "credits", "amount": 2, "idempotency_key": "two", "actor": SOMEBODY, "now": NOW}
        held = reserve(tenant=rich, **aside)
        Tenant.objects.update(state=State.SUSPENDED)
        closed = fresh(rich)
        assert spend(tenant=closed, idempotency_key="one", **call) == first
        assert reserve(tenant=closed, **aside) == held
        assert spend(tenant=closed, idempotency_key="new", **call).reason == Reason.TENANT_SUSPENDED
        refusal = reserve(tenant=closed, **{**aside, "idempotency_key": "new"})
        assert (refusal.decision.reason, refusal.reservation) == (Reason.TENANT_SUSPENDED, "")
        assert LedgerEntry.objects.count() == 3

    def test_the_key_of_the_usage_is_short_and_nobody_elses(self, rich: Tenant) -> None:
        spend(tenant=rich, credit_type="export", idempotency_key="k" * 300, actor=SOMEBODY, now=NOW)
        taken = consume(tenant=rich, feature="exports", idempotency_key="a/usage", actor=SOMEBODY, now=NOW)
        assert taken.used == 2
        decision = spend(tenant=rich, credit_type="export", idempotency_key="a", actor=SOMEBODY, now=NOW)
        assert decision.reason == Reason.LIMIT_EXCEEDED
        own = UsageEvent.objects.exclude(idempotency_key="a/usage").get().idempotency_key
        assert own and len(own) < 100
        with pytest.raises(UnusableUsageKey, match="does not begin with 'tenantry:'"):
            consume(tenant=rich, feature="exports", idempotency_key=own, actor=SOMEBODY, now=NOW)


class TestWhatCannotBeKept:
    @pytest.mark.parametrize("key", ["", "a\0b", "\ud800", "tenantry:1"])
    @pytest.mark.parametrize("kind", ["report", "export"])
    def test_a_key(self, rich: Tenant, key: str, kind: str) -> None:
        with pytest.raises((UnusableKey, UnusableUsageKey)):
            spend(tenant=rich, credit_type=kind, idempotency_key=key, actor=SOMEBODY, now=NOW)
        assert not LedgerEntry.objects.exists() and not UsageEvent.objects.exists()

    @pytest.mark.parametrize("text", ["a\0b", "\ud800"])
    def test_a_text(self, rich: Tenant, text: str) -> None:
        with pytest.raises(UnusableText):
            spend(tenant=rich, credit_type="report", object_ref=text, actor=SOMEBODY, now=NOW)
        with pytest.raises(UnknownCreditType):
            spend(tenant=rich, credit_type=text, actor=SOMEBODY, now=NOW)

    @pytest.mark.parametrize(("amount", "error"), [(0, InvalidRequest), (3, UnusableAmount)])
    def test_what_is_confirmed(self, rich: Tenant, amount: int, error: type[Exception]) -> None:
        reservation = reserve(tenant=rich, feature="credits", amount=2, actor=SOMEBODY, now=NOW).reservation
        with pytest.raises(error):
            confirm(tenant=rich, reservation=reservation, amount=amount, actor=SOMEBODY, now=NOW)
