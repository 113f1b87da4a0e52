"""Time that Stripe and Tenantry live through together, so that a test can tell what becomes of a tenant in it.

There are two ways for time to pass, and what a tenant lives through is the same in both: on one of Stripe's test
clocks, whose customers live in its frozen time while it is today for everybody else; and as the calendar itself,
where both clocks are moved.
"""

from abc import ABC, abstractmethod
from calendar import monthrange
from contextlib import AbstractContextManager, nullcontext
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

import time_machine

from apps.core.actors import ActorKind
from apps.lifecycle import tasks
from tests.support.vendor import Vendor
from tests.support.working import drain_jobs, failed_jobs

START = datetime(2027, 1, 15, 10, tzinfo=UTC)


class Year(ABC):
    """A vendor's time, which passes only when the story says so."""

    kind: ClassVar[str]
    # Who makes the changes that no event of Stripe's announces.
    time_itself: ClassVar[str]

    def __init__(self, vendor: Vendor, url: str) -> None:
        self.vendor = vendor
        self.url = url
        self.now = START

    def advance(self, *, months: int = 0, days: float = 0, heard: bool = True) -> None:
        """Let so many months pass, one after the other, and then so many days, and work off what comes of it.

        Unless it is `heard` of, every event about it is lost.
        """
        for _ in range(months):
            self.go_to(_month_after(self.now), heard=heard)
        if days:
            self.go_to(self.days_after(self.now, days), heard=heard)

    def go_to(self, moment: datetime, *, heard: bool = True) -> None:
        """Let time pass until that moment, and work off what comes of it; every event is lost unless it is `heard`."""
        self._move(moment)
        self.now = moment
        if not heard:
            self.vendor.standin.drop()
        self.settle()

    @staticmethod
    def days_after(moment: datetime, days: float) -> datetime:
        """To the second."""
        return moment + timedelta(seconds=round(days * 86_400))

    def settle(self) -> None:
        """Deliver every event, signed and over HTTP, and let a worker do every job, until nothing is left."""
        while self.vendor.standin.pending_events():
            answers = self.vendor.standin.deliver()
            assert {answer["status"] for answer in answers} <= {200}
            with self.tenantrys_time():
                drain_jobs()
        with self.tenantrys_time():
            tasks.every_minute_job()
            drain_jobs()
        assert failed_jobs() == []

    @abstractmethod
    def customer(self, **texts: Any) -> str:
        """A customer who lives in this year."""

    @abstractmethod
    def tenantrys_time(self) -> AbstractContextManager[Any]:
        """In the block, Tenantry reads the time from its clock that it is for Tenantry."""

    @abstractmethod
    def next_look(self, moment: datetime | None) -> datetime | None:
        """When Tenantry looks at a tenant again of itself, if time changes something for it at that moment."""

    @abstractmethod
    def _move(self, moment: datetime) -> None:
        """Move Stripe's time."""


class TestClockYear(Year):
    """Stripe's test clock tells the time; Tenantry lives in the present and learns of it by events alone."""

    __test__ = False
    kind = "test clock"
    time_itself = ActorKind.STRIPE

    def __init__(self, vendor: Vendor, url: str) -> None:
        super().__init__(vendor, url)
        self._clock = vendor.client.v1.test_helpers.test_clocks.create({"frozen_time": int(START.timestamp())}).id

    def customer(self, **texts: Any) -> str:
        return self.vendor.customer(test_clock=self._clock, **texts)

    def tenantrys_time(self) -> AbstractContextManager[Any]:
        return nullcontext()

    def next_look(self, moment: datetime | None) -> None:
        return None

    def _move(self, moment: datetime) -> None:
        self.vendor.client.v1.test_helpers.test_clocks.advance(self._clock, {"frozen_time": int(moment.timestamp())})


class CalendarYear(Year):
    """The real time, as far as Stripe and Tenantry can tell."""

    kind = "calendar"
    time_itself = ActorKind.CLOCK

    def __init__(self, vendor: Vendor, url: str) -> None:
        super().__init__(vendor, url)
        vendor.standin.set_clock(int(START.timestamp()))

    def customer(self, **texts: Any) -> str:
        return self.vendor.customer(**texts)

    def tenantrys_time(self) -> AbstractContextManager[Any]:
        return time_machine.travel(self.now, tick=False)

    def next_look(self, moment: datetime | None) -> datetime | None:
        return moment

    def _move(self, moment: datetime) -> None:
        self.vendor.standin.let_time_pass(int(moment.timestamp()))


def _month_after(moment: datetime) -> datetime:
    days = monthrange(moment.year, moment.month)[1]
    return moment + timedelta(days=days)
