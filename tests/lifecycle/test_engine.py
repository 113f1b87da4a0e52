"""The rules of a tenant's state, for any set of subscriptions."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.billing.types import Subscription
from apps.lifecycle.engine import HoldInForce, Rank, Standing, Verdict, standing, verdict
from apps.tenants.models import State

NOW = datetime(2026, 6, 1, tzinfo=UTC)
STATUSES = (
    "active",
    "trialing",
    "past_due",
    "unpaid",
    "paused",
    "canceled",
    "incomplete",
    "incomplete_expired",
)
moments = st.datetimes(datetime(2026, 1, 1), datetime(2026, 12, 31), timezones=st.just(UTC))


@st.composite
def subscriptions(draw: st.DrawFn) -> Subscription:
    return Subscription(
        id=f"sub_{draw(st.uuids())}",
        customer_id="cus_1",
        status=draw(st.sampled_from(STATUSES)),
        created=draw(moments),
        metadata={},
        items=(),
        cancel_at=draw(st.none() | moments),
        ended_at=draw(st.none() | moments),
    )


@st.composite
def standings(draw: st.DrawFn) -> list[Standing]:
    found = [
        standing(each, overdue_since=draw(st.none() | moments), past_due_days=21, now=NOW)
        for each in draw(st.lists(subscriptions(), max_size=6))
    ]
    return [each for each in found if each]


def judge(
    found: list[Standing], hold: HoldInForce | None = None, *, has_billing: bool = True, has_lived: bool = False
) -> Verdict:
    return verdict(found, hold=hold, has_billing=has_billing, has_lived=has_lived, now=NOW)


@given(standings(), st.randoms())
def test_the_order_of_subscriptions_does_not_matter(found: list[Standing], chance: "st.random") -> None:  # type: ignore[name-defined]
    shuffled = list(found)
    chance.shuffle(shuffled)
    assert judge(shuffled) == judge(found)


@given(standings())
def test_the_best_state_wins(found: list[Standing]) -> None:
    best = max((each.rank for each in found), default=None)
    expected = {
        None: State.REQUESTED,
        Rank.ACTIVE: State.APPROVED,
        Rank.PAST_DUE: State.FLAGGED,
        Rank.STOPPED: State.SUSPENDED,
        Rank.ENDED: State.SUSPENDED,
    }
    assert judge(found).state == expected[best]


@given(standings())
def test_only_the_best_count_for_limits_and_something_always_counts(found: list[Standing]) -> None:
    granting = {each.id for each in judge(found).granting}
    best = max((each.rank for each in found), default=None)
    assert granting <= {each.subscription.id for each in found if each.rank == best}
    assert bool(granting) == bool(found)


@given(standings(), moments)
def test_a_hold_wins_over_everything(found: list[Standing], until: datetime) -> None:
    judged = judge(found, HoldInForce(State.REJECTED, "Fraud", until))
    assert (judged.state, judged.description) == (State.REJECTED, "Fraud")
    assert judged.granting == judge(found).granting


@given(standings())
def test_the_next_look_is_in_the_future(found: list[Standing]) -> None:
    next_at = judge(found).next_at
    assert next_at is None or next_at > NOW


@given(subscriptions(), moments)
def test_between_now_and_the_next_look_the_clock_changes_nothing(subscription: Subscription, since: datetime) -> None:
    def at(moment: datetime) -> Verdict:
        found = standing(subscription, overdue_since=since, past_due_days=21, now=moment)
        return verdict([found] if found else [], hold=None, has_billing=True, has_lived=False, now=moment)

    judged = at(NOW)
    later = judged.next_at - timedelta(microseconds=1) if judged.next_at else NOW + timedelta(days=3650)
    assert (at(later).state, at(later).description) == (judged.state, judged.description)
    if judged.next_at:
        assert at(judged.next_at).state != judged.state or at(judged.next_at).description != judged.description


@pytest.mark.parametrize(
    ("age", "state"), [(timedelta(days=21), "suspended"), (timedelta(days=21, seconds=-1), "flagged")]
)
def test_the_grace_ends_to_the_second(age: timedelta, state: str) -> None:
    subscription = Subscription("sub_1", "cus_1", "past_due", NOW, {}, (), None, None)
    found = standing(subscription, overdue_since=NOW - age, past_due_days=21, now=NOW)
    assert found is not None
    assert found.state == state


def test_past_due_without_a_finalized_invoice_is_flagged_without_a_deadline() -> None:
    subscription = Subscription("sub_1", "cus_1", "past_due", NOW, {}, (), None, None)
    found = standing(subscription, overdue_since=None, past_due_days=21, now=NOW)
    assert found is not None
    assert (found.state, found.until) == (State.FLAGGED, None)


def test_a_tenant_made_by_hand_is_approved_without_any_subscription() -> None:
    assert judge([], has_billing=False).state == State.APPROVED
    assert judge([], has_billing=False, has_lived=True).state == State.APPROVED


def test_who_lived_by_a_subscription_that_stripe_has_lost_is_suspended_and_not_planned_to_be_deleted() -> None:
    found = judge([], has_lived=True)
    assert (found.state, found.description, found.ended_at) == (State.SUSPENDED, "Stripe subscription ended", None)


@given(standings())
def test_the_end_is_told_once_all_have_ended(found: list[Standing]) -> None:
    ended = [each.subscription for each in found if each.rank == Rank.ENDED]
    known = judge(found).ended_at
    assert (known is not None) == (bool(found) and len(ended) == len(found))
    assert known is None or known in {each.ended_at or each.cancel_at or each.created for each in ended}


def test_one_that_has_just_run_out_ended_later_than_one_that_was_cancelled_before() -> None:
    before = Subscription("sub_1", "cus_1", "canceled", NOW, {}, (), None, NOW - timedelta(days=200))
    just_now = Subscription("sub_2", "cus_1", "active", NOW - timedelta(days=400), {}, (), NOW, None)
    found = [standing(each, overdue_since=None, past_due_days=21, now=NOW) for each in (before, just_now)]
    assert judge([each for each in found if each]).ended_at == NOW
