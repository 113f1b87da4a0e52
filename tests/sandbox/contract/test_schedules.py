"""Subscription schedules: phases that follow each other on a test clock."""

from typing import Any

import pytest
import stripe

from tests.sandbox.contract.account import DAY, HOUR, NOW, WEEK, Account, item_of


@pytest.fixture
def clock(account: Account) -> stripe.test_helpers.TestClock:
    return account.clock()


@pytest.fixture
def customer(account: Account, clock: stripe.test_helpers.TestClock) -> str:
    return account.customer(test_clock=clock.id).id


def phase(price: stripe.Price, **given: Any) -> dict[str, Any]:
    return {"items": [{"price": price.id, "quantity": 1}], **given}


def weeks(count: int) -> dict[str, Any]:
    return {"duration": {"interval": "week", "interval_count": count}}


def schedule(account: Account, customer: str, *phases: Any, **given: Any) -> stripe.SubscriptionSchedule:
    asked: Any = {"customer": customer, "start_date": "now", "phases": list(phases), **given}
    return account.v1.subscription_schedules.create(asked)


def running(account: Account, made: stripe.SubscriptionSchedule) -> stripe.Subscription:
    return account.v1.subscriptions.retrieve(str(made.subscription))


def totals(account: Account, made: stripe.SubscriptionSchedule) -> list[int]:
    return [each.total for each in reversed(account.invoices(str(made.subscription)))]


def test_it_begins_now(account: Account, customer: str) -> None:
    made = schedule(account, customer, phase(account.price(), metadata={"a": "1"}, **weeks(2)))
    assert (made.status, made.end_behavior, made.customer) == ("active", "release", customer)
    assert (made.current_phase.start_date, made.current_phase.end_date) == (NOW, NOW + 2 * WEEK)
    subscription = running(account, made)
    assert (subscription.status, subscription.schedule) == ("active", made.id)
    assert subscription.metadata.to_dict() == {"a": "1"}
    assert totals(account, made) == [1000]


def test_it_begins_later(account: Account, clock: stripe.test_helpers.TestClock, customer: str) -> None:
    made = schedule(account, customer, phase(account.price(), **weeks(1)), start_date=NOW + DAY)
    assert (made.status, made.subscription, made.current_phase) == ("not_started", None, None)
    account.advance(clock, NOW + DAY + HOUR)

    def begun() -> stripe.SubscriptionSchedule | None:
        found = account.v1.subscription_schedules.retrieve(made.id)
        return found if found.status == "active" else None

    begun_schedule = account.until(begun, "the schedule has not begun")
    assert running(account, begun_schedule).start_date == NOW + DAY


def test_phases_follow_each_other(account: Account, clock: stripe.test_helpers.TestClock, customer: str) -> None:
    cheap, dear = account.price(), account.price(unit_amount=3000)
    made = schedule(account, customer, phase(cheap, **weeks(1)), phase(dear, **weeks(1)))
    account.advance(clock, NOW + WEEK + 2 * HOUR)
    subscription = account.status_becomes(str(made.subscription), "active")
    item = item_of(subscription)
    assert (item.price.id, item.current_period_start) == (dear.id, NOW + WEEK)
    assert totals(account, made) == [1000, 3000]
    current = account.v1.subscription_schedules.retrieve(made.id).current_phase
    assert (current.start_date, current.end_date) == (NOW + WEEK, NOW + 2 * WEEK)


def test_a_phase_within_a_period_is_prorated(
    account: Account, clock: stripe.test_helpers.TestClock, customer: str
) -> None:
    cheap, dear = account.price(), account.price(unit_amount=3000)
    made = schedule(account, customer, phase(cheap, end_date=NOW + WEEK // 2), phase(dear, end_date=NOW + 2 * WEEK))
    account.advance(clock, NOW + WEEK // 2 + HOUR)
    account.advance(clock, NOW + WEEK + 2 * HOUR)
    assert totals(account, made)[-1] == 3000 - 500 + 1500


def test_a_phase_can_leave_prorations_out(
    account: Account, clock: stripe.test_helpers.TestClock, customer: str
) -> None:
    cheap, dear = account.price(), account.price(unit_amount=3000)
    later = phase(dear, end_date=NOW + 2 * WEEK, proration_behavior="none")
    made = schedule(account, customer, phase(cheap, end_date=NOW + WEEK // 2), later)
    account.advance(clock, NOW + WEEK + 2 * HOUR)
    assert totals(account, made)[-1] == 3000


def test_a_phase_can_be_a_trial(account: Account, clock: stripe.test_helpers.TestClock, customer: str) -> None:
    price = account.price()
    made = schedule(account, customer, phase(price, trial=True, end_date=NOW + 5 * DAY), phase(price, **weeks(1)))
    assert running(account, made).status == "trialing"
    assert running(account, made).trial_end == NOW + 5 * DAY
    account.advance(clock, NOW + 5 * DAY + 2 * HOUR)
    account.status_becomes(str(made.subscription), "active")
    assert [each for each in totals(account, made) if each] == [1000]


def test_a_phase_can_have_a_coupon(account: Account, clock: stripe.test_helpers.TestClock, customer: str) -> None:
    price, coupon = account.price(), account.coupon(percent_off=50, duration="forever")
    cheap = phase(price, discounts=[{"coupon": coupon.id}], **weeks(1))
    made = schedule(account, customer, cheap, phase(price, **weeks(1)))
    account.advance(clock, NOW + WEEK + 2 * HOUR)
    assert totals(account, made) == [500, 1000]


def test_it_lets_the_subscription_go(account: Account, clock: stripe.test_helpers.TestClock, customer: str) -> None:
    made = schedule(account, customer, phase(account.price(), **weeks(1)))
    account.advance(clock, NOW + WEEK + 2 * HOUR)

    def over() -> stripe.SubscriptionSchedule | None:
        found = account.v1.subscription_schedules.retrieve(made.id)
        return found if found.status != "active" else None

    ended = account.until(over, "the schedule is not over")
    assert (ended.status, ended.released_subscription, ended.subscription) == ("released", made.subscription, None)
    subscription = account.v1.subscriptions.retrieve(str(made.subscription))
    assert (subscription.status, subscription.schedule) == ("active", None)


def test_it_ends_the_subscription(account: Account, clock: stripe.test_helpers.TestClock, customer: str) -> None:
    made = schedule(account, customer, phase(account.price(), **weeks(1)), end_behavior="cancel")
    assert running(account, made).cancel_at == NOW + WEEK
    account.advance(clock, NOW + WEEK + 2 * HOUR)
    account.status_becomes(str(made.subscription), "canceled")
    assert account.v1.subscription_schedules.retrieve(made.id).status == "completed"


def test_it_can_be_released(account: Account, customer: str) -> None:
    made = schedule(account, customer, phase(account.price(), **weeks(4)), end_behavior="cancel")
    released = account.v1.subscription_schedules.release(made.id)
    assert (released.status, released.released_subscription) == ("released", made.subscription)
    subscription = running(account, made)
    assert (subscription.status, subscription.schedule, subscription.cancel_at) == ("active", None, None)
    with pytest.raises(stripe.InvalidRequestError):
        account.v1.subscription_schedules.release(made.id)


def test_it_can_be_canceled(account: Account, customer: str) -> None:
    made = schedule(account, customer, phase(account.price(), **weeks(4)))
    assert account.v1.subscription_schedules.cancel(made.id).status == "canceled"
    assert running(account, made).status == "canceled"


def test_it_can_be_canceled_before_it_begins(account: Account, customer: str) -> None:
    made = schedule(account, customer, phase(account.price(), **weeks(1)), start_date=NOW + DAY)
    canceled = account.v1.subscription_schedules.cancel(made.id)
    assert (canceled.status, canceled.canceled_at) == ("canceled", NOW)


def test_it_ends_with_its_subscription(account: Account, customer: str) -> None:
    made = schedule(account, customer, phase(account.price(), **weeks(4)))
    account.v1.subscriptions.cancel(str(made.subscription))
    assert account.v1.subscription_schedules.retrieve(made.id).status == "canceled"


def test_a_running_subscription_gets_a_schedule(
    account: Account, clock: stripe.test_helpers.TestClock, customer: str
) -> None:
    price, dear = account.price(), account.price(unit_amount=3000)
    subscription = account.subscribe(customer, price.id)
    made = account.v1.subscription_schedules.create({"from_subscription": subscription.id})
    (only,) = made.phases
    assert (made.status, made.subscription) == ("active", subscription.id)
    assert (only.start_date, only.end_date, only["items"][0].price) == (NOW, NOW + WEEK, price.id)
    now = {"items": [{"price": price.id, "quantity": 1}], "start_date": NOW, "end_date": NOW + WEEK}
    later = {"items": [{"price": dear.id, "quantity": 2}], "duration": {"interval": "week", "interval_count": 1}}
    changed: Any = {"phases": [now, later], "metadata": {"a": "1"}}
    updated = account.v1.subscription_schedules.update(made.id, changed)
    assert [each.end_date for each in updated.phases] == [NOW + WEEK, NOW + 2 * WEEK]
    assert item_of(account.v1.subscriptions.retrieve(subscription.id)).price.id == price.id
    account.advance(clock, NOW + WEEK + 2 * HOUR)
    assert [each.total for each in account.invoices(subscription.id)] == [6000, 1000]


def test_a_subscription_has_one_schedule(account: Account, customer: str) -> None:
    subscription = account.subscribe(customer, account.price().id)
    asked: Any = {"from_subscription": subscription.id}
    account.v1.subscription_schedules.create(asked)
    with pytest.raises(stripe.InvalidRequestError, match="already attached"):
        account.v1.subscription_schedules.create(asked)
    with pytest.raises(stripe.InvalidRequestError, match="managed by the subscription schedule"):
        account.v1.subscriptions.update(subscription.id, {"cancel_at_period_end": True})


def test_the_running_phase_can_be_changed(account: Account, customer: str) -> None:
    price = account.price()
    made = schedule(account, customer, phase(price, **weeks(2)))
    more = {"items": [{"price": price.id, "quantity": 5}], "start_date": NOW, "end_date": NOW + 2 * WEEK}
    asked: Any = {"phases": [more], "proration_behavior": "none"}
    account.v1.subscription_schedules.update(made.id, asked)
    assert item_of(running(account, made)).quantity == 5
    assert totals(account, made) == [1000]


def test_its_start_cannot_be_changed(account: Account, customer: str) -> None:
    price = account.price()
    made = schedule(account, customer, phase(price, **weeks(2)))
    moved: Any = {"phases": [phase(price, start_date=NOW + DAY, end_date=NOW + WEEK)]}
    with pytest.raises(stripe.InvalidRequestError):
        account.v1.subscription_schedules.update(made.id, moved)


def test_the_next_invoice_is_that_of_the_next_phase(account: Account, customer: str) -> None:
    cheap, dear = account.price(), account.price(unit_amount=3000)
    made = schedule(account, customer, phase(cheap, **weeks(1)), phase(dear, **weeks(1)))
    assert account.v1.invoices.create_preview({"schedule": made.id}).total == 3000
    assert account.v1.invoices.create_preview({"subscription": str(made.subscription)}).total == 3000
    assert totals(account, made) == [1000]


@pytest.mark.parametrize("wrong", [{"end_date": NOW - DAY}, {"trial_end": NOW + 8 * WEEK}], ids=str)
def test_phases_that_cannot_be(account: Account, customer: str, wrong: Any) -> None:
    with pytest.raises(stripe.InvalidRequestError):
        schedule(account, customer, phase(account.price(), **wrong))


def test_schedules_are_listed(account: Account, customer: str) -> None:
    made = schedule(account, customer, phase(account.price(), **weeks(1)))
    later = schedule(account, customer, phase(account.price(), **weeks(1)), start_date=NOW + DAY)
    schedules = account.v1.subscription_schedules
    assert [each.id for each in schedules.list({"customer": customer}).data] == [later.id, made.id]
    assert [each.id for each in schedules.list({"customer": customer, "scheduled": True}).data] == [later.id]
