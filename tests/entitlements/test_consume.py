"""Booking what is used, through the facade."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from django.db import OperationalError, connection, transaction
from django.test.utils import CaptureQueriesContext

from apps.core.errors import IdempotencyKeyReused
from apps.entitlements import snapshot
from apps.entitlements.decisions import Reason
from apps.entitlements.errors import CountedFromModel, EntityIsBooked, InvalidRequest, WrongKind
from apps.entitlements.facade import check, consume, ingest, release, usage_set
from apps.entitlements.ingesting import Report
from apps.entitlements.selectors import registry_totals
from apps.entitlements.services import set_total
from apps.entitlements.types import Source
from apps.plans.overriding import set_override
from apps.plans.resolution import Grant
from apps.plans.terms import Kind
from apps.tenants.models import State, Tenant
from apps.usage.errors import NotReleasable, TooFarAhead, TooOld, UnusableMoment
from apps.usage.models import UsageEvent
from tests.entitlements.granting import define, fresh, give_everybody
from tests.factories import NOW, SOMEBODY, make_tenant
from tests.support import databases


@pytest.fixture
def calls(acme: Tenant) -> Tenant:
    """A tenant with ten calls a month."""
    define("api-calls")
    give_everybody(api_calls="10/month")
    return fresh(acme)


class TestConsuming:
    def test_up_to_the_limit(self, calls: Tenant) -> None:
        first = consume(tenant=calls, feature="api-calls", amount=7, actor=SOMEBODY, now=NOW)
        second = consume(tenant=calls, feature="api-calls", amount=4, actor=SOMEBODY, now=NOW)
        third = consume(tenant=calls, feature="api-calls", amount=3, actor=SOMEBODY, now=NOW)

        assert (first.has_access, first.used, first.remaining) == (True, 7, 3)
        assert (second.has_access, second.reason, second.used) == (False, Reason.LIMIT_EXCEEDED, 7)
        assert second.message == "The limit for api calls is reached: 7 of 10 in use."
        assert (third.has_access, third.used, third.remaining) == (True, 10, 0)
        assert UsageEvent.objects.count() == 2

    def test_is_one_statement(self, calls: Tenant) -> None:
        consume(tenant=calls, feature="api-calls", actor=SOMEBODY, now=NOW)
        with transaction.atomic():
            check(tenant=calls, feature="api-calls", now=NOW)
        snapshot.kept.keep(calls.pk, snapshot.compiled(calls, now=NOW))
        with CaptureQueriesContext(connection) as queries:
            consume(tenant=calls, feature="api-calls", actor=SOMEBODY, now=NOW)
        assert len(queries) == 1

    def test_what_is_checked_is_what_is_enforced(self, calls: Tenant) -> None:
        consume(tenant=calls, feature="api-calls", amount=10, actor=SOMEBODY, now=NOW)
        decision = check(tenant=calls, feature="api-calls", now=NOW)
        assert (decision.has_access, decision.used, decision.limit) == (False, 10, 10)
        assert check(tenant=calls, feature="api-calls", requested=0, now=NOW).has_access

    def test_starts_anew_with_the_period(self, calls: Tenant) -> None:
        consume(tenant=calls, feature="api-calls", amount=10, actor=SOMEBODY, now=NOW)
        turn = NOW.replace(month=4)
        assert not consume(
            tenant=calls, feature="api-calls", actor=SOMEBODY, now=turn - timedelta(microseconds=1)
        ).has_access
        assert consume(tenant=calls, feature="api-calls", actor=SOMEBODY, now=turn).used == 1

    def test_backdated_into_its_own_period(self, calls: Tenant) -> None:
        late = NOW.replace(month=4) + timedelta(hours=1)
        decision = consume(tenant=calls, feature="api-calls", amount=9, actor=SOMEBODY, at=NOW, now=late)
        assert decision.resets_at == NOW.replace(month=4)
        assert check(tenant=calls, feature="api-calls", now=late).used == 0

    def test_over_a_soft_limit_it_is_told(self, acme: Tenant) -> None:
        define("api-calls")
        give_everybody(api_calls="10/month;soft")
        decision = consume(tenant=fresh(acme), feature="api-calls", amount=11, actor=SOMEBODY, now=NOW)
        assert (decision.has_access, decision.reason, decision.soft) == (True, Reason.OVER_SOFT_LIMIT, True)

    def test_an_override_counts_at_once(self, calls: Tenant) -> None:
        consume(tenant=calls, feature="api-calls", amount=10, actor=SOMEBODY, now=NOW)
        grant = Grant(limit=20)
        set_override(tenant=calls, feature="api-calls", grant=grant, reason="x", until=None, actor=SOMEBODY, now=NOW)
        assert consume(tenant=calls, feature="api-calls", amount=10, actor=SOMEBODY, now=NOW).used == 20

    def test_a_moment_that_cannot_be_booked(self, calls: Tenant) -> None:
        for at, error in (
            (datetime.min.replace(tzinfo=UTC), TooOld),
            (datetime.max.replace(tzinfo=UTC), TooFarAhead),
            (NOW.replace(tzinfo=None), UnusableMoment),
        ):
            with pytest.raises(error):
                consume(tenant=calls, feature="api-calls", at=at, actor=SOMEBODY, now=NOW)

    def test_one_report_that_is_wrong_stops_no_other(self, calls: Tenant) -> None:
        reports = [
            Report("api-calls", 1),
            Report("api-calls", 1, at=datetime.max.replace(tzinfo=UTC)),
            Report("api-calls", 0),
            Report("flying", 1),
            Report("users", 1),
            Report("api-calls", 11),
        ]
        found = ingest(tenant=calls, reports=reports, actor=SOMEBODY, now=NOW)
        assert [each.outcome for each in found] == ["booked", "invalid", "invalid", "invalid", "invalid", "booked"]
        assert "There is no feature 'flying'" in str(found[3].problem)
        assert check(tenant=calls, feature="api-calls", now=NOW).used == 12

    @pytest.mark.parametrize("amount", [0, -1, 1.5, True])
    def test_what_is_no_amount(self, calls: Tenant, amount: int) -> None:
        with pytest.raises(InvalidRequest):
            consume(tenant=calls, feature="api-calls", amount=amount, actor=SOMEBODY, now=NOW)


class TestRepeating:
    def test_gives_the_first_answer(self, calls: Tenant) -> None:
        def call() -> object:
            return consume(tenant=calls, feature="api-calls", amount=6, idempotency_key="one", actor=SOMEBODY, now=NOW)

        assert call() == call()
        assert UsageEvent.objects.count() == 1

    def test_with_another_payload_is_an_error_that_spoils_nothing(self, calls: Tenant) -> None:
        consume(tenant=calls, feature="api-calls", amount=6, idempotency_key="one", actor=SOMEBODY, now=NOW)
        with transaction.atomic():
            with pytest.raises(IdempotencyKeyReused, match="one"):
                consume(tenant=calls, feature="api-calls", amount=5, idempotency_key="one", actor=SOMEBODY, now=NOW)
            consume(tenant=calls, feature="api-calls", amount=4, actor=SOMEBODY, now=NOW)
        assert check(tenant=calls, feature="api-calls", now=NOW).used == 10

    def test_is_answered_as_before_when_the_tenant_may_no_more(self, calls: Tenant) -> None:
        consume(tenant=calls, feature="api-calls", amount=6, idempotency_key="one", actor=SOMEBODY, now=NOW)
        Tenant.objects.update(state=State.SUSPENDED)
        again = consume(
            tenant=fresh(calls), feature="api-calls", amount=6, idempotency_key="one", actor=SOMEBODY, now=NOW
        )
        new = consume(tenant=fresh(calls), feature="api-calls", amount=1, actor=SOMEBODY, now=NOW)
        assert (again.has_access, again.used) == (True, 6)
        assert (new.has_access, new.reason) == (False, Reason.TENANT_SUSPENDED)


class TestKinds:
    def test_a_switch_is_not_consumed(self, acme: Tenant) -> None:
        define("sso", Kind.SWITCH)
        give_everybody(sso="on")
        with pytest.raises(WrongKind, match="`check`"):
            consume(tenant=fresh(acme), feature="sso", actor=SOMEBODY, now=NOW)

    def test_what_a_model_counts_is_not_consumed(self, acme: Tenant) -> None:
        for call in (consume, release):
            with pytest.raises(CountedFromModel, match=r"accounts\.User"):
                call(tenant=acme, feature="users", actor=SOMEBODY, now=NOW)

    def test_there_is_no_such_feature(self, acme: Tenant) -> None:
        decision = consume(tenant=acme, feature="flying", actor=SOMEBODY, now=NOW)
        assert decision.reason == Reason.FEATURE_NOT_FOUND

    def test_not_in_the_plan(self, acme: Tenant) -> None:
        define("api-calls")
        decision = consume(tenant=acme, feature="api-calls", actor=SOMEBODY, now=NOW)
        assert (decision.reason, UsageEvent.objects.count()) == (Reason.NO_SUBSCRIPTION, 0)


class TestCounts:
    @pytest.fixture
    def boards(self, acme: Tenant) -> Tenant:
        """A tenant with three boards, which no model counts."""
        define("boards", Kind.COUNT)
        give_everybody(boards="3")
        return fresh(acme)

    def test_taken_and_given_back(self, boards: Tenant) -> None:
        consume(tenant=boards, feature="boards", amount=3, actor=SOMEBODY, now=NOW)
        assert not consume(tenant=boards, feature="boards", actor=SOMEBODY, now=NOW + timedelta(days=400)).has_access
        assert release(tenant=boards, feature="boards", amount=2, actor=SOMEBODY, now=NOW).used == 1
        assert consume(tenant=boards, feature="boards", amount=2, actor=SOMEBODY, now=NOW).used == 3

    def test_are_among_the_totals(self, boards: Tenant) -> None:
        consume(tenant=boards, feature="boards", amount=2, actor=SOMEBODY, now=NOW)
        totals = {each.entity: each for each in registry_totals(tenant=boards, now=NOW)}
        assert (totals["boards"].total, totals["boards"].source) == (2, Source.BOOKED)

    def test_begin_with_what_the_vendors_app_has_reported(self, boards: Tenant) -> None:
        set_total(tenant=boards, entity="boards", total=2, actor=SOMEBODY, now=NOW)
        assert check(tenant=boards, feature="boards", now=NOW).used == 2
        assert consume(tenant=boards, feature="boards", actor=SOMEBODY, now=NOW).used == 3
        assert not consume(tenant=boards, feature="boards", actor=SOMEBODY, now=NOW).has_access
        with pytest.raises(EntityIsBooked, match="booked by `consume`"):
            set_total(tenant=boards, entity="boards", total=2, actor=SOMEBODY, now=NOW)

    def test_more_than_there_are_cannot_be_given_back(self, boards: Tenant) -> None:
        consume(tenant=boards, feature="boards", actor=SOMEBODY, now=NOW)
        with pytest.raises(NotReleasable):
            release(tenant=boards, feature="boards", amount=2, actor=SOMEBODY, now=NOW)

    def test_what_is_used_up_is_not_given_back(self, calls: Tenant) -> None:
        with pytest.raises(WrongKind, match="correct"):
            release(tenant=calls, feature="api-calls", actor=SOMEBODY, now=NOW)


class TestGauges:
    def test_check_and_consume_judge_by_the_present_level(self, acme: Tenant) -> None:
        define("storage", aggregate="max")
        give_everybody(storage="10/month")
        tenant = fresh(acme)
        consume(tenant=tenant, feature="storage", amount=10, actor=SOMEBODY, now=NOW)
        release(tenant=tenant, feature="storage", amount=4, actor=SOMEBODY, now=NOW)
        assert check(tenant=tenant, feature="storage", requested=4, now=NOW).has_access
        assert not check(tenant=tenant, feature="storage", requested=5, now=NOW).has_access
        assert consume(tenant=tenant, feature="storage", amount=4, actor=SOMEBODY, now=NOW).has_access

    def test_told_altogether(self, acme: Tenant) -> None:
        define("storage", aggregate="max")
        give_everybody(storage="100/month")
        tenant = fresh(acme)
        usage_set(tenant=tenant, feature="storage", value=80, actor=SOMEBODY, now=NOW)
        over = usage_set(tenant=tenant, feature="storage", value=101, actor=SOMEBODY, now=NOW + timedelta(hours=1))
        less = usage_set(tenant=tenant, feature="storage", value=20, actor=SOMEBODY, now=NOW + timedelta(hours=2))
        assert (over.has_access, over.used) == (False, 80)
        assert (less.has_access, less.used) == (True, 80)


@pytest.mark.django_db(transaction=True)
class TestFailing:
    @pytest.fixture
    def stuck(self) -> Iterator[Tenant]:
        """A tenant whose counter somebody else holds, and whose plan lets pass what cannot be asked."""
        tenant = make_tenant(ready=False)
        define("api-calls")
        give_everybody(api_calls="10/month;open")
        tenant = fresh(tenant)
        consume(tenant=tenant, feature="api-calls", actor=SOMEBODY, now=NOW)
        with psycopg.connect(databases.url()) as other, connection.cursor() as cursor:
            other.execute("SELECT FROM usage_counter FOR UPDATE")
            cursor.execute("SET lock_timeout = '50ms'")
            yield tenant
        connection.close()

    def test_outside_of_a_transaction_the_plan_decides(self, stuck: Tenant) -> None:
        decision = consume(tenant=stuck, feature="api-calls", actor=SOMEBODY, now=NOW)
        assert (decision.has_access, decision.is_fallback) == (True, True)

    def test_within_one_the_error_goes_on_its_way(self, stuck: Tenant) -> None:
        # PostgreSQL would otherwise make the caller's COMMIT a ROLLBACK, and nobody would know.
        with transaction.atomic(), pytest.raises(OperationalError):
            consume(tenant=stuck, feature="api-calls", actor=SOMEBODY, now=NOW)
