"""Any order, duplication or loss of events ends in the same state.

One life: created, metadata edited, plan changed, past due, paid, cancelled, and the
customer subscribed again. All of it happens in the stand-in first; then its events
are delivered in every way there is.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice, permutations
from typing import Any

import pytest
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apps.core import clock
from apps.lifecycle import sweeping
from tests.support.inline import SECRET, do_jobs, events_of, post_event
from tests.support.picture import picture
from tests.support.standin import StandIn
from tests.support.vendor import Vendor

Event = dict[str, Any]


@contextmanager
def undone() -> Iterator[None]:
    """Run the block, then be where we were."""
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


class Life:
    """The one life, lived in the stand-in."""

    def __init__(self, vendor: Vendor) -> None:
        starter = vendor.price(name="Starter", limits={"max-applications": "5"})
        business = vendor.price(name="Business", limits={"max-applications": "50", "max-users": "20"})
        customer = vendor.customer()
        first = vendor.subscribe(customer, starter)
        vendor.edit_metadata(first, tenant_id="acme", tenant_name="Acme")
        self.beginning = events_of(vendor.standin)
        self.last_five = [
            self._step(vendor, lambda: vendor.change_price(first, business)),
            self._step(vendor, lambda: vendor.standin.move_subscription(first, "past_due")),
            self._step(vendor, lambda: vendor.standin.move_subscription(first, "active")),
            self._step(vendor, lambda: vendor.cancel(first)),
            self._step(vendor, lambda: vendor.subscribe(customer, starter)),
        ]
        self.expected: dict[str, Any] | None = None

    def _step(self, vendor: Vendor, act: Any) -> list[Event]:
        before = {event["id"] for event in events_of(vendor.standin)}
        act()
        return [event for event in events_of(vendor.standin) if event["id"] not in before]

    @property
    def events(self) -> list[Event]:
        """All of them, in the order in which Stripe made them."""
        return [*self.beginning, *(event for step in self.last_five for event in step)]


@pytest.fixture
def life(db: None, standin: StandIn, settings: Any) -> Life:
    settings.STRIPE_WEBHOOK_SECRETS = [SECRET]
    return Life(Vendor(standin))


def deliver(events: list[Event], *, working_off_each: bool = False) -> None:
    for event in events:
        assert post_event(event) == 200
        if working_off_each:
            do_jobs()
    do_jobs()


def the_ordered_end(life: Life) -> dict[str, Any]:
    if life.expected is None:
        with undone():
            deliver(life.events, working_off_each=True)
            life.expected = picture()
    return life.expected


def test_the_ordered_stream_ends_in_a_working_tenant_on_its_new_plan(life: Life) -> None:
    end = the_ordered_end(life)["tenants"]["acme"]

    assert end["state"] == ("approved", "")
    assert end["provisioning"] == ("ready", ["administrator", "domain", "entitlements", "schema", "welcome"])
    assert [ref for ref, _, _ in end["plans"]] == ["plan:starter@1"]
    assert (end["limits"]["applications"], end["limits"]["users"]) == (5, None)
    assert end["users"] == [("acme", "ann@acme.example", "administrator")]


@pytest.mark.parametrize(
    "step", [pytest.param(5, id="every fifth"), pytest.param(1, id="each", marks=pytest.mark.slow)]
)
def test_every_permutation_of_the_last_five_steps_ends_in_the_same_state(life: Life, step: int) -> None:
    expected = the_ordered_end(life)
    deliver(life.beginning)

    for number, order in islice(enumerate(permutations(life.last_five)), 0, None, step):
        # Worked off in one go at the end, and once before, after one, two, three or four of the steps.
        middle = 1 + number % 4
        with undone():
            deliver([event for step in order[:middle] for event in step])
            deliver([event for step in order[middle:] for event in step])
            assert picture() == expected


def some(count: int) -> settings:
    return settings(max_examples=count, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)


@some(8)
@given(data=st.data())
def test_duplication_and_loss_followed_by_a_sweep_end_in_the_same_state(life: Life, data: st.DataObject) -> None:
    duplicate_and_lose(life, data)


@pytest.mark.slow
@some(60)
@given(data=st.data())
def test_much_duplication_and_loss_followed_by_a_sweep_end_in_the_same_state(life: Life, data: st.DataObject) -> None:
    duplicate_and_lose(life, data)


def duplicate_and_lose(life: Life, data: st.DataObject) -> None:
    expected = the_ordered_end(life)
    stream = data.draw(st.lists(st.sampled_from(life.events), max_size=20, unique_by=id), label="kept")
    repeated = data.draw(st.lists(st.sampled_from(life.events), max_size=8), label="repeated")
    order = data.draw(st.permutations([*stream, *repeated]), label="order")

    with undone():
        deliver(order, working_off_each=data.draw(st.booleans(), label="working off each"))
        sweeping.catch_up(clock=clock.now)
        do_jobs()
        assert picture() == expected


def test_losing_every_event_costs_nothing_but_time(life: Life) -> None:
    expected = the_ordered_end(life)

    sweeping.catch_up(clock=clock.now)
    do_jobs()

    assert picture() == expected
