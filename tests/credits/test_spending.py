"""Granting and spending, as the books tell of it."""

from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import pytest
from django.db import connection, transaction
from django.db.models import Q
from django.test.utils import CaptureQueriesContext

from apps.audit.models import Entry
from apps.core.actors import Actor
from apps.core.errors import IdempotencyKeyReused
from apps.core.periods import add_months
from apps.credits import selectors, services
from apps.credits.errors import (
    NotEnoughCredits,
    NothingLeft,
    UnknownGrant,
    UnusableAmount,
    UnusableGrant,
    UnusableKey,
    UnusableText,
)
from apps.credits.models import Account, Grant, LedgerEntry, LowBalance, Operation
from apps.credits.types import Category, Outcome
from apps.credits.verifying import verify
from tests.credits.conftest import PRO, Purse
from tests.factories import NOW

DAY = timedelta(days=1)
NEXT = add_months(NOW, 1)


class TestSpending:
    def test_it_charges_and_tells(self, purse: Purse) -> None:
        purse.grant(10)
        spent = purse.spend(3)
        assert (spent.outcome, spent.balance, spent.used, spent.limit) == (Outcome.BOOKED, 7, 3, 10)
        assert purse.entries() == [("grant", 10, 10), ("burn", -3, 7)]

    def test_the_entry_names_who_what_for_and_links_to_it(self, purse: Purse) -> None:
        purse.grant(10)
        ann = Actor.person(username="ann")
        spent = purse.spend(2, actor=ann, credit_type="credit-project-creation", object_ref="/app/projects/7/")
        entry = LedgerEntry.objects.get(kind="burn")
        assert (entry.actor, entry.credit_type, entry.object_ref) == (
            "ann",
            "credit-project-creation",
            "/app/projects/7/",
        )
        assert entry.operation_id == spent.operation_id
        assert entry.grant_id == Grant.objects.get().id

    def test_what_is_not_there_is_refused_and_leaves_nothing_behind(self, purse: Purse) -> None:
        purse.grant(5)
        spent = purse.spend(6, key="order-1")
        assert (spent.outcome, spent.balance, spent.operation_id) == (Outcome.REFUSED, 5, None)
        assert purse.entries() == [("grant", 5, 5)] and Operation.objects.count() == 1
        purse.grant(1)
        assert purse.spend(6, key="order-1").outcome == Outcome.BOOKED

    def test_a_refusal_leaves_the_callers_transaction_usable(self, purse: Purse) -> None:
        with transaction.atomic():
            assert purse.spend(1).outcome == Outcome.REFUSED
            purse.grant(1)
            assert purse.spend(1).outcome == Outcome.BOOKED
        assert purse.balance().amount == 0

    def test_what_costs_nothing_is_booked_without_an_entry(self, purse: Purse) -> None:
        assert purse.spend(0, credit_type="free").outcome == Outcome.BOOKED
        assert (purse.entries(), Operation.objects.get().credit_type) == ([], "free")

    @pytest.mark.parametrize("amount", [-1, 10**15 + 1, 1.5, True, "3"])
    def test_what_is_no_number_of_credits_is_an_error_that_names_it(self, purse: Purse, amount: int) -> None:
        with pytest.raises(UnusableAmount, match=str(amount)):
            purse.spend(amount)

    def test_wallets_of_other_tenants_and_features_are_others(self, purse: Purse) -> None:
        purse.grant(10)
        assert Purse().spend(1).outcome == Outcome.REFUSED
        assert Purse(tenant=purse.tenant, feature="tokens").spend(1).outcome == Outcome.REFUSED


class TestOneKey:
    def test_answers_as_the_first_time_and_books_once(self, purse: Purse) -> None:
        purse.grant(10)
        first = purse.spend(3, key="order-1")
        purse.spend(4)
        again = purse.spend(3, key="order-1")
        assert again == replace(first, outcome=Outcome.REPEATED)
        assert purse.entries()[1:] == [("burn", -3, 7), ("burn", -4, 3)]

    @pytest.mark.parametrize("other", [{"amount": 4}, {"credit_type": "task"}, {"object_ref": "/app/2/"}])
    def test_with_another_call_is_an_error_after_which_the_transaction_goes_on(
        self, purse: Purse, other: dict[str, object]
    ) -> None:
        purse.grant(10)
        purse.spend(3, key="order-1")
        with transaction.atomic():
            with pytest.raises(IdempotencyKeyReused, match="order-1"):
                purse.spend(**{"amount": 3, "key": "order-1", **other})  # type: ignore[arg-type]
            purse.spend(1)
        assert purse.balance().amount == 6

    def test_is_the_tenants_whatever_the_wallet_and_the_kind_of_call(self, purse: Purse) -> None:
        purse.grant(10, key="k")
        with pytest.raises(IdempotencyKeyReused, match="grant 10 of credits"):
            Purse(tenant=purse.tenant, feature="tokens").grant(10, key="k")
        with pytest.raises(IdempotencyKeyReused):
            purse.spend(10, key="k")
        assert Purse().grant(10, key="k").outcome == Outcome.BOOKED

    def test_too_long_for_the_column_counts_as_well(self, purse: Purse) -> None:
        first = purse.grant(10, key="k" * 1000)
        assert purse.grant(10, key="k" * 1000) == replace(first, outcome=Outcome.REPEATED)
        assert purse.grant(10, key="k" * 1001).outcome == Outcome.BOOKED

    def test_of_a_grant_is_kept_too_whenever_it_comes_again(self, purse: Purse) -> None:
        first = purse.grant(10, key="invoice-1", expires_at=NOW + 9 * DAY)
        again = purse.grant(10, key="invoice-1", expires_at=NOW + 9 * DAY, now=NOW + DAY)
        assert again == replace(first, outcome=Outcome.REPEATED)
        assert purse.balance().amount == 10


class TestGranting:
    def test_a_grant_is_in_the_ledger_and_in_the_audit(self, purse: Purse) -> None:
        made = purse.grant(1500, category=Category.PAID, expires_at=NEXT, reason="invoice 17")
        entry = Entry.objects.get()
        assert (entry.action, entry.subject, entry.reason) == ("tenant.credits_granted", "tenant:acme", "invoice 17")
        assert entry.after["credits"] == "1,500 paid, until 2026-04-01 12:00 UTC"
        assert LedgerEntry.objects.get().grant_id == made.grant_id

    def test_a_scheduled_one_counts_from_its_moment(self, purse: Purse) -> None:
        purse.grant(10, effective_at=NOW + DAY)
        assert purse.balance().amount == 0 and purse.balance().grants[0].is_scheduled
        assert purse.spend(1).outcome == Outcome.REFUSED
        assert purse.balance(now=NOW + DAY).amount == 10
        assert purse.spend(4, now=NOW + DAY).balance == 6
        assert purse.entries() == [("grant", 10, 10), ("burn", -4, 6)]

    @pytest.mark.parametrize(
        ("given", "told"),
        [
            ({"category": "plan"}, "'plan'"),
            ({"category": "gift"}, "'gift'"),
            ({"priority": 101}, "101"),
            ({"reason": " "}, "why"),
            ({"expires_at": NOW}, "2026-03-01 12:00:00"),
            ({"effective_at": NOW + 2 * DAY, "expires_at": NOW + DAY}, "before it began"),
        ],
    )
    def test_what_cannot_be_granted_is_told(self, purse: Purse, given: dict[str, object], told: str) -> None:
        with pytest.raises(UnusableGrant, match=told):
            purse.grant(1, **given)

    def test_voiding_takes_back_what_is_left(self, purse: Purse) -> None:
        made = purse.grant(10)
        purse.spend(3)
        assert purse.void(made.grant_id).balance == 0
        assert purse.entries()[-1] == ("void", -7, 0)
        with pytest.raises(NothingLeft):
            purse.void(made.grant_id)

    def test_a_scheduled_one_is_voided_without_an_entry(self, purse: Purse) -> None:
        made = purse.grant(10, effective_at=NOW + DAY)
        with pytest.raises(UnusableGrant, match="void it"):
            purse.expire(made.grant_id)
        purse.void(made.grant_id)
        assert (purse.entries(), purse.balance(now=NOW + DAY).amount) == ([], 0)

    def test_one_can_be_let_expire_before_its_time(self, purse: Purse) -> None:
        made = purse.grant(10, expires_at=NEXT)
        purse.expire(made.grant_id)
        assert purse.entries()[-1] == ("expire", -10, 0)
        with pytest.raises(NothingLeft):
            purse.expire(made.grant_id)

    def test_another_tenants_is_unknown(self, purse: Purse) -> None:
        made = purse.grant(10)
        with pytest.raises(UnknownGrant, match=str(made.grant_id)):
            Purse().void(made.grant_id)

    def test_a_balance_is_corrected_upwards_and_downwards(self, purse: Purse) -> None:
        purse.adjust(10)
        purse.adjust(-4, key="k")
        assert purse.adjust(-4, key="k").outcome == Outcome.REPEATED
        assert purse.entries() == [("adjust", 10, 10), ("adjust", -4, 6)]
        assert (purse.balance().used, purse.balance().limit) == (0, 6)
        with pytest.raises(NotEnoughCredits, match="has 6 credits, so 7"):
            purse.adjust(-7)


class TestPlan:
    @pytest.fixture(autouse=True)
    def pro(self, purse: Purse) -> None:
        purse.plan = PRO

    def test_what_it_gives_is_there_without_anything_having_run(self, purse: Purse) -> None:
        balance = purse.balance()
        assert (balance.amount, balance.limit, balance.next_grant_at) == (10, 10, NEXT)
        assert not Account.objects.exists()
        assert purse.spend(3).balance == 7
        assert purse.entries() == [("grant", 10, 10), ("burn", -3, 7)]

    def test_what_is_read_is_what_is_booked_later(self, purse: Purse) -> None:
        purse.spend(3)
        read = purse.balance(now=add_months(NOW, 5) + DAY)
        services.settle(tenant=purse.tenant, feature="credits", plan=PRO, now=add_months(NOW, 5) + DAY)
        assert (read.amount, Account.objects.get().balance) == (14, 14)
        booked = purse.balance(now=add_months(NOW, 5) + DAY)
        assert [(each.category, each.remaining) for each in booked.grants] == [("rollover", 4), ("plan", 10)]
        assert replace(booked, grants=()) == replace(read, grants=())

    def test_time_is_told_as_its_own_doing(self, purse: Purse) -> None:
        purse.spend(3)
        purse.spend(1, now=NEXT)
        told = LedgerEntry.objects.filter(at=NEXT).order_by("seq").values_list("kind", "actor", "operation_id")
        assert [each[:2] for each in told] == [
            ("rollover", "time passed"),
            ("expire", "time passed"),
            ("rollover", "time passed"),
            ("grant", "time passed"),
            ("burn", "somebody"),
        ]
        assert [each[2] is None for each in told] == [True] * 4 + [False]

    def test_an_act_before_what_is_settled_keeps_its_time_and_meets_the_present_state(self, purse: Purse) -> None:
        purse.spend(3, now=NEXT)
        purse.spend(2, now=NOW)
        entry = LedgerEntry.objects.order_by("-seq")[0]
        assert (entry.at, entry.balance_after, Account.objects.get().settled_at) == (NOW, 5, NEXT)

    def test_a_soft_one_lets_the_wallet_be_overdrawn_and_the_next_period_settles_it(self, purse: Purse) -> None:
        purse.plan = replace(PRO, overdraft=True)
        spent = purse.spend(13)
        assert (spent.balance, spent.used, spent.limit) == (-3, 13, 10)
        assert purse.balance(now=NEXT).amount == 7
        assert verify() == []

    def test_thresholds_are_told_once_in_each_period(self, purse: Purse) -> None:
        for amount, now in ((7, NOW), (1, NOW), (1, NOW), (1, NOW), (9, NEXT)):
            purse.spend(amount, now=now)
        told = LowBalance.objects.order_by("at", "balance").values_list("threshold", "balance", "at")
        assert list(told) == [("100", 0, NOW), ("80", 2, NOW), ("80", 1, NEXT)]
        newest_first = selectors.low_balances(tenant=purse.tenant, since=NEXT)
        assert [(each.threshold, each.used, each.limit) for each in newest_first] == [("80", 9, 10)]


class TestLowBalance:
    def told(self) -> list[tuple[str, int]]:
        return sorted(LowBalance.objects.values_list("threshold", "balance"))

    def test_of_what_was_bought_without_a_plan(self, purse: Purse) -> None:
        purse.grant(100)
        purse.spend(79)
        assert self.told() == []
        purse.spend(1)
        purse.spend(20)
        assert self.told() == [("100", 0), ("80", 20)]

    def test_and_again_once_more_was_bought(self, purse: Purse) -> None:
        for day, amount in ((0, 85), (1, 95)):
            purse.grant(100, now=NOW + day * DAY)
            purse.spend(amount, now=NOW + day * DAY)
        assert self.told() == [("80", 15), ("80", 20)]

    def test_whatever_became_of_the_credits(self, purse: Purse) -> None:
        for feature, gone in (("a", "adjust"), ("b", "void"), ("c", "expire"), ("d", "time")):
            other = Purse(tenant=purse.tenant, feature=feature)
            granted = other.grant(10, expires_at=NOW + DAY)
            if gone == "adjust":
                other.adjust(-10)
            elif gone == "time":
                services.settle(tenant=purse.tenant, feature=feature, plan=None, now=NOW + DAY)
            else:
                getattr(other, gone)(granted.grant_id)
            assert LowBalance.objects.filter(feature=feature, threshold="100", balance=0).exists(), gone

    def test_in_the_periods_of_a_plan_too(self, purse: Purse) -> None:
        purse.plan = PRO
        purse.spend(1)
        purse.adjust(-8)
        assert self.told() == [("80", 1)]


def test_a_late_grant_that_is_over_already_gives_nothing(purse: Purse) -> None:
    services.settle(tenant=purse.tenant, feature="credits", plan=None, now=NOW + 2 * DAY)
    assert purse.grant(9, expires_at=NOW + DAY).balance == 0 == purse.balance().amount
    assert verify() == []


@pytest.mark.parametrize(
    "given", [{"reason": "a\0b"}, {"key": ""}, {"key": "a\0b"}, {"key": "\ud800"}, {"key": "tenantry:1"}]
)
def test_what_cannot_be_kept_is_refused(purse: Purse, given: dict[str, str]) -> None:
    with pytest.raises((UnusableKey, UnusableText)):
        purse.grant(1, **given)
    assert purse.grant(1).balance == 1


def fields_of(grant: Grant) -> dict[str, object]:
    return {each.attname: getattr(grant, each.attname) for each in Grant._meta.concrete_fields if each.name != "pk"}


class TestStatements:
    def count(self, purse: Purse, **given: object) -> int:
        with CaptureQueriesContext(connection) as log:
            purse.spend(1, **given)
        return len(log.captured_queries)

    def test_spending_takes_as_many_however_many_grants_there_were(self, purse: Purse) -> None:
        purse.grant(5)
        few = self.count(purse, key="a")
        for _ in range(20):
            purse.grant(1)
        purse.spend(12)
        assert self.count(purse, key="b") == few == 9

    def test_and_as_many_however_many_it_touches(self, purse: Purse) -> None:
        for _ in range(20):
            purse.grant(1)
        with CaptureQueriesContext(connection) as log:
            purse.spend(20)
        # One of them tells that the wallet is empty.
        assert len(log.captured_queries) == 9
        assert len(purse.entries()) == 40

    def test_grants_of_which_nothing_is_left_are_not_looked_through(self, purse: Purse) -> None:
        purse.grant(1)
        spent = Grant(tenant_uuid=purse.tenant.pk, feature="credits", category="paid", amount=1, remaining=0)
        spent.effective_at = spent.created_at = spent.counted_at = NOW
        Grant.objects.bulk_create([Grant(**{**fields_of(spent), "id": uuid4()}) for _ in range(500)])
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE credits_grant")
        live = Grant.objects.filter(Q(remaining__gt=0) | Q(held__gt=0), tenant_uuid=purse.tenant.pk, feature="credits")
        assert "credits_live_grants" in live.explain()

    def test_a_refusal_takes_hardly_any(self, purse: Purse) -> None:
        purse.grant(1)
        with CaptureQueriesContext(connection) as log:
            purse.spend(2)
        assert len(log.captured_queries) == 4

    def test_any_number_of_balances_takes_one(self, purse: Purse) -> None:
        tenants = [Purse() for _ in range(5)]
        for number, each in enumerate(tenants):
            each.grant(number + 1)
        plans = {(each.tenant.pk, "credits"): None for each in tenants} | {(uuid4(), "credits"): PRO}
        with CaptureQueriesContext(connection) as log:
            found = selectors.balances(plans=plans, now=NOW)
        assert [each.amount for each in found.values()] == [1, 2, 3, 4, 5, 10]
        assert len(log.captured_queries) == 1


class TestReading:
    def test_the_ledger_comes_in_pages_newest_first(self, purse: Purse) -> None:
        purse.grant(10)
        for number in range(5):
            purse.spend(1, object_ref=f"/{number}/", credit_type="task" if number % 2 else "project")
        page = selectors.ledger(tenant=purse.tenant, feature="credits", size=4)
        assert [each.seq for each in page.entries] == [6, 5, 4, 3]
        last = selectors.ledger(tenant=purse.tenant, feature="credits", size=4, before=page.before)
        assert ([each.seq for each in last.entries], last.before) == ([2, 1], None)

    def test_it_can_be_searched(self, purse: Purse) -> None:
        purse.grant(10)
        purse.spend(1, credit_type="task", object_ref="/1/", actor=Actor.person(username="ann"), now=NOW + DAY)
        purse.spend(1, credit_type="project", now=NOW + 2 * DAY)

        def found(**filters: object) -> list[int]:
            page = selectors.ledger(tenant=purse.tenant, feature="credits", **filters)  # type: ignore[arg-type]
            return [each.seq for each in page.entries]

        assert found(kinds=["grant"]) == [1]
        assert found(credit_type="task") == found(object_ref="/1/") == found(actor="ann") == [2]
        assert found(since=NOW + DAY, until=NOW + 2 * DAY) == [2]

    def test_grants_are_listed_also_when_nothing_is_left(self, purse: Purse) -> None:
        purse.grant(1)
        purse.spend(1)
        assert [each.remaining for each in selectors.grants(tenant=purse.tenant, feature="credits")] == [0]
        assert purse.balance().grants == ()

    def test_the_next_expiry_is_that_of_what_is_left(self, purse: Purse) -> None:
        purse.grant(1, expires_at=NOW + DAY)
        purse.grant(1, expires_at=NOW + 2 * DAY)
        assert purse.balance().next_expiry == NOW + DAY
        purse.spend(1)
        assert purse.balance().next_expiry == NOW + 2 * DAY


def test_whoever_acts_may_have_a_long_name(purse: Purse) -> None:
    purse.grant(1, actor=Actor.person(username="a" * 500))
    assert len(LedgerEntry.objects.get().actor) == 200
