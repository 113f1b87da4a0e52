"""Counters against a model of them that is plain enough to be believed.

Whatever is called in whatever order: every answer is the one the model gives, the counters
are what the events come to, and a hard limit is never passed by what it was asked for.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from apps.core.errors import IdempotencyKeyReused
from apps.core.periods import Period
from apps.usage import errors, services
from apps.usage.models import Counter
from apps.usage.selectors import verify
from apps.usage.types import Ceiling, Slot, Told
from tests.factories import NOW, SOMEBODY
from tests.usage.calling import MONTHLY, a_tenant, consume, event, ingest, release, tell, use

AGGREGATES = {"calls": "sum", "disk": "last", "peak": "max"}
# The limit is reached often enough only if many calls go to one counter.
features = st.sampled_from(["calls", "calls", "disk", "peak"])
amounts = st.integers(1, 6)
# Some weeks to and fro: two periods, and events that come late.
moments = st.integers(-30 * 24, 0).map(lambda hours: NOW + timedelta(days=20, hours=hours))
NOBODY_WAITS = NOW + timedelta(days=20)


@dataclass
class Entry:
    """One event as the model keeps it."""

    feature: str
    at: datetime
    amount: int | None = None
    value: int | None = None
    gone: bool = False


@dataclass
class Books:
    """Everything that was told, in the order in which it was told."""

    told: list[Entry] = field(default_factory=list)

    def level(self, feature: str, until: datetime) -> int:
        """What a gauge shows before a moment, by everything told of it before that."""
        level = 0
        for each in self._in_order(feature):
            if each.at < until:
                level = each.value if each.value is not None else level + (each.amount or 0)
        return level

    def used(self, slot: Slot) -> int:
        """What is in use in a period."""
        within = [each for each in self._in_order(slot.feature) if each.at in slot.period]
        if slot.aggregate == "sum":
            return sum(each.amount or 0 for each in within)
        levels = [self.level(slot.feature, slot.period.start)]
        for each in within:
            levels.append(each.value if each.value is not None else levels[-1] + (each.amount or 0))
        return max(0, max(levels) if slot.aggregate == "max" else levels[-1])

    def periods(self, feature: str) -> set[Period]:
        """The periods of which something was told."""
        return {MONTHLY.period_at(each.at) for each in self.told if each.feature == feature}

    def _in_order(self, feature: str) -> list[Entry]:
        # Sorting keeps what was told of one moment in the order in which it was told.
        return sorted((each for each in self.told if each.feature == feature and not each.gone), key=lambda e: e.at)


class Usage(RuleBasedStateMachine):
    booked = Bundle("booked")

    @initialize(limit=st.integers(0, 12), soft=st.booleans())
    def begin(self, limit: int, soft: bool) -> None:
        self.tenant, self.books = a_tenant(), Books()
        self.version, self.calls = 1, 0
        self.own: dict[Slot, Ceiling] = {}
        self.ceiling = Ceiling(limit=limit, soft=soft, thresholds=(50, 100), version=1)
        self.keys: dict[str, tuple[dict[str, Any], Any]] = {}

    def slot(self, feature: str, at: datetime) -> Slot:
        return Slot(feature, AGGREGATES[feature], MONTHLY.period_at(at))

    def ceiling_of(self, slot: Slot) -> Ceiling:
        """A period that is over keeps the ceiling it had."""
        return self.ceiling if slot.period.end > NOBODY_WAITS else self.own.get(slot, self.ceiling)

    def numbers(self, slot: Slot) -> tuple[int, int]:
        """What is in use, and what it shows in the end; of what adds up the same."""
        used = self.books.used(slot)
        return used, used if slot.aggregate == "sum" else self.books.level(slot.feature, slot.period.end)

    def fits(self, told: Entry) -> bool:
        """Whether nothing that goes up by it goes beyond a hard limit, in its own period and in the later ones."""
        periods = {*self.books.periods(told.feature), MONTHLY.period_at(told.at)}
        slots = [self.slot(told.feature, each.start) for each in periods]
        before = {each: self.numbers(each) for each in slots}
        self.books.told.append(told)
        after = {each: self.numbers(each) for each in slots}
        self.books.told.pop()
        hard = [(each, self.ceiling_of(each).limit) for each in slots if not self.ceiling_of(each).soft]
        return all(
            number <= max(limit, former)
            for each, limit in hard
            if limit is not None
            for number, former in zip(after[each], before[each], strict=True)
        )

    def book(self, told: Entry, call: Callable[[], Any]) -> Any:
        """Make a call, and keep in the model what was accepted."""
        slot = self.slot(told.feature, told.at)
        fits = self.fits(told)
        booking = call()
        assert (booking.outcome == "booked") == fits
        if not fits:
            assert booking.used == self.books.used(booking.slot)
            assert booking.limit == self.ceiling_of(booking.slot).limit
            return None
        self.own[slot] = self.ceiling_of(slot)
        self.books.told.append(told)
        assert booking.used == self.books.used(slot)
        return booking.event_id, told

    @rule(target=booked, feature=features, amount=amounts, at=moments)
    def use_some(self, feature: str, amount: int, at: datetime) -> Any:
        slot = self.slot(feature, at)
        self.calls += 1
        call = {"slot": slot, "at": at, "key": f"key-{self.calls}", "ceiling": self.ceiling, "now": NOBODY_WAITS}
        accepted = self.book(Entry(feature, at, amount=amount), lambda: consume(self.tenant, amount, **call))
        if accepted:
            self.keys[call["key"]] = ({**call, "amount": amount}, accepted[0])
        return accepted

    @rule(target=booked, feature=features, value=st.integers(0, 30), at=moments)
    def tell_altogether(self, feature: str, value: int, at: datetime) -> Any:
        slot = self.slot(feature, at)
        told = Entry(feature, at, value=value)
        if AGGREGATES[feature] == "sum":
            told = Entry(feature, at, amount=value - self.books.used(slot))
        call = {"slot": slot, "at": at, "ceiling": self.ceiling, "now": NOBODY_WAITS}
        return self.book(told, lambda: tell(self.tenant, value, **call))

    @rule(target=booked, amount=amounts, at=moments)
    def give_back(self, amount: int, at: datetime) -> Any:
        slot = self.slot("calls", at)
        if self.books.used(slot) < amount:
            with pytest.raises(errors.NotReleasable):
                release(self.tenant, amount, slot=slot, at=at, now=NOBODY_WAITS)
            return None
        call = {"slot": slot, "at": at, "now": NOBODY_WAITS}
        return self.book(Entry("calls", at, amount=-amount), lambda: release(self.tenant, amount, **call))

    @rule(batch=st.lists(st.tuples(features, amounts, moments), max_size=5))
    def tell_many(self, batch: list[tuple[str, int, datetime]]) -> None:
        events = [
            event(amount, slot=self.slot(feature, at), at=at, ceiling=self.ceiling, told=Told.MORE)
            for feature, amount, at in batch
        ]
        assert ingest(self.tenant, *events, now=NOBODY_WAITS) == ["booked"] * len(batch)
        self.own |= {each.slot: self.ceiling_of(each.slot) for each in events}
        self.books.told += [Entry(feature, at, amount=amount) for feature, amount, at in batch]

    @rule(event=booked)
    def correct(self, event: Any) -> None:
        if event is None:
            return
        event_id, told = event
        slot = self.slot(told.feature, told.at)
        already, told.gone = told.gone, True
        try:
            services.correct(tenant=self.tenant, event_id=event_id, reason="Wrong.", actor=SOMEBODY, now=NOBODY_WAITS)
        except errors.NotCorrectable:
            assert self.books.used(slot) < 0
            told.gone = already

    @rule(data=st.data())
    def repeat(self, data: st.DataObject) -> None:
        if self.keys:
            call, event_id = self.keys[data.draw(st.sampled_from(sorted(self.keys)))]
            again = consume(self.tenant, **call)
            assert (again.outcome, again.event_id) == ("repeated", event_id)
            with pytest.raises(IdempotencyKeyReused):
                consume(self.tenant, **{**call, "amount": call["amount"] + 1})

    @rule(limit=st.integers(0, 15) | st.none(), soft=st.booleans())
    def change_plan(self, limit: int | None, soft: bool) -> None:
        self.version += 1
        self.ceiling = Ceiling(limit=limit, soft=soft or limit is None, thresholds=(50, 100), version=self.version)

    @invariant()
    def counters_are_what_was_told(self) -> None:
        if hasattr(self, "tenant"):
            assert verify(self.tenant) == []
            for counter in Counter.objects.filter(tenant_uuid=self.tenant.pk):
                slot = self.slot(counter.feature, counter.period_start)
                assert counter.used == use(self.tenant, slot).used == self.books.used(slot)


def test_counters_are_what_was_told_whatever_the_order(db: None) -> None:
    run_state_machine_as_test(
        Usage,
        settings=settings(
            max_examples=15, stateful_step_count=12, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )
